//! The machine's clock, held against the time that has passed.

use crate::{Engine, EngineError};
use std::time::{Duration, Instant};
use wardroom_core::{Timestamp, audit::AuditOutcome, watch::alert::CLOCK_JUMP};

/// When the clock was looked at, by itself and by what has passed.
pub(crate) struct Watched {
    said: Timestamp,
    at: Instant,
}

impl Watched {
    /// From now on.
    pub(crate) fn new(said: Timestamp) -> Self {
        Self { said, at: Instant::now() }
    }

    /// By how much the clock jumped since the last look: forwards or backwards.
    fn jump(&mut self, said: Timestamp, at: Instant) -> Option<(Duration, bool)> {
        let passed = at.saturating_duration_since(self.at);
        let expected = self.said.plus(passed);
        *self = Self { said, at };
        let (by, forwards) = if said >= expected {
            (said.since(expected), true)
        } else {
            (expected.since(said), false)
        };
        (by >= CLOCK_JUMP).then_some((by, forwards))
    }
}

impl Engine {
    /// Records that the clock jumped, if it did.
    pub(crate) async fn watch_clock(&self, watched: &mut Watched) -> Result<(), EngineError> {
        let Some((by, forwards)) = watched.jump(self.now(), Instant::now()) else { return Ok(()) };
        let direction = if forwards { "forwards" } else { "backwards" };
        let why = format!("the machine's clock jumped {direction} by {} s", by.as_secs());
        tracing::warn!("{why}");
        let audit = self.own_record("clock.jumped").on("clock").outcome(AuditOutcome::Failed, why);
        Ok(self.record(audit).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_that_passes_is_no_jump_and_a_jump_is() {
        let (said, at) = (Timestamp::from_micros(1_000_000_000_000), Instant::now());
        let mut watched = Watched { said, at };
        let (hour, later) = (Duration::from_secs(3600), at + Duration::from_secs(600));
        let expected = said.plus(Duration::from_secs(610));
        assert_eq!(watched.jump(expected, later), None, "a machine that was busy");
        assert_eq!(watched.jump(expected.plus(hour), later), Some((hour, true)));
        assert_eq!(watched.jump(expected, later), Some((hour, false)));
        assert_eq!(watched.jump(expected, later), None, "told once");
    }
}
