//! A circuit breaker: whoever fails again and again is left alone for a while, so that nobody waits for it.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use wardroom_core::Timestamp;

/// When a breaker opens, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct BreakerRules {
    /// Failures in a row that open it.
    pub failures_max: u32,
    /// How long it stays open before one request may try.
    pub open_for: Duration,
    /// Successes in a row that close it again.
    pub successes_min: u32,
}

impl Default for BreakerRules {
    fn default() -> Self {
        Self { failures_max: 5, open_for: Duration::from_secs(30), successes_min: 1 }
    }
}

/// Where a breaker stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakerState {
    /// Requests go through.
    Closed,
    /// None does until this time.
    Open(Timestamp),
    /// One at a time tries.
    HalfOpen,
}

impl BreakerState {
    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open(_) => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

#[derive(Debug)]
struct Inner {
    state: BreakerState,
    failures: u32,
    successes: u32,
    trying: bool,
}

/// A circuit breaker.
#[derive(Debug)]
pub struct Breaker {
    rules: BreakerRules,
    inner: Arc<Mutex<Inner>>,
}

/// A request may go. Whoever has it says what came of it, or drops it: then it tells nothing.
#[derive(Debug)]
pub struct Admitted {
    rules: BreakerRules,
    inner: Arc<Mutex<Inner>>,
    probe: bool,
}

impl Breaker {
    /// A closed one.
    pub fn new(rules: BreakerRules) -> Self {
        let state = BreakerState::Closed;
        let inner = Inner { state, failures: 0, successes: 0, trying: false };
        Self { rules, inner: Arc::new(Mutex::new(inner)) }
    }

    /// Where it stands.
    pub fn state(&self, now: Timestamp) -> BreakerState {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        match inner.state {
            BreakerState::Open(until) if now >= until => BreakerState::HalfOpen,
            state => state,
        }
    }

    /// Whether a request may go; if not, after how long one may try again.
    pub fn admit(&self, now: Timestamp) -> Result<Admitted, Duration> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if let BreakerState::Open(until) = inner.state {
            if now < until {
                return Err(until.since(now));
            }
            inner.state = BreakerState::HalfOpen;
            inner.successes = 0;
        }
        let probe = inner.state == BreakerState::HalfOpen;
        if probe && std::mem::replace(&mut inner.trying, true) {
            return Err(self.rules.open_for.min(Duration::from_secs(1)));
        }
        Ok(Admitted { rules: self.rules, inner: Arc::clone(&self.inner), probe })
    }

    /// Lets requests through again, whatever happened.
    pub fn reset(&self) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        *inner = Inner { state: BreakerState::Closed, failures: 0, successes: 0, trying: false };
    }
}

impl Admitted {
    /// Whether it tries out whether the server is there again.
    pub fn is_probe(&self) -> bool {
        self.probe
    }

    /// The server answered.
    pub fn succeeded(self) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.failures = 0;
        if self.probe && inner.state == BreakerState::HalfOpen {
            inner.successes += 1;
            if inner.successes >= self.rules.successes_min {
                inner.state = BreakerState::Closed;
            }
        }
    }

    /// It did not.
    pub fn failed(self, now: Timestamp) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.failures = inner.failures.saturating_add(1);
        if self.probe || inner.failures >= self.rules.failures_max {
            inner.state = BreakerState::Open(now.plus(self.rules.open_for));
            inner.failures = 0;
        }
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        if self.probe {
            let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
            inner.trying = false;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_micros(second * 1_000_000)
    }

    #[test]
    fn it_opens_after_failures_tries_once_and_closes_after_a_success() {
        let rules =
            BreakerRules { failures_max: 2, open_for: Duration::from_secs(10), successes_min: 2 };
        let breaker = Breaker::new(rules);
        breaker.admit(at(0)).unwrap().failed(at(0));
        breaker.admit(at(0)).unwrap().succeeded();
        breaker.admit(at(1)).unwrap().failed(at(1));
        assert_eq!(breaker.state(at(1)), BreakerState::Closed, "a success between them counts");
        breaker.admit(at(1)).unwrap().failed(at(1));
        assert_eq!(breaker.state(at(1)), BreakerState::Open(at(11)));
        assert_eq!(breaker.admit(at(6)).unwrap_err(), Duration::from_secs(5));
        assert_eq!(breaker.state(at(11)), BreakerState::HalfOpen);
        let probe = breaker.admit(at(11)).unwrap();
        assert!(breaker.admit(at(11)).is_err(), "one at a time");
        probe.failed(at(12));
        assert_eq!(breaker.state(at(12)), BreakerState::Open(at(22)));
        drop(breaker.admit(at(22)).unwrap());
        breaker.admit(at(22)).unwrap().succeeded();
        assert_eq!(breaker.state(at(22)), BreakerState::HalfOpen, "one of two");
        breaker.admit(at(22)).unwrap().succeeded();
        assert_eq!(breaker.state(at(22)), BreakerState::Closed);
        breaker.admit(at(23)).unwrap().failed(at(23));
        breaker.admit(at(23)).unwrap().failed(at(23));
        breaker.reset();
        assert!(breaker.admit(at(23)).is_ok());
    }
}
