//! Who is asked next when a model could not answer: the same once more, after a pause, or the next in the chain.

use super::{ModelFailure, ModelFailureKind};
use std::time::Duration;

/// The longest pause, unless the provider itself asks for a longer one.
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// A chain of models, and how far it was gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Course {
    /// How many there are.
    length: usize,
    /// How often each is asked in all.
    attempts_max: u32,
    /// The pause before the second attempt.
    backoff: Duration,
    /// Which is asked.
    at: usize,
    /// Failures of this one.
    failures: u32,
}

/// What is done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Next {
    /// Which one of the chain is asked.
    pub at: usize,
    /// After which pause.
    pub pause: Duration,
}

impl Course {
    /// The beginning of a chain of this length.
    pub const fn new(length: usize, attempts_max: u32, backoff: Duration) -> Self {
        Self { length, attempts_max, backoff, at: 0, failures: 0 }
    }

    /// The same from this one on.
    #[must_use]
    pub const fn from(self, at: usize) -> Self {
        Self { at, ..self }
    }

    /// Which one is asked.
    pub const fn at(&self) -> usize {
        self.at
    }

    /// What is done after a failure; nothing when that is the end. `spread` is a random number from 0 to 1: all who fail
    /// at once must not come back at once.
    pub fn next(&mut self, failure: &ModelFailure, spread: f64) -> Option<Next> {
        self.failures += 1;
        let again = failure.kind.is_passing() && failure.kind != ModelFailureKind::Resting;
        if again && self.failures < self.attempts_max {
            let factor = 1_u32 << (self.failures - 1).min(16);
            let whole = self.backoff.saturating_mul(factor).min(PAUSE_MAX);
            let pause = whole.mul_f64(0.5 + spread.clamp(0.0, 1.0) / 2.0);
            // One who says when to come back is not asked before.
            let pause = failure.retry_after.map_or(pause, |wait| wait.max(pause));
            return Some(Next { at: self.at, pause });
        }
        if !failure.kind.is_of_provider() || self.at + 1 >= self.length {
            return None;
        }
        self.at += 1;
        self.failures = 0;
        Some(Next { at: self.at, pause: Duration::ZERO })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ModelFailureKind as Kind;

    fn failure(kind: Kind, retry_after: Option<u64>) -> ModelFailure {
        let retry_after = retry_after.map(Duration::from_millis);
        ModelFailure { kind, detail: String::new(), retry_after }
    }

    fn course(length: usize, kinds: &[(Kind, Option<u64>)]) -> Vec<Option<(usize, u64)>> {
        let mut course = Course::new(length, 3, Duration::from_millis(100));
        kinds
            .iter()
            .map(|(kind, wait)| {
                let next = course.next(&failure(*kind, *wait), 1.0);
                next.map(|next| (next.at, next.pause.as_millis() as u64))
            })
            .collect()
    }

    #[test]
    fn what_passes_is_tried_again_and_then_the_next_one() {
        let busy = (Kind::Unavailable, None);
        assert_eq!(
            course(2, &[busy; 6]),
            [Some((0, 100)), Some((0, 200)), Some((1, 0)), Some((1, 100)), Some((1, 200)), None]
        );
        let told = (Kind::RateLimited, Some(700));
        assert_eq!(course(1, &[told, busy, told]), [Some((0, 700)), Some((0, 200)), None]);
    }

    #[test]
    fn what_does_not_pass_goes_on_at_once_and_what_is_nobodys_fault_ends_it() {
        let of = |kind| course(2, &[(kind, None), (kind, None)]);
        for kind in [Kind::Unauthorised, Kind::OutOfFunds, Kind::NoSuchModel, Kind::Resting] {
            assert_eq!(of(kind), [Some((1, 0)), None], "{kind}");
        }
        for kind in [Kind::Invalid, Kind::ContextTooLong, Kind::Refused, Kind::Cancelled] {
            assert_eq!(of(kind).first(), Some(&None), "{kind}");
        }
    }

    #[test]
    fn pauses_differ_and_have_a_bound() {
        let mut course = Course::new(1, 40, Duration::from_secs(1));
        let busy = failure(Kind::Unavailable, None);
        let pauses: Vec<_> = (0..39).filter_map(|_| course.next(&busy, 0.0)).collect();
        assert_eq!(pauses.len(), 39);
        assert!(pauses.iter().all(|next| next.pause <= PAUSE_MAX / 2));
    }
}
