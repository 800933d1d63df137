//! What time brings: lapsed leases, deadlines, due retries, parents to settle, checkpoints.

use crate::{Engine, EngineError, link::Goodbye};
use std::{sync::Arc, time::Duration};
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;
use wardroom_core::{
    RunId,
    change::{Change, Write},
    hint::Hint,
    page::{PAGE_ITEMS_MAX, PageRequest},
    run::{self, Event, Run, RunState, Target},
    store::RunFilter,
};

/// How often the clock is looked at.
pub const TICK: Duration = Duration::from_millis(500);
/// How often ended sessions are forgotten and waiting runs are looked for without a hint.
const SWEEP: Duration = Duration::from_secs(5);
/// Due runs that one tick looks at.
const DUE_MAX: u32 = 500;

impl Engine {
    /// Works until `stop`: follows hints and the clock. Call once.
    pub async fn work(self: Arc<Self>, stop: CancellationToken) {
        let hints = tokio::spawn(Arc::clone(&self).follow_hints(stop.clone()));
        if let Err(error) = self.take_up().await {
            tracing::error!(%error, "what an earlier process left open could not be taken up; the ticker goes on with it");
        }
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        let mut swept = self.now();
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                _ = tick.tick() => {}
            }
            let now = self.now();
            let sweep = now.since(swept) >= SWEEP;
            if sweep {
                swept = now;
            }
            if let Err(error) = self.tick(sweep).await {
                tracing::warn!(%error, "a tick did not come through; the next one tries again");
            }
        }
        self.close_links();
        let _ = hints.await;
        if let Err(error) = self.seal_audit().await {
            tracing::warn!(%error, "the last audit records were not signed; the next start signs them");
        }
    }

    /// Takes up what an earlier process left half done.
    async fn take_up(&self) -> Result<(), EngineError> {
        let filter =
            RunFilter { state: Some(RunState::Running), top_level: true, ..RunFilter::default() };
        let mut page = PageRequest::new(None, PAGE_ITEMS_MAX);
        loop {
            let found = self.store.list_runs(&filter, page).await?;
            for run in &found.items {
                let parent = matches!(run.target, Target::AllOf { .. });
                if parent && run.cancel_requested_at.is_some() {
                    self.stop_children(run.id).await?;
                }
            }
            match found.next {
                Some(after) => page.after = Some(after),
                None => return Ok(()),
            }
        }
    }

    async fn tick(&self, sweep: bool) -> Result<(), EngineError> {
        for run in self.store.list_due(self.now(), DUE_MAX).await? {
            match self.time_tells(&run).await {
                Ok(()) | Err(EngineError::RunState(_) | EngineError::Conflict) => {}
                Err(error) => return Err(error),
            }
        }
        self.seal_audit().await?;
        if sweep {
            let past = self.now();
            self.store.commit(Change::default().write(Write::RemoveExpired(past))).await?;
            self.wake_for_waiting().await?;
        }
        Ok(())
    }

    /// Applies to `run` what time has to say.
    async fn time_tells(&self, run: &Run) -> Result<(), EngineError> {
        let now = self.now();
        let event = if run.deadline.is_some_and(|deadline| now >= deadline) {
            Event::DeadlinePassed
        } else if run.state == RunState::Retrying {
            Event::RetryDue
        } else if matches!(run.target, Target::AllOf { .. }) {
            return self.settle_parent(run.id).await;
        } else if now.since(self.started_at) < run::LEASE {
            // The orchestrator was away itself: nodes get a lease's time to come back.
            return Ok(());
        } else {
            Event::LeaseLapsed { fence: run.fence }
        };
        let audit = self.own_record(event.as_str());
        let (run, effects) = self.happen(run.id, &event, audit).await?;
        self.follow(&run, &effects).await
    }

    /// Wakes links for runs that wait although no hint came: it was lost, or its process died.
    async fn wake_for_waiting(&self) -> Result<(), EngineError> {
        for link in self.links.all() {
            if link.has_backlog() {
                link.wake();
            }
        }
        let filter = RunFilter { state: Some(RunState::Queued), ..RunFilter::default() };
        let waiting =
            self.store.list_runs(&filter, PageRequest::<RunId>::new(None, PAGE_ITEMS_MAX)).await?;
        for run in waiting.items {
            for hint in self.takers(&run) {
                self.heed(hint).await?;
            }
            // A node that was removed while its runs were being ended.
            if let Target::Node { node } = &run.target
                && self.store.lookup_node(*node).await?.is_none()
            {
                self.end_runs_of_removed(*node).await?;
            }
        }
        Ok(())
    }

    async fn follow_hints(self: Arc<Self>, stop: CancellationToken) {
        let mut hints = self.hub.listen();
        loop {
            let hint = tokio::select! {
                () = stop.cancelled() => return,
                hint = hints.recv() => hint,
            };
            let heeded = match hint {
                Ok(hint) => self.heed(hint).await,
                Err(RecvError::Lagged(_)) => {
                    self.links.all().iter().for_each(|link| link.wake());
                    Ok(())
                }
                Err(RecvError::Closed) => return,
            };
            if let Err(error) = heeded {
                tracing::warn!(%error, "a hint could not be followed; the ticker makes it good");
            }
        }
    }

    /// Does what a hint hints at, if its node is linked here.
    async fn heed(&self, hint: Hint) -> Result<(), EngineError> {
        match hint {
            Hint::Queue(node) => {
                if let Some(link) = self.links.get(node) {
                    link.wake();
                }
            }
            Hint::Cancel(node) => {
                if let Some(link) = self.links.get(node) {
                    link.send_stops().await?;
                }
            }
            Hint::Sever(node) => match self.store.lookup_node(node).await? {
                Some(found) if found.disabled => self.sever(node, Goodbye::Disabled),
                Some(_) => {}
                None => self.sever(node, Goodbye::Removed),
            },
            Hint::Run(_) | Hint::Node(_) | Hint::Audit => {}
        }
        Ok(())
    }
}
