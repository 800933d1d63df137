//! Runs by hour as a bar chart: the arithmetic; the template draws it as SVG.

use super::format;
use wardroom_wire::api::HourView;

/// The drawing's height and the width of one hour, in its own units; the page stretches it.
const HEIGHT: u64 = 100;
const STEP: u64 = 10;
const BAR_WIDTH: u64 = 7;

/// A bar chart.
#[derive(Debug, Clone)]
pub(crate) struct Chart {
    /// One bar an hour.
    pub(crate) bars: Vec<Bar>,
    /// The drawing's width.
    pub(crate) width: u64,
    /// The value at the top.
    pub(crate) top: u64,
    /// All runs.
    pub(crate) runs: u64,
    /// Of these, without success.
    pub(crate) failed: u64,
    /// Hours to write below, one in six.
    pub(crate) ticks: Vec<String>,
}

/// One hour.
#[derive(Debug, Clone)]
pub(crate) struct Bar {
    /// Its left edge.
    pub(crate) x: u64,
    /// Its width.
    pub(crate) width: u64,
    /// Upper edge and height of what did not fail.
    pub(crate) fine: (u64, u64),
    /// Upper edge and height of what failed.
    pub(crate) failed: (u64, u64),
    /// In words.
    pub(crate) title: String,
    /// `14:00`.
    pub(crate) hour: String,
    /// Runs.
    pub(crate) runs: u64,
    /// Failed runs.
    pub(crate) failures: u64,
}

impl Chart {
    /// The chart of these hours, oldest first.
    pub(crate) fn new(hours: &[HourView]) -> Self {
        let top = round_up(hours.iter().map(|hour| hour.runs).max().unwrap_or(0));
        let bars: Vec<Bar> = (0..).zip(hours).map(|(at, hour)| bar(at, hour, top)).collect();
        Self {
            width: STEP * (bars.len() as u64).max(1),
            top,
            runs: hours.iter().map(|hour| hour.runs).sum(),
            failed: hours.iter().map(|hour| hour.failed).sum(),
            ticks: hours
                .iter()
                .step_by(6)
                .map(|hour| format::clock(&hour.hour).to_owned())
                .collect(),
            bars,
        }
    }
}

fn bar(at: u64, hour: &HourView, top: u64) -> Bar {
    let failed = hour.failed.min(hour.runs);
    // What is there must be seen, however small its share.
    let scaled = |runs: u64| if runs == 0 { 0 } else { (runs * HEIGHT / top).max(2) };
    let (all, bad) = (scaled(hour.runs), scaled(failed));
    let plural = if hour.runs == 1 { "run" } else { "runs" };
    let from = format::clock(&hour.hour);
    Bar {
        x: at * STEP + (STEP - BAR_WIDTH) / 2,
        width: BAR_WIDTH,
        fine: (HEIGHT.saturating_sub(all), all.saturating_sub(bad)),
        failed: (HEIGHT.saturating_sub(bad), bad),
        title: format!("{from} UTC: {} {plural}, {failed} failed", hour.runs),
        hour: from.to_owned(),
        runs: hour.runs,
        failures: failed,
    }
}

/// The next of 4, 10, 20, 40, 100, 200, 400, …: a top whose half is a whole number.
fn round_up(most: u64) -> u64 {
    let mut top = 4;
    let mut factors = [5, 2, 2].into_iter().cycle();
    // 4 → 10 → 20 → 40: the first step is by two and a half.
    while top < most {
        top = match factors.next() {
            Some(5) => top / 2 * 5,
            Some(factor) => top * factor,
            None => return most,
        };
    }
    top
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn the_top_is_round_and_not_below_the_highest_bar() {
        let tops: Vec<u64> = [0, 4, 5, 11, 21, 41, 101, 999].into_iter().map(round_up).collect();
        assert_eq!(tops, [4, 4, 10, 20, 40, 100, 200, 1000]);
    }

    #[test]
    fn bars_stand_on_the_ground_and_small_shares_are_visible() {
        let hour = |runs, failed| HourView { hour: "2026-01-01T14:00:00Z".into(), runs, failed };
        let chart = Chart::new(&[hour(0, 0), hour(1000, 1)]);
        let bar = chart.bars.last().unwrap();
        assert_eq!((bar.fine, bar.failed), ((0, 98), (98, 2)));
        assert_eq!(chart.bars.first().unwrap().fine, (100, 0));
        assert_eq!((chart.runs, chart.failed, chart.width), (1000, 1, 20));
    }
}
