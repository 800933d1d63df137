//! Giving queued runs to a node, and agreeing with it on what it holds.

use super::{
    Held, Link, ToNode,
    open::{HeldRun, lock},
};
use crate::{
    EngineError,
    runs::{declare, lease_record},
};
use futures_util::future::join_all;
use std::sync::{Arc, atomic::Ordering};
use wardroom_core::{
    audit::AuditOutcome,
    change::{Change, Write},
    hint::Hint,
    node::Node,
    run::{self, Event, Run, Target},
    store::StoreError,
};

impl Link {
    /// Something may wait for this node. Cheap to call; one dispatch runs at a time and a call during
    /// it makes it look once more.
    pub(crate) fn wake(self: &Arc<Self>) {
        self.backlog.store(true, Ordering::Release);
        if self.is_closed() || self.dispatching.swap(true, Ordering::AcqRel) {
            return;
        }
        let link = Arc::clone(self);
        tokio::spawn(async move {
            if let Err(error) = link.dispatch().await {
                // What waits is in the database; the next tick or hint tries again.
                tracing::warn!(node = %link.node(), %error, "queued runs could not be given out");
                link.dispatching.store(false, Ordering::Release);
            }
        });
    }

    async fn dispatch(self: &Arc<Self>) -> Result<(), EngineError> {
        loop {
            self.backlog.store(false, Ordering::Release);
            let free = self.take_slots();
            let given = if free == 0 { Ok((0, true)) } else { self.give_out(free).await };
            let (given, more) = given.inspect_err(|_| self.give_slots_back(free))?;
            self.give_slots_back(free - given);
            // With no slot left the next end of a run wakes this again.
            if more {
                self.backlog.store(true, Ordering::Release);
            }
            if !self.backlog.load(Ordering::Acquire) || given == 0 {
                self.dispatching.store(false, Ordering::Release);
                // A wake between the look and the store would be lost otherwise.
                let lost = self.backlog.load(Ordering::Acquire) && !more;
                if !lost || self.dispatching.swap(true, Ordering::AcqRel) {
                    return Ok(());
                }
            }
        }
    }

    /// Leases up to `free` queued runs to the node and offers them. Gives how many, and whether more wait.
    async fn give_out(self: &Arc<Self>, free: u32) -> Result<(u32, bool), EngineError> {
        let engine = &self.engine;
        let queued = engine.store.list_queued(self.node(), engine.now(), free).await?;
        let more = queued.len() >= free as usize;
        let Some(node) = engine.store.lookup_node(self.node()).await? else {
            return Ok((0, false));
        };
        if node.disabled || self.is_closed() {
            return Ok((0, false));
        }
        let leases = queued
            .into_iter()
            .filter(|run| match &run.target {
                Target::OneOf { labels } => {
                    labels.matches(&node.labels) && node.catalogue.command(&run.command).is_some()
                }
                _ => true,
            })
            .map(|run| self.lease(run, &node));
        let mut given = 0;
        for outcome in join_all(leases).await {
            given += u32::from(outcome?);
        }
        Ok((given, more && given > 0))
    }

    /// Leases one run; `false` when somebody else was quicker.
    async fn lease(self: &Arc<Self>, run: Run, node: &Node) -> Result<bool, EngineError> {
        let now = self.engine.now();
        let mut base = run;
        if let Target::OneOf { .. } = base.target {
            declare(&mut base, node);
        }
        let event = Event::Lease { node: node.id, until: now.plus(run::LEASE) };
        let Ok(transition) = run::apply(&base, &event, now) else { return Ok(false) };
        let leased = transition.run;
        let parameters = self.engine.open_parameters(&leased)?.all();
        let change = Change::recorded(lease_record(&leased, now))
            .write(Write::UpdateRun(Box::new(leased.clone())))
            .hint(Hint::Run(leased.id));
        match self.engine.store.commit(change).await {
            Ok(()) => {
                self.offer(leased, &parameters).await;
                Ok(true)
            }
            Err(StoreError::Conflict(_)) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Brings the node's journal and the database together on a new link.
    pub(crate) async fn reconcile(self: &Arc<Self>, holding: &[Held]) -> Result<(), EngineError> {
        let runs = self.engine.store.list_held(self.node()).await?;
        self.occupy(u32::try_from(runs.len()).unwrap_or(u32::MAX));
        let mut offers = Vec::new();
        for run in runs {
            let chunks = self.engine.store.next_output_seq(run.id, run.fence).await?;
            let mine = Held { run: run.id, fence: run.fence };
            let there = holding.contains(&mine);
            lock(&self.held).insert(run.id, HeldRun { run: run.clone(), chunks, bytes: 0 });
            if there {
                self.send(ToNode::Recorded {
                    run: run.id,
                    fence: run.fence,
                    chunks,
                    finished: false,
                })
                .await;
            } else {
                // Not in its journal, so it was never begun: the offer was lost on the way.
                offers.push(run.clone());
            }
            if run.cancel_requested_at.is_some() {
                self.stop(&run).await;
            }
        }
        for run in offers {
            let parameters = self.engine.open_parameters(&run)?.all();
            self.offer(run, &parameters).await;
        }
        for held in holding {
            if !lock(&self.held).contains_key(&held.run) {
                self.refuse_stale(*held, "the node came back with a run that it no longer holds")
                    .await?;
            }
        }
        self.wake();
        Ok(())
    }

    /// Tells the node to forget a run that is not its own, and records it.
    pub(crate) async fn refuse_stale(&self, held: Held, why: &str) -> Result<(), EngineError> {
        let audit = self
            .record("run.stale_report")
            .on(held.run)
            .detail("fence", held.fence)
            .outcome(AuditOutcome::Refused, why);
        self.engine.record(audit).await?;
        self.send(ToNode::Discard { run: held.run, fence: held.fence }).await;
        Ok(())
    }

    /// Sends stops for the held runs that somebody elsewhere asked to stop.
    pub(crate) async fn send_stops(self: &Arc<Self>) -> Result<(), EngineError> {
        for run in self.engine.store.list_held(self.node()).await? {
            if run.cancel_requested_at.is_some() {
                self.stop(&run).await;
            }
        }
        Ok(())
    }
}
