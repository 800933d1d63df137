//! How many runs a node takes at once, and how many it has. In one order with the link's flags (SeqCst): who
//! gives a place back sees whether somebody waits for it, or that one sees the place.

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
        self.taken.load(Ordering::SeqCst) < self.most
    }

    /// Takes one, if one is free.
    pub(super) fn take(&self) -> bool {
        let next = |taken| (taken < self.most).then_some(taken + 1);
        self.taken.fetch_update(Ordering::SeqCst, Ordering::SeqCst, next).is_ok()
    }

    /// Takes all that are free; how many these were.
    pub(super) fn take_all(&self) -> u32 {
        self.most.saturating_sub(self.taken.swap(self.most, Ordering::SeqCst))
    }

    pub(super) fn give_back(&self, slots: u32) {
        let next = |taken: u32| Some(taken.saturating_sub(slots));
        let _ = self.taken.fetch_update(Ordering::SeqCst, Ordering::SeqCst, next);
    }

    /// Takes one, free or not: for a run that is the node's already.
    pub(super) fn take_more(&self) {
        self.taken.fetch_add(1, Ordering::SeqCst);
    }

    /// Runs of an earlier connection take places as well.
    pub(super) fn occupy(&self, slots: u32) {
        self.taken.store(slots.min(self.most), Ordering::SeqCst);
    }
}
