//! Runs are taken up: those that begin here, those that wait, and those that somebody else left.

use super::{
    book::Book,
    deputy::Deputies,
    driver::Worker,
    place::{Place, RUNS_MAX, Saying, Seat},
};
use crate::{Engine, EngineError};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;
use wardroom_core::{
    RunId,
    agent::Agent,
    change::{Change, Write},
    hint::Hint,
    run::{Event, LEASE_HERE, Run},
    steps::JournalWrite,
    store::StoreError,
};
use wardroom_gateway::door::Gateway;

/// Runs that are read at a time.
const TOGETHER_MAX: u32 = 64;
/// How soon it is looked again for what waits, where no hint comes.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// How long runs have to come to a place where they can be left, when the orchestrator stops.
const LEAVING_MAX: Duration = Duration::from_secs(8);
/// The pause before a run that could not be carried on is given back.
const GIVE_BACK_PAUSE: Duration = Duration::from_secs(1);

/// What agents work with.
pub struct Employment {
    /// By which they reach tools.
    pub gateway: Arc<Gateway>,
    /// Who acts for whom.
    pub deputies: Arc<dyn Deputies>,
    /// Whether no other orchestrator can be there: what runs hold from before is nobody's.
    pub alone: bool,
}

/// A run that this orchestrator has.
pub(super) struct Taken {
    pub(super) run: Run,
    /// What is known of it where it begins here.
    pub(super) employed: Option<Employed>,
    pub(super) place: Place,
}

/// Who works, and the journal.
pub(super) struct Employed {
    pub(super) agent: Arc<Agent>,
    pub(super) book: Book,
}

impl Engine {
    /// Carries runs of agents on until `stop`. Call once.
    pub async fn work_agents(self: Arc<Self>, employment: Employment, stop: CancellationToken) {
        let alone = employment.alone;
        if self.here.employment.set(employment).is_err() {
            tracing::error!("agents are at work here already");
            return;
        }
        // By itself: whatever takes long here, nobody else takes these runs for lost.
        let holding = tokio::spawn(Arc::clone(&self).keep_hold());
        let mut freed = !alone;
        loop {
            if !freed {
                freed = note("runs of before", self.free_held().await);
            }
            let more = match self.take_queued().await {
                Ok(more) => more,
                Err(error) => !note("waiting runs of agents", Err(error)),
            };
            let pause = if more { Duration::ZERO } else { LOOK_AGAIN };
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = self.here.queued.notified(), if !more => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
        self.leave_all().await;
        holding.abort();
    }

    async fn keep_hold(self: Arc<Self>) {
        let mut beat = interval(LEASE_HERE / 3);
        beat.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            beat.tick().await;
            note("claims of runs", self.hold().await);
        }
    }

    /// Leaves what is carried on here for whoever comes next.
    async fn leave_all(&self) {
        self.here.places.close();
        let left = async {
            while self.here.places.len() > 0 {
                self.here.places.given_back().await;
            }
        };
        if tokio::time::timeout(LEAVING_MAX, left).await.is_err() {
            tracing::warn!("runs of agents were left in the middle; they go on by their journals");
        }
    }

    /// Nobody holds what an orchestrator of before held.
    async fn free_held(&self) -> Result<(), EngineError> {
        loop {
            let held = self.store.list_held_here(self.here.id, TOGETHER_MAX).await?;
            if held.is_empty() {
                return Ok(());
            }
            for run in held {
                let gone = Event::HolderGone { fence: run.fence };
                let audit = self.own_record(gone.as_str());
                match self.happen(run.id, &gone, audit).await {
                    Ok((run, effects)) => self.follow(&run, &effects).await?,
                    Err(EngineError::RunState(_)) => {}
                    Err(error) => return Err(error),
                }
            }
        }
    }

    /// Says that this orchestrator is there.
    async fn hold(&self) -> Result<(), EngineError> {
        let until = self.now().plus(LEASE_HERE);
        let hold = JournalWrite::Hold { holder: self.here.id, until };
        Ok(self.commit(Change::default().write(Write::Journal(hold))).await?)
    }

    /// Takes up some of what waits; whether there may be more.
    async fn take_queued(self: &Arc<Self>) -> Result<bool, EngineError> {
        let mut taken = false;
        for run in self.store.list_queued_here(TOGETHER_MAX).await? {
            let Some(place) = self.here.place(run.id) else { return Ok(false) };
            let Ok(next) = self.take(&run) else { continue };
            let audit = self.own_record(self.taking().as_str());
            let audit = audit.detail("orchestrator", self.here.id);
            let change = Change::recorded(crate::runs::describe(audit, &next))
                .write(Write::UpdateRun(Box::new(next.clone())))
                .hint(Hint::Run(next.id));
            match self.commit(change).await {
                Ok(()) => {
                    taken = true;
                    self.employ(Taken { run: next, employed: None, place });
                }
                // Somebody else was faster, or it was stopped.
                Err(StoreError::Conflict(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(taken)
    }

    /// Carries a run on.
    pub(super) fn employ(self: &Arc<Self>, taken: Taken) {
        let run = taken.run.clone();
        let engine = Arc::clone(self);
        tokio::spawn(async move {
            let at_work = Arc::clone(&engine);
            let Taken { run: begun, employed, place } = taken;
            let seat = place.seat.clone();
            let work = tokio::spawn(async move { at_work.carry_on(begun, employed, seat).await });
            match work.await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => engine.give_back(&run, &error).await,
                Err(error) => {
                    engine.give_back(&run, &EngineError::Journal(error.to_string())).await;
                }
            }
            drop(place);
            engine.here.wake();
        });
    }

    async fn carry_on(
        self: &Arc<Self>,
        run: Run,
        employed: Option<Employed>,
        seat: Seat,
    ) -> Result<(), EngineError> {
        let employed = match employed {
            Some(employed) => employed,
            None => match self.employed(&run).await? {
                Some(employed) => employed,
                None => {
                    let why = "the agent is not there any more";
                    return self.break_off(run.id, run.fence, why).await;
                }
            },
        };
        Worker::new(self, run, employed, seat).carry_on().await
    }

    /// What is known of a run that somebody began.
    async fn employed(&self, run: &Run) -> Result<Option<Employed>, EngineError> {
        let version = run.work.as_ref().map_or(0, |work| work.version);
        let agent = self.store.lookup_agent_version(&run.command, version).await?;
        let Some(agent) = agent.filter(|agent| agent.version.digest == run.command_digest) else {
            return Ok(None);
        };
        let limits = agent.definition.limits;
        let limits = run.work.as_ref().map_or(limits, |work| work.bound(limits));
        let book = Book::read(self, run, limits).await?;
        Ok(Some(Employed { agent: Arc::new(agent), book }))
    }

    /// Gives a run back that can't be carried on at the moment; ends one that can't be at all.
    async fn give_back(&self, run: &Run, error: &EngineError) {
        // Somebody else has it, or it is over.
        if matches!(error, EngineError::RunState(_)) {
            return;
        }
        tracing::warn!(run = %run.id, %error, "a run of an agent could not be carried on");
        // What the store can't do now it can do later; whatever else is wrong stays so.
        let for_good = !matches!(
            error,
            EngineError::Conflict
                | EngineError::Store(
                    StoreError::Unavailable(_)
                        | StoreError::Transient(_)
                        | StoreError::Full(_)
                        | StoreError::Other(_)
                )
        );
        loop {
            tokio::time::sleep(GIVE_BACK_PAUSE).await;
            let outcome = if for_good {
                self.break_off(run.id, run.fence, &error.to_string()).await
            } else {
                let gone = Event::HolderGone { fence: run.fence };
                let audit = self.own_record(gone.as_str());
                match self.happen(run.id, &gone, audit).await {
                    Ok((run, effects)) => self.follow(&run, &effects).await,
                    Err(error) => Err(error),
                }
            };
            match outcome {
                Ok(()) | Err(EngineError::RunState(_) | EngineError::NotFound(_)) => return,
                Err(error) => {
                    tracing::warn!(run = %run.id, %error, "it could not be given back; it is tried again");
                }
            }
        }
    }

    /// Ends a run that can't go on.
    async fn break_off(&self, run: RunId, fence: i64, why: &str) -> Result<(), EngineError> {
        use wardroom_core::run::{End, Outcome};
        let outcome = Outcome::without_process(End::Interrupted, why);
        let event = Event::Ended { fence, started_at: None, outcome };
        let (run, effects) = self.happen(run, &event, self.own_record(event.as_str())).await?;
        self.follow(&run, &effects).await
    }

    /// What the model of a run says at the moment, where the run is carried on here; it ends when the run is left.
    pub fn saying(&self, run: RunId) -> Option<watch::Receiver<Saying>> {
        self.here.saying(run)
    }

    /// Runs that this orchestrator carries on, and as many as it can.
    pub fn agents_at_work(&self) -> (usize, usize) {
        (self.here.places.len(), RUNS_MAX)
    }
}

/// Whether it came through.
fn note(part: &str, outcome: Result<(), EngineError>) -> bool {
    if let Err(error) = &outcome {
        tracing::warn!(part, %error, "this part of the work of agents did not come through; it is tried again");
    }
    outcome.is_ok()
}
