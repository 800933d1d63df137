//! How much one party may ask: buckets that fill evenly (GCRA), by address and by account or token.

use super::DoorRules;
use crate::error::ApiError;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use governor::{
    Quota, RateLimiter,
    clock::{Clock as _, MonotonicClock},
    middleware::StateInformationMiddleware,
    state::keyed::HashMapStateStore,
};
use std::{hash::Hash, net::IpAddr, num::NonZeroU32, time::Duration};
use uuid::Uuid;
use wardroom_wire::error::ErrorCode;

/// Parties that are known at the same time before those whose buckets are full again are forgotten.
const PARTIES_MAX: usize = 65_536;

type Limiter<K> = RateLimiter<K, HashMapStateStore<K>, MonotonicClock, StateInformationMiddleware>;

/// The buckets of one kind of party.
struct Buckets<K: Hash + Eq + Clone> {
    limiter: Limiter<K>,
    per_minute: NonZeroU32,
}

/// What is left to a party, for the headers of its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Left {
    limit: u32,
    remaining: u32,
    reset: u64,
}

impl Left {
    /// What is left where two limits hold: the tighter one.
    pub(crate) fn tighter(self, other: Option<Self>) -> Self {
        other.filter(|other| other.remaining < self.remaining).unwrap_or(self)
    }

    /// Tells it (draft-ietf-httpapi-ratelimit-headers-06 §3).
    pub(crate) fn write(self, headers: &mut HeaderMap) {
        for (name, value) in [
            ("ratelimit-limit", u64::from(self.limit)),
            ("ratelimit-remaining", u64::from(self.remaining)),
            ("ratelimit-reset", self.reset),
        ] {
            headers.insert(HeaderName::from_static(name), HeaderValue::from(value));
        }
    }
}

impl<K: Hash + Eq + Clone> Buckets<K> {
    fn new(per_minute: Option<u32>) -> Option<Self> {
        let per_minute = NonZeroU32::new(per_minute?)?;
        let (quota, states) = (Quota::per_minute(per_minute), HashMapStateStore::default());
        let limiter: Limiter<K> = RateLimiter::new(quota, states, MonotonicClock);
        Some(Self { limiter, per_minute })
    }

    fn take(&self, key: &K) -> Result<Left, ApiError> {
        if self.limiter.len() > PARTIES_MAX {
            self.limiter.retain_recent();
        }
        let limit = self.per_minute.get();
        let each = Duration::from_secs(60).div_f64(f64::from(limit));
        match self.limiter.check_key(key) {
            Ok(state) => {
                let remaining = state.remaining_burst_capacity();
                let missing = each.saturating_mul(limit.saturating_sub(remaining));
                Ok(Left { limit, remaining, reset: missing.as_secs() })
            }
            Err(not_until) => {
                let wait = not_until.wait_time_from(MonotonicClock.now());
                let seconds = wait.as_secs().saturating_add(1);
                Err(ApiError {
                    retry_after: Some(Duration::from_secs(seconds)),
                    ..ApiError::say(
                        ErrorCode::TooManyRequests,
                        format!("At most {limit} requests a minute: try again in {seconds} s."),
                    )
                })
            }
        }
    }
}

/// All limits.
pub(crate) struct Rates {
    addresses: Option<Buckets<IpAddr>>,
    principals: Option<Buckets<Uuid>>,
}

impl Rates {
    pub(crate) fn new(rules: &DoorRules) -> Self {
        Self {
            addresses: Buckets::new(rules.address_per_minute),
            principals: Buckets::new(rules.principal_per_minute),
        }
    }

    /// Counts a request of a network.
    pub(crate) fn address(&self, network: IpAddr) -> Result<Option<Left>, ApiError> {
        self.addresses.as_ref().map(|buckets| buckets.take(&network)).transpose()
    }

    /// Counts a request of an account or a token.
    pub(crate) fn principal(&self, party: Uuid) -> Result<Option<Left>, ApiError> {
        self.principals.as_ref().map(|buckets| buckets.take(&party)).transpose()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn each_party_has_its_bucket_and_is_told_when_it_is_empty() {
        let rules = DoorRules { address_per_minute: Some(3), ..DoorRules::default() };
        let rates = Rates::new(&rules);
        let [one, other] = [[192, 0, 2, 1], [192, 0, 2, 2]].map(IpAddr::from);
        let left: Vec<u32> =
            (0..3).map(|_| rates.address(one).unwrap().unwrap().remaining).collect();
        assert_eq!(left, [2, 1, 0]);
        let refused = rates.address(one).unwrap_err();
        assert_eq!(refused.code, ErrorCode::TooManyRequests);
        let wait = refused.retry_after.unwrap().as_secs();
        assert!((1..=21).contains(&wait), "{wait}");
        assert!(rates.address(other).is_ok());
        let none = DoorRules { address_per_minute: None, ..rules };
        assert_eq!(Rates::new(&none).address(one).unwrap(), None);
    }

    #[test]
    fn the_tighter_limit_is_told() {
        let left = |remaining| Left { limit: 9, remaining, reset: 1 };
        assert_eq!(left(5).tighter(Some(left(3))), left(3));
        assert_eq!(left(2).tighter(Some(left(3))), left(2));
        assert_eq!(left(2).tighter(None), left(2));
    }
}
