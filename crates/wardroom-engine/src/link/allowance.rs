//! How much of what a node does may be recorded.

use std::time::Duration;
use wardroom_core::Timestamp;

/// Records that one link may cause by itself, within [`WINDOW`].
pub(super) const RECORDS_MAX: u32 = 120;
/// Links that one node may open, within [`WINDOW`]. A node that waits between its tries as it should opens ten.
pub(super) const OPENINGS_MAX: u32 = 30;
/// The window.
const WINDOW: Duration = Duration::from_secs(60);

/// Counts what a node causes that no run and no person did.
#[derive(Debug, Default)]
pub(crate) struct Allowance {
    since: Option<Timestamp>,
    taken: u32,
}

impl Allowance {
    /// Takes one of `most`; `false` when there were too many.
    pub(super) fn take(&mut self, most: u32, now: Timestamp) -> bool {
        if self.since.is_none_or(|since| now.since(since) >= WINDOW) {
            *self = Self { since: Some(now), taken: 0 };
        }
        self.taken = self.taken.saturating_add(1);
        self.taken <= most
    }
}
