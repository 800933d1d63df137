//! Giving queued runs to a node.

use super::Link;
use crate::{EngineError, runs::lease_record};
use futures_util::future::join_all;
use std::sync::{Arc, atomic::Ordering};
use wardroom_core::{
    NodeId,
    change::{Change, Write},
    hint::Hint,
    run::{self, Event, Run, Target},
    store::StoreError,
};

/// Queued runs that are read beyond the free slots.
const SPARE: u32 = 16;
/// How often in a row every run that was looked at may have gone to somebody else.
const IN_VAIN_MAX: u32 = 3;

impl Link {
    /// Something may wait for this node. Cheap to call; one dispatch runs at a time and a call during
    /// it makes it look once more.
    pub(crate) fn wake(self: &Arc<Self>) {
        self.backlog.store(true, Ordering::SeqCst);
        if !self.is_ready() || self.dispatching.swap(true, Ordering::SeqCst) {
            return;
        }
        let link = Arc::clone(self);
        tokio::spawn(async move {
            if let Err(error) = link.dispatch().await {
                // What waits is in the database; the next sweep or hint tries again.
                tracing::warn!(node = %link.node(), %error, "queued runs could not be given out");
                link.dispatching.store(false, Ordering::SeqCst);
            }
        });
    }

    async fn dispatch(self: &Arc<Self>) -> Result<(), EngineError> {
        loop {
            self.backlog.store(false, Ordering::SeqCst);
            if self.fill().await? {
                // The next end of a run wakes this again.
                self.backlog.store(true, Ordering::SeqCst);
            }
            self.dispatching.store(false, Ordering::SeqCst);
            // A wake or a freed slot between the last look and here found this at work. All in one order
            // (SeqCst): either this sees the other's backlog, or the other sees that this is over.
            let again = self.backlog.load(Ordering::SeqCst) && self.slots.any_free();
            if !again || !self.is_ready() || self.dispatching.swap(true, Ordering::SeqCst) {
                return Ok(());
            }
        }
    }

    /// Gives runs out while slots are free and runs wait. `true` when the slots gave out first.
    async fn fill(self: &Arc<Self>) -> Result<bool, EngineError> {
        let mut in_vain = 0;
        loop {
            let free = self.slots.take_all();
            if free == 0 {
                return Ok(true);
            }
            let outcome = self.give_out(free).await;
            let given = outcome.as_ref().map_or(0, |(given, _)| *given);
            self.slots.give_back(free - given);
            let (_, found) = outcome?;
            in_vain = if given == 0 { in_vain + 1 } else { 0 };
            if found < free || in_vain == IN_VAIN_MAX {
                return Ok(false);
            }
        }
    }

    /// Leases up to `free` queued runs to the node and offers them. Gives how many, and how many waited.
    async fn give_out(self: &Arc<Self>, free: u32) -> Result<(u32, u32), EngineError> {
        let engine = &self.engine;
        let node = self.node();
        match engine.store.lookup_node(node).await? {
            Some(found) if !found.disabled && self.is_ready() => {}
            _ => return Ok((0, 0)),
        }
        // Some more than there is room for, in the place of those that turn out not to be givable.
        let mut queued = engine.store.list_queued(node, engine.now(), free + SPARE).await?;
        let found = u32::try_from(queued.len()).unwrap_or(u32::MAX);
        let mut given = 0;
        while given < free && !queued.is_empty() {
            let rest = queued.split_off(queued.len().min((free - given) as usize));
            let leases = queued.into_iter().map(|run| self.lease(run, node));
            given += join_all(leases).await.into_iter().map(u32::from).sum::<u32>();
            queued = rest;
        }
        Ok((given, found))
    }

    /// Leases one run and offers it; `false` when that did not come about. One that can't be given out must
    /// not keep the others back.
    async fn lease(self: &Arc<Self>, run: Run, node: NodeId) -> bool {
        let id = run.id;
        self.try_lease(run, node).await.unwrap_or_else(|error| {
            tracing::warn!(%node, run = %id, %error, "a queued run could not be given out");
            false
        })
    }

    /// Leases one run; `false` when somebody else was quicker.
    async fn try_lease(self: &Arc<Self>, mut base: Run, node: NodeId) -> Result<bool, EngineError> {
        let now = self.engine.now();
        if let Target::OneOf { .. } = base.target {
            // SECURITY: only a node on which policy allowed the command may take it, and it runs what
            // the submitter saw there.
            let candidate = self.engine.store.lookup_candidate(base.id, node).await?;
            let Some(candidate) = candidate else { return Ok(false) };
            base.command_digest = candidate.command_digest;
            base.idempotent = candidate.idempotent;
        }
        let event = Event::Lease { node, until: now.plus(run::LEASE) };
        let Ok(transition) = run::apply(&base, &event, now) else { return Ok(false) };
        let leased = transition.run;
        let values = self.engine.open_parameters(&leased).await?;
        let change = Change::recorded(lease_record(&leased, now))
            .write(Write::UpdateRun(Box::new(leased.clone())))
            .hint(Hint::Run(leased.id));
        match self.engine.commit(change).await {
            Ok(()) => {
                self.offer(leased, &values);
                Ok(true)
            }
            Err(StoreError::Conflict(_)) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}
