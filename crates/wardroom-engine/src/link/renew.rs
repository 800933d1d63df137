//! Keeping the leases of a node that is heard of.

use super::{Held, Link, open::lock};
use crate::EngineError;
use futures_util::future::join_all;
use std::{collections::HashSet, sync::Arc};
use wardroom_core::{
    RunId,
    change::{Change, Write},
    hint::Hint,
    node::NodeReport,
    run::{self, Event, Run},
    store::StoreError,
};

impl Link {
    /// The node is still there: its report is kept, and the leases of what it holds are renewed.
    pub async fn heartbeat(
        self: &Arc<Self>,
        report: NodeReport,
        holding: &[Held],
    ) -> Result<(), EngineError> {
        let at = self.engine.now();
        let change = Change::default()
            .write(Write::ReportNode { id: self.node(), report, at })
            .hint(Hint::Node(self.node()));
        self.engine.commit(change).await?;
        let renewals = self.due_renewals(holding).into_iter().map(|run| self.renew(run));
        join_all(renewals).await.into_iter().collect::<Result<(), _>>()?;
        self.let_lost_go(holding).await
    }

    /// Lets runs go that the node does not name and that were ended or taken from it meanwhile: with their
    /// leases lapsed, they must not take its places for ever.
    async fn let_lost_go(self: &Arc<Self>, holding: &[Held]) -> Result<(), EngineError> {
        let named: HashSet<RunId> = holding.iter().map(|held| held.run).collect();
        let unnamed = lock(&self.held).others(&named);
        for Held { run: id, fence } in unnamed {
            let stored = self.engine.store.lookup_run(id).await?;
            let ours = stored.is_some_and(|run| {
                run.node == Some(self.node()) && run.fence == fence && run.lease_until.is_some()
            });
            if !ours {
                self.let_go(id);
                self.wake();
            }
        }
        Ok(())
    }

    /// The held runs, with longer leases, of which more than half is over. A run that the node does not
    /// name is not renewed: whatever became of it there, its lease must lapse.
    fn due_renewals(&self, holding: &[Held]) -> Vec<Run> {
        let now = self.engine.now();
        let held = lock(&self.held);
        let due = |found: &&Held| {
            let run = &held.get(found.run)?.run;
            let over = run.lease_until.is_some_and(|until| until.since(now) < run::LEASE / 2);
            let event = Event::Renew { fence: found.fence, until: now.plus(run::LEASE) };
            over.then(|| run::apply(run, &event, now).ok()).flatten().map(|next| next.run)
        };
        holding.iter().filter_map(|found| due(&found)).collect()
    }

    /// Each in a change of its own: one that somebody else changed must not cost the others theirs.
    async fn renew(&self, run: Run) -> Result<(), EngineError> {
        let change = Change::default().write(Write::UpdateRun(Box::new(run.clone())));
        let kept = match self.engine.commit(change).await {
            Ok(()) => Some(run),
            // The next heartbeat renews what it is by then.
            Err(StoreError::Conflict(_)) => self.engine.store.lookup_run(run.id).await?,
            Err(error) => return Err(error.into()),
        };
        if let Some(run) = kept {
            lock(&self.held).keep(run);
        }
        Ok(())
    }
}
