//! A place for a run among those that this orchestrator carries on: taken before anybody knows of it, so that whoever stops
//! the run finds it.

use super::Here;
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};
use tokio_util::sync::CancellationToken;
use wardroom_core::RunId;

/// Runs that one orchestrator carries on at the same time.
pub const RUNS_MAX: usize = 4096;

/// What a model is saying at the moment. Only the orchestrator that asked it knows: what counts is what is written down when
/// it has said it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Saying {
    /// The number of the entry that it answers.
    pub step: u32,
    /// As much as it said.
    pub text: String,
}

/// How a run that has a place is reached.
#[derive(Clone)]
pub(super) struct Seat {
    /// Goes off when the run is to stop here.
    pub(super) halt: CancellationToken,
    /// Where it is told what its model says.
    pub(super) saying: watch::Sender<Saying>,
}

type Taken = HashMap<RunId, (u64, Seat)>;

/// The places, and what stops each run that has one.
pub(super) struct Places {
    free: Arc<Semaphore>,
    taken: Arc<Mutex<Taken>>,
    given_back: Arc<Notify>,
    next: AtomicU64,
    /// Goes off when the orchestrator stops.
    pub(super) leaving: CancellationToken,
}

impl Default for Places {
    fn default() -> Self {
        Self {
            free: Arc::new(Semaphore::new(RUNS_MAX)),
            taken: Arc::default(),
            given_back: Arc::default(),
            next: AtomicU64::new(0),
            leaving: CancellationToken::new(),
        }
    }
}

/// A place; given back when it is dropped.
pub(super) struct Place {
    run: RunId,
    number: u64,
    taken: Arc<Mutex<Taken>>,
    given_back: Arc<Notify>,
    pub(super) seat: Seat,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        // Somebody may have taken the run up again meanwhile: that place is theirs.
        if taken.get(&self.run).is_some_and(|(number, _)| *number == self.number) {
            taken.remove(&self.run);
        }
        drop(taken);
        self.given_back.notify_one();
    }
}

impl Places {
    fn taken(&self) -> std::sync::MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many are taken.
    pub(super) fn len(&self) -> usize {
        RUNS_MAX.saturating_sub(self.free.available_permits())
    }

    /// No place is given any more, and all runs are to stop here.
    pub(super) fn close(&self) {
        self.free.close();
        self.leaving.cancel();
    }

    /// Waits until a place was given back.
    pub(super) async fn given_back(&self) {
        self.given_back.notified().await;
    }
}

impl Here {
    /// A place for a run, where there is one and agents work here.
    pub(super) fn place(&self, run: RunId) -> Option<Place> {
        self.employment.get()?;
        let permit = Arc::clone(&self.places.free).try_acquire_owned().ok()?;
        let seat = Seat {
            halt: self.places.leaving.child_token(),
            saying: watch::Sender::new(Saying::default()),
        };
        let number = self.places.next.fetch_add(1, Ordering::Relaxed);
        self.places.taken().insert(run, (number, seat.clone()));
        let (taken, given_back) =
            (Arc::clone(&self.places.taken), Arc::clone(&self.places.given_back));
        Some(Place { run, number, taken, given_back, seat, _permit: permit })
    }

    /// Stops a run, where it is carried on here.
    pub(crate) fn halt(&self, run: RunId) {
        if let Some((_, seat)) = self.places.taken().get(&run) {
            seat.halt.cancel();
        }
    }

    /// What the model of a run says, where it is carried on here. It ends when the run is left.
    pub(crate) fn saying(&self, run: RunId) -> Option<watch::Receiver<Saying>> {
        self.places.taken().get(&run).map(|(_, seat)| seat.saying.subscribe())
    }
}
