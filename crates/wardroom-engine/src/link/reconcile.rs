//! Agreeing with a node on what it holds, and refusing what it does not.

use super::{Held, Link, ToNode, held::HeldRun, open::lock};
use crate::EngineError;
use std::{collections::HashSet, sync::Arc};
use wardroom_core::{
    audit::AuditOutcome,
    run::{End, Event, Outcome, Run, RunState},
};

impl Link {
    /// Brings the node's journal and the database together on a new link.
    pub(super) async fn reconcile(self: &Arc<Self>, holding: &[Held]) -> Result<(), EngineError> {
        let store = &self.engine.store;
        let runs = store.list_held(self.node()).await?;
        self.slots.occupy(u32::try_from(runs.len()).unwrap_or(u32::MAX));
        let named: HashSet<Held> = holding.iter().copied().collect();
        for run in runs {
            let mine = Held { run: run.id, fence: run.fence };
            if named.contains(&mine) {
                let output = self.engine.output_extent(&run, run.fence).await?;
                let Held { run: id, fence } = mine;
                self.send(ToNode::Recorded {
                    run: id,
                    fence,
                    chunks: output.chunks,
                    finished: false,
                });
                self.hold(HeldRun { run: run.clone(), output });
                if run.cancel_requested_at.is_some() {
                    self.stop(&run);
                }
            } else if let Some(outcome) = unoffered(&run) {
                let event = Event::Ended { fence: run.fence, started_at: None, outcome };
                self.end_here(&run, &event).await?;
            } else {
                // Not in its journal, so it was never begun: the offer was lost on the way.
                match self.engine.open_parameters(&run).await {
                    Ok(values) => self.offer(run, &values),
                    // It is not the node's fault, and its lease lapses.
                    Err(error) => tracing::error!(run = %run.id, %error, "a run can't be offered"),
                }
            }
        }
        for held in named {
            if lock(&self.held).get(held.run).is_none() {
                self.answer_unheld(held).await?;
            }
        }
        Ok(())
    }

    /// Answers for a run that the node names and does not hold.
    async fn answer_unheld(&self, held: Held) -> Result<(), EngineError> {
        let Held { run: id, fence } = held;
        let stored = self.engine.store.lookup_run(id).await?;
        let recorded = stored.is_some_and(|run| {
            run.state.is_terminal() && run.node == Some(self.node()) && run.fence == fence
        });
        if recorded {
            // It told the end, and its link went before it heard that this is durable.
            let chunks = self.engine.store.output_extent(id, fence).await?.chunks;
            self.send(ToNode::Recorded { run: id, fence, chunks, finished: true });
            return Ok(());
        }
        self.refuse_stale(held, "the node came back with a run that it no longer holds").await
    }

    /// Tells the node of stops that somebody elsewhere asked for.
    pub(crate) async fn send_stops(&self) -> Result<(), EngineError> {
        for run in self.engine.store.list_held(self.node()).await? {
            if run.cancel_requested_at.is_some() {
                self.stop(&run);
            }
        }
        Ok(())
    }

    /// Ends a run that the node does not have, without it.
    async fn end_here(&self, run: &Run, event: &Event) -> Result<(), EngineError> {
        self.slots.give_back(1);
        let audit = self.engine.own_record(event.as_str());
        match self.engine.happen(run.id, event, audit).await {
            Ok((run, effects)) => self.engine.follow(&run, &effects).await,
            // What was read was older than what the node had said on its last link.
            Err(EngineError::RunState(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Tells the node to forget a run that is not its own. Recorded once for each lease.
    pub(super) async fn refuse_stale(&self, held: Held, why: &str) -> Result<(), EngineError> {
        let new = lock(&self.discarded).insert(held);
        if new && !self.may_record() {
            return Ok(());
        }
        if new {
            let audit = self
                .record("run.stale_report")
                .on(held.run)
                .detail("fence", held.fence)
                .outcome(AuditOutcome::Refused, why);
            self.engine.record(audit).await?;
        }
        self.send(ToNode::Discard { run: held.run, fence: held.fence });
        Ok(())
    }
}

/// How a run ends that the node should hold and does not, where offering it anew would be wrong.
fn unoffered(run: &Run) -> Option<Outcome> {
    if run.state == RunState::Running {
        // It had told of the start: its journal is another one now.
        let message = "the node came back without the run that it had started; what the command did is unknown";
        return Some(Outcome::without_process(End::Interrupted, message));
    }
    let message = "cancelled before the node took it";
    run.cancel_requested_at.map(|_| Outcome::without_process(End::Cancelled, message))
}
