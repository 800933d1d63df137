//! What a node holds, as this side last wrote it.

use super::Held;
use std::collections::{HashMap, HashSet};
use wardroom_core::{RunId, run::Run, store::Extent};

/// Stops that may wait for their offer.
const STOPS_MAX: usize = super::HELD_MAX as usize;

/// A run that the node holds.
#[derive(Debug, Clone)]
pub(crate) struct HeldRun {
    /// The run as last written or read.
    pub(crate) run: Run,
    /// The output that is stored of this attempt.
    pub(crate) output: Extent,
}

/// The runs that the node holds.
#[derive(Debug, Default)]
pub(crate) struct HeldRuns {
    runs: HashMap<RunId, HeldRun>,
    /// Runs that somebody asked to stop between their lease and their offer.
    stops: HashSet<RunId>,
    /// Runs that the node was told to stop on this link, which loses nothing.
    told: HashSet<RunId>,
}

impl HeldRuns {
    pub(crate) fn get(&self, id: RunId) -> Option<&HeldRun> {
        self.runs.get(&id)
    }

    /// Takes a run in. `true` when it is to be stopped at once.
    pub(crate) fn insert(&mut self, held: HeldRun) -> bool {
        let id = held.run.id;
        self.runs.insert(id, held);
        self.stops.remove(&id) && self.told.insert(id)
    }

    /// Whether the node is to be told now to stop a run. Where it has yet to be offered, that is kept.
    pub(crate) fn stop(&mut self, id: RunId) -> bool {
        if self.runs.contains_key(&id) {
            return self.told.insert(id);
        }
        if self.stops.len() < STOPS_MAX {
            self.stops.insert(id);
        }
        false
    }

    /// Keeps what was written, unless something newer is here already.
    pub(crate) fn keep(&mut self, run: Run) {
        if let Some(found) = self.runs.get_mut(&run.id)
            && found.run.version < run.version
        {
            found.run = run;
        }
    }

    /// The held runs that are not among `named`.
    pub(crate) fn others(&self, named: &HashSet<RunId>) -> Vec<Held> {
        let others = self.runs.values().filter(|held| !named.contains(&held.run.id));
        others.map(|held| Held { run: held.run.id, fence: held.run.fence }).collect()
    }

    pub(crate) fn remove(&mut self, id: RunId) -> bool {
        self.stops.remove(&id);
        self.told.remove(&id);
        self.runs.remove(&id).is_some()
    }
}
