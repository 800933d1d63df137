//! How much of what a node says may be recorded.

use std::time::Duration;
use wardroom_core::Timestamp;

/// Records that one link may cause by itself, within [`WINDOW`].
const RECORDS_MAX: u32 = 120;
/// The window.
const WINDOW: Duration = Duration::from_secs(60);

/// Counts the records of a link that no run and no person caused.
#[derive(Debug, Default)]
pub(super) struct Allowance {
    since: Option<Timestamp>,
    taken: u32,
}

impl Allowance {
    /// Takes one record; `false` when there were too many.
    pub(super) fn take(&mut self, now: Timestamp) -> bool {
        if self.since.is_none_or(|since| now.since(since) >= WINDOW) {
            *self = Self { since: Some(now), taken: 0 };
        }
        self.taken += 1;
        self.taken <= RECORDS_MAX
    }
}
