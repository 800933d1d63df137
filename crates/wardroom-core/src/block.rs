//! Networks that are turned away for a while.

use crate::Timestamp;
use std::time::Duration;

/// How long a block is remembered after its end, so that whoever begins anew is blocked for longer.
pub const BLOCK_MEMORY: Duration = Duration::from_secs(24 * 3600);
/// The longest block.
pub const BLOCK_TTL_MAX: Duration = Duration::from_secs(24 * 3600);

/// A network that is turned away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The network, as an address or with its prefix length: `192.0.2.7`, `2001:db8::/64`.
    pub network: String,
    /// Why, for people.
    pub reason: String,
    /// How often it was blocked within [`BLOCK_MEMORY`].
    pub times: u32,
    /// When it was blocked.
    pub created_at: Timestamp,
    /// Until when.
    pub until: Timestamp,
}

impl Block {
    /// How long a network is blocked for the `times`th time: twice as long each time, up to a bound.
    pub fn backoff(first: Duration, times: u32) -> Duration {
        let factor = 2_u32.saturating_pow(times.saturating_sub(1).min(16));
        first.saturating_mul(factor).min(BLOCK_TTL_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_time_is_twice_as_long_up_to_a_day() {
        let first = Duration::from_secs(900);
        let minutes = |times| Block::backoff(first, times).as_secs() / 60;
        assert_eq!([minutes(1), minutes(2), minutes(3), minutes(20)], [15, 30, 60, 1440]);
    }
}
