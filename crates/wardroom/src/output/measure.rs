//! Times and sizes as people say them.

use std::time::Duration;
use wardroom_core::Timestamp;

/// How long ago `at` was, or how far ahead it lies.
pub(crate) fn ago(now: Timestamp, at: Timestamp) -> String {
    let (past, ahead) = (now.since(at), at.since(now));
    if ahead >= Duration::from_secs(1) {
        return format!("in {}", coarse(ahead));
    }
    if past < Duration::from_secs(1) {
        return "just now".to_owned();
    }
    format!("{} ago", coarse(past))
}

/// One unit is enough for a table.
fn coarse(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (count, unit) = match seconds {
        0..60 => (seconds, "s"),
        60..3600 => (seconds / 60, "min"),
        3600..86_400 => (seconds / 3600, "h"),
        _ => (seconds / 86_400, "d"),
    };
    format!("{count} {unit}")
}

/// A duration with about three digits.
pub(crate) fn duration(duration: Duration) -> String {
    let ms = duration.as_millis();
    match ms {
        0..1000 => format!("{ms} ms"),
        1000..60_000 => format!("{:.1} s", duration.as_secs_f64()),
        60_000..3_600_000 => format!("{} min {} s", ms / 60_000, ms / 1000 % 60),
        3_600_000..86_400_000 => format!("{} h {} min", ms / 3_600_000, ms / 60_000 % 60),
        _ => format!("{} d {} h", ms / 86_400_000, ms / 3_600_000 % 24),
    }
}

/// A size in binary units.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if count < 1024 {
        return format!("{count} B");
    }
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let mut value = count as f64;
    let mut unit = "B";
    for next in UNITS {
        if value < 1024.0 {
            break;
        }
        value /= 1024.0;
        unit = next;
    }
    format!("{value:.1} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_said_in_one_unit() {
        let now = Timestamp::from_micros(1_000_000_000_000);
        let before = |seconds| ago(now, now.minus(Duration::from_secs(seconds)));
        assert_eq!(
            [before(0), before(59), before(60), before(7199), before(86_400 * 3)],
            ["just now", "59 s ago", "1 min ago", "1 h ago", "3 d ago"]
        );
        assert_eq!(ago(now, now.plus(Duration::from_secs(900))), "in 15 min");
    }

    #[test]
    fn durations_and_sizes_keep_few_digits() {
        assert_eq!(duration(Duration::from_millis(42)), "42 ms");
        assert_eq!(duration(Duration::from_millis(1234)), "1.2 s");
        assert_eq!(duration(Duration::from_secs(125)), "2 min 5 s");
        assert_eq!(duration(Duration::from_secs(90_000)), "1 d 1 h");
        assert_eq!([bytes(1023), bytes(1536), bytes(u64::MAX)], ["1023 B", "1.5 KiB", "16.0 EiB"]);
    }
}
