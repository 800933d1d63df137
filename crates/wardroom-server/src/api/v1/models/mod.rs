//! `/api/v1/models`, `/api/v1/model-calls`, `/api/v1/model-usage`

pub(crate) mod calls;
pub(crate) mod list;
pub(crate) mod usage;

/// Millionths of a US dollar as dollars.
pub(crate) fn dollars(micros: u64) -> f64 {
    micros as f64 / 1e6
}

/// Microseconds as milliseconds.
pub(crate) fn millis(micros: u64) -> f64 {
    micros as f64 / 1000.0
}
