//! Where an agent stops.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where one run of an agent stops, whatever it wants. What it starts counts as its own.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// How long it may take, in seconds; the time that a person takes to answer is not counted.
    #[schemars(range(min = 1, max = 86_400))]
    pub seconds_max: u32,
    /// How often models are asked.
    #[schemars(range(min = 1, max = 1000))]
    pub steps_max: u32,
    /// How many tools are called.
    #[schemars(range(min = 0, max = 10_000))]
    pub tool_calls_max: u32,
    /// How many of them at the same time.
    #[schemars(range(min = 1, max = 32))]
    pub parallel_max: u32,
    /// Tokens that go to models and come from them.
    #[schemars(range(min = 1, max = 100_000_000))]
    pub tokens_max: u64,
    /// What models may cost, in US dollars.
    #[schemars(range(min = 0.0, max = 10_000.0))]
    pub cost_usd_max: f64,
    /// How far agents that start agents may go.
    #[schemars(range(min = 0, max = 8))]
    pub depth_max: u32,
    /// How often the very same call may be made before the run counts as one that goes round in circles.
    #[schemars(range(min = 1, max = 100))]
    pub repeats_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            seconds_max: 600,
            steps_max: 50,
            tool_calls_max: 100,
            parallel_max: 4,
            tokens_max: 200_000,
            cost_usd_max: 1.0,
            depth_max: 3,
            repeats_max: 5,
        }
    }
}

impl Limits {
    /// What models may cost, in millionths of a US dollar.
    pub fn cost_micros_max(&self) -> u64 {
        let micros = (self.cost_usd_max * 1e6).round();
        if micros.is_finite() && micros > 0.0 { micros as u64 } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_counted_in_whole_millionths() {
        let of = |cost_usd_max| Limits { cost_usd_max, ..Limits::default() }.cost_micros_max();
        assert_eq!(of(1.0), 1_000_000);
        assert_eq!(of(0.1 + 0.2), 300_000);
        assert_eq!((of(0.0), of(-1.0), of(f64::NAN)), (0, 0, 0));
    }
}
