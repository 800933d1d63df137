//! What a request holds while it is asked: places that are given back, and word to the breaker.

use super::{Failure, Pace};
use crate::outbound::Admitted;
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
};
use uuid::Uuid;
use wardroom_core::Clock;

/// A party's place; given back when it is dropped.
pub(super) struct Share<'a> {
    pub(super) shares: &'a Mutex<HashMap<Uuid, u32>>,
    pub(super) party: Uuid,
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = shares.get_mut(&self.party) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                shares.remove(&self.party);
            }
        }
    }
}

/// A place in the queue.
pub(super) struct Waiting<'a>(&'a AtomicU32);

impl<'a> Waiting<'a> {
    /// One of `most`; nothing where all are taken.
    pub(super) fn new(count: &'a AtomicU32, most: u32) -> Option<Self> {
        let next = |waiting| (waiting < most).then_some(waiting + 1);
        let taken = count.fetch_update(Ordering::AcqRel, Ordering::Acquire, next);
        taken.is_ok().then_some(Self(count))
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Tells the breaker what came of a request, also when it was cut off.
pub(super) struct Watched<'a> {
    pub(super) admitted: Option<Admitted>,
    pub(super) clock: &'a dyn Clock,
    pub(super) pace: Arc<Pace>,
}

impl Watched<'_> {
    /// What came of it.
    pub(super) fn tell<T>(mut self, answer: &Result<T, Failure>) {
        let Some(admitted) = self.admitted.take() else { return };
        match answer {
            Err(failure) if failure.is_the_servers() => admitted.failed(self.clock.now()),
            // That nobody waited says nothing of the server.
            Err(
                Failure::Cancelled
                | Failure::NoSecret(_)
                | Failure::Internal(_)
                | Failure::Elsewhere(_)
                | Failure::Resting { .. }
                | Failure::NoToken(_)
                | Failure::NoAccount { .. },
            ) => drop(admitted),
            _ => admitted.succeeded(),
        }
    }
}

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        // That whoever asked took their time says nothing of the server.
        if let Some(admitted) = self.admitted.take()
            && !self.pace.has_waited()
        {
            admitted.failed(self.clock.now());
        }
    }
}
