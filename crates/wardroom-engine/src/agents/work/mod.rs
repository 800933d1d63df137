//! Agents at work: runs that this orchestrator carries on, each by its journal. What comes of an effect is durable before
//! anything follows from it, so whoever takes a run up goes on where it stood.

mod act;
mod answer;
mod ask;
mod book;
mod calls;
mod child;
mod deputy;
mod driver;
mod end;
mod start;
mod take;
mod toolbox;
mod wake;

pub use answer::Reply;
pub use book::Step;
pub use deputy::{Acting, Deputies, Deputy};
pub use start::{AgentStart, PROMPT_BYTES_MAX};
pub use take::Employment;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use wardroom_core::{OrchestratorId, RunId};

/// What entries of journals are sealed for.
pub(crate) const SEAL_STEP: &str = "run.step";
/// Runs that one orchestrator carries on at the same time.
pub const RUNS_MAX: usize = 4096;

/// The runs that this orchestrator carries on.
pub(crate) struct Here {
    pub(crate) id: OrchestratorId,
    places: Arc<Semaphore>,
    held: Mutex<HashMap<RunId, CancellationToken>>,
    queued: Notify,
    /// Goes off when the orchestrator stops.
    leaving: CancellationToken,
    employment: OnceLock<Employment>,
}

impl Here {
    pub(crate) fn new(id: OrchestratorId) -> Self {
        Self {
            id,
            places: Arc::new(Semaphore::new(RUNS_MAX)),
            held: Mutex::default(),
            queued: Notify::new(),
            leaving: CancellationToken::new(),
            employment: OnceLock::new(),
        }
    }

    fn held(&self) -> std::sync::MutexGuard<'_, HashMap<RunId, CancellationToken>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn held_len(&self) -> usize {
        self.held().len()
    }

    /// Something may wait to be taken up.
    pub(crate) fn wake(&self) {
        self.queued.notify_one();
    }

    /// Stops a run, where it is carried on here.
    pub(crate) fn halt(&self, run: RunId) {
        if let Some(halt) = self.held().get(&run) {
            halt.cancel();
        }
    }
}
