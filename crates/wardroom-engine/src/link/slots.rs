//! How many runs a node takes at once, and how many it has.

use std::sync::atomic::{AtomicU32, Ordering};

/// A node's places for runs.
#[derive(Debug)]
pub(super) struct Slots {
    most: u32,
    taken: AtomicU32,
}

impl Slots {
    pub(super) const fn new(most: u32) -> Self {
        Self { most, taken: AtomicU32::new(0) }
    }

    pub(super) fn any_free(&self) -> bool {
        self.taken.load(Ordering::Acquire) < self.most
    }

    /// Takes one, if one is free.
    pub(super) fn take(&self) -> bool {
        let next = |taken| (taken < self.most).then_some(taken + 1);
        self.taken.fetch_update(Ordering::AcqRel, Ordering::Acquire, next).is_ok()
    }

    /// Takes all that are free; how many these were.
    pub(super) fn take_all(&self) -> u32 {
        self.most.saturating_sub(self.taken.swap(self.most, Ordering::AcqRel))
    }

    pub(super) fn give_back(&self, slots: u32) {
        let next = |taken: u32| Some(taken.saturating_sub(slots));
        let _ = self.taken.fetch_update(Ordering::AcqRel, Ordering::Acquire, next);
    }

    /// Runs of an earlier connection take places as well.
    pub(super) fn occupy(&self, slots: u32) {
        self.taken.store(slots.min(self.most), Ordering::Release);
    }
}
