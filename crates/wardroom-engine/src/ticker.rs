//! What time brings: lapsed leases, deadlines, due retries, parents to settle, checkpoints.

use crate::{Engine, EngineError, link::Goodbye, watch::Watched};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;
use wardroom_core::{
    Timestamp,
    change::{Change, Write},
    hint::Hint,
    run::{self, Event, Run, RunState, Target},
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
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        // What an earlier process left half done is taken up before the first tick, and until it comes through.
        let mut erased = self.take_up_erasures().await;
        let indexing = tokio::spawn(Arc::clone(&self).index_customers(stop.clone()));
        let mut swept: Option<Instant> = None;
        let mut watched = Watched::new(self.now());
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                _ = tick.tick() => {}
            }
            note("the clock", self.watch_clock(&mut watched).await);
            // By time that passes, whatever the machine's clock says.
            let sweep = swept.is_none_or(|swept| swept.elapsed() >= SWEEP);
            if sweep {
                swept = Some(Instant::now());
            }
            if sweep && !erased {
                erased = self.take_up_erasures().await;
            }
            self.tick(sweep).await;
        }
        self.close_links();
        let _ = hints.await;
        let _ = indexing.await;
        if let Err(error) = self.seal_audit().await {
            tracing::warn!(%error, "the last audit records were not signed; the next start signs them");
        }
    }

    /// Whether every erasure that an earlier process began is at its end.
    async fn take_up_erasures(&self) -> bool {
        let people = self.finish_erasures().await;
        let customers = self.finish_customer_erasures().await;
        // Once for all of them: other orchestrators may have read keys before they were destroyed.
        let told = self.commit(Change::default().hint(Hint::People)).await;
        let done = people.is_ok() && customers.is_ok() && told.is_ok();
        note("erasures", people);
        note("erasures of customers", customers);
        note("word of erasures", told.map_err(EngineError::from));
        done
    }

    /// Each part by itself: what keeps one from coming through must not keep the others.
    async fn tick(&self, sweep: bool) {
        note("due runs", self.follow_clock().await);
        note("the audit log", self.seal_audit().await);
        note("settled requests", self.settle_requests().await);
        note("alerts", self.watch_audit().await);
        if sweep {
            // First: another orchestrator signs by a new key soon, whatever takes long here.
            note("keys that sign tokens", self.renew_token_keys().await);
            note("ended sessions", self.forget_expired().await);
            note("runs of removed nodes", self.end_orphaned().await);
            note("runs of cancelled requests", self.stop_unwanted().await);
            note("approvals", self.tidy_approvals().await);
            note("agents that wait", self.wake_due().await);
            note("agents that wait for long", self.watch_waiting().await);
            note("questions to models", self.tidy_models().await);
            note("budgets", self.watch_budgets().await);
            note("stops", self.repeat_stops().await);
            note("customers", self.reindex_stale().await);
            note("erasures", self.finish_begun_erasures().await);
            note("reminders of secrets", self.remind_of_secrets().await);
            note("renewal of the key", self.reseal().await);
            note("renewal of people's keys", self.renew_people().await);
            note("waiting runs", self.wake_awaited().await);
        }
    }

    /// Builds the index of customers; where that does not come through, again and again.
    async fn index_customers(self: Arc<Self>, stop: CancellationToken) {
        while let Err(error) = self.build_customer_index().await {
            tracing::warn!(%error, "the index of customers could not be built; it is tried again");
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(SWEEP) => {}
            }
        }
    }

    async fn follow_clock(&self) -> Result<(), EngineError> {
        let now = self.now();
        // The orchestrator was away itself: nodes get a lease's time to come back.
        let back = now.since(self.started_at) >= run::LEASE;
        let lapsed_by = if back { now } else { Timestamp::from_micros(0) };
        for run in self.store.list_due(now, lapsed_by, DUE_MAX).await? {
            match self.time_tells(&run).await {
                Ok(()) | Err(EngineError::RunState(_) | EngineError::Conflict) => {}
                Err(error) => {
                    tracing::warn!(run = %run.id, %error, "a due run could not be brought on; it is tried again");
                }
            }
        }
        Ok(())
    }

    /// Applies to `run` what time has to say.
    async fn time_tells(&self, run: &Run) -> Result<(), EngineError> {
        let now = self.now();
        let event = if matches!(run.target, Target::AllOf { .. }) {
            return self.settle_parent(run.id).await;
        } else if run.waits_since.is_some() || run.deadline.is_some_and(|deadline| now >= deadline)
        {
            Event::DeadlinePassed
        } else if run.state == RunState::Retrying {
            Event::RetryDue
        } else {
            Event::LeaseLapsed { fence: run.fence }
        };
        let audit = self.own_record(event.as_str());
        let (run, effects) = self.happen(run.id, &event, audit).await?;
        self.follow(&run, &effects).await
    }

    async fn forget_expired(&self) -> Result<(), EngineError> {
        let now = self.now();
        Ok(self.commit(Change::default().write(Write::RemoveExpired(now))).await?)
    }

    /// Wakes links for runs that wait although no hint came: it was lost, or its process died.
    pub(crate) async fn wake_awaited(&self) -> Result<(), EngineError> {
        for node in self.store.list_awaited_nodes(self.now()).await? {
            if let Some(link) = self.links.get(node) {
                link.wake();
            }
        }
        Ok(())
    }

    /// Hints may have been lost: looks at all that they could have told.
    async fn resync(&self) -> Result<(), EngineError> {
        self.vault.forget_all();
        self.wake_awaited().await?;
        self.repeat_stops().await?;
        for link in self.links.all() {
            self.heed(Hint::Sever(link.node())).await?;
        }
        self.build_customer_index().await
    }

    async fn follow_hints(self: Arc<Self>, stop: CancellationToken) {
        let mut hints = self.hub.listen();
        loop {
            let hint = tokio::select! {
                () = stop.cancelled() => return,
                hint = hints.recv() => hint,
            };
            let heeded = match hint {
                Ok(Hint::Resync) | Err(RecvError::Lagged(_)) => self.resync().await,
                Ok(hint) => self.heed(hint).await,
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
            Hint::Person(person) => self.vault.forget(person),
            Hint::People => self.vault.forget_all(),
            Hint::Customer(id) => self.reindex_or_later(id).await?,
            Hint::Here => self.here.wake(),
            Hint::Halt(run) => self.here.halt(run),
            Hint::Approval(id) => self.wake_awaiting(id.uuid()).await?,
            Hint::Run(_)
            | Hint::Node(_)
            | Hint::Request(_)
            | Hint::Services
            | Hint::Tools
            | Hint::Blocks
            | Hint::Policy
            | Hint::Audit
            | Hint::Resync => {}
        }
        Ok(())
    }
}

fn note(part: &str, outcome: Result<(), EngineError>) {
    if let Err(error) = outcome {
        tracing::warn!(part, %error, "this part of a tick did not come through; the next one tries again");
    }
}
