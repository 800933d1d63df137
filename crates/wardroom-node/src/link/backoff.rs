//! Waiting before the next try: exponential, with full jitter, so that a thousand nodes do not come back at once.

use std::time::Duration;

const FIRST: Duration = Duration::from_secs(1);
const MOST: Duration = Duration::from_secs(60);
/// A connection that held so long makes the next wait short again.
pub const STABLE: Duration = Duration::from_secs(60);

/// How long to wait.
#[derive(Debug, Default)]
pub struct Backoff {
    tries: u32,
}

impl Backoff {
    /// The wait before the next try; `random` is a random number.
    pub fn next(&mut self, random: u32) -> Duration {
        let most = FIRST.saturating_mul(1 << self.tries.min(6)).min(MOST);
        self.tries = self.tries.saturating_add(1);
        // Never quite zero: a server that refuses at once must not be asked in a tight loop.
        Duration::from_millis(100) + most.mul_f64(f64::from(random) / f64::from(u32::MAX))
    }

    /// The connection held.
    pub fn reset(&mut self) {
        self.tries = 0;
    }

    /// The next wait is of a middle length: nothing is broken, but nobody lets the node in yet.
    pub fn middle(&mut self) {
        self.tries = 4;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_bound_and_shrink_when_it_held() {
        let mut backoff = Backoff::default();
        let waits: Vec<Duration> = (0..10).map(|_| backoff.next(u32::MAX)).collect();
        assert!(waits.windows(2).all(|pair| pair.first() <= pair.last()));
        assert_eq!(waits.last(), Some(&(MOST + Duration::from_millis(100))));
        backoff.reset();
        assert!(backoff.next(u32::MAX) < Duration::from_secs(2));
    }
}
