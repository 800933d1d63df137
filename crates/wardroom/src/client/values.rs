//! Values as people write them on a command line.

use std::{collections::BTreeMap, time::Duration};
use wardroom_core::node::Selector;

/// The longest duration that makes sense anywhere: a year.
const DURATION_MAX: Duration = Duration::from_secs(366 * 86_400);

/// A duration: `500ms`, `90s`, `10m`, `1h30m`, `7d`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let wrong =
        || "a duration is a number and a unit, such as 500ms, 90s, 10m, 1h30m or 7d".to_owned();
    let mut rest = text.trim();
    let mut total = Duration::ZERO;
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, tail) = rest.split_at(digits);
        let letters = tail.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, tail) = tail.split_at(letters);
        let number: u64 = number.parse().map_err(|_| wrong())?;
        let unit_ms = match unit {
            "ms" => 1,
            "s" => 1000,
            "m" | "min" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(wrong()),
        };
        let ms = number.checked_mul(unit_ms).ok_or_else(wrong)?;
        total = total.checked_add(Duration::from_millis(ms)).ok_or_else(wrong)?;
        rest = tail;
    }
    if total > DURATION_MAX { Err("a duration is at most 366 days".to_owned()) } else { Ok(total) }
}

/// Whole seconds of a duration, rounded up: a deadline of 500 ms is not one of nothing.
pub(crate) const fn seconds(duration: Duration) -> u64 {
    duration.as_secs() + if duration.subsec_nanos() > 0 { 1 } else { 0 }
}

/// A selector, `key=value,key=value`.
pub(crate) fn selector(text: &str) -> Result<Selector, String> {
    text.parse().map_err(|error| format!("{error}"))
}

/// A change of labels: `key=value` sets one, `key-` takes one away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LabelChange {
    /// Set it.
    Set(String, String),
    /// Take it away.
    Remove(String),
}

/// Reads a change of labels.
pub(crate) fn label_change(text: &str) -> Result<LabelChange, String> {
    use wardroom_core::node::is_label_text;
    if let Some((key, value)) = text.split_once('=') {
        if is_label_text(key) && is_label_text(value) {
            return Ok(LabelChange::Set(key.to_owned(), value.to_owned()));
        }
    } else if let Some(key) = text.strip_suffix('-')
        && is_label_text(key)
    {
        return Ok(LabelChange::Remove(key.to_owned()));
    }
    Err("a label is set by key=value and taken away by key-; each is 1 to 63 letters, digits, dots, underscores or hyphens".to_owned())
}

/// Labels from several selectors; a key named twice with different values is refused.
pub(crate) fn labels(selectors: &[Selector]) -> Result<BTreeMap<String, String>, String> {
    let mut all = BTreeMap::new();
    for selector in selectors {
        for pair in selector.to_string().split(',') {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            if let Some(before) = all.insert(key.to_owned(), value.to_owned())
                && before != value
            {
                return Err(format!("the label {key} is given twice"));
            }
        }
    }
    Ok(all)
}

/// Labels as a table shows them.
pub(crate) fn shown(labels: &BTreeMap<String, String>) -> String {
    let pairs: Vec<String> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    pairs.join(",")
}

/// A name and its value, `NAME=VALUE`.
pub(crate) fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("give NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn durations_are_read_with_their_unit_only() {
        let read = |text: &str| duration(text).map(|duration| duration.as_millis());
        assert_eq!(read("500ms"), Ok(500));
        assert_eq!(read("10m"), Ok(600_000));
        assert_eq!(read("1h30m"), Ok(5_400_000));
        assert_eq!(read("7d"), Ok(604_800_000));
        for bad in [
            "",
            "10",
            "m",
            "1.5h",
            "-1s",
            "10 m x",
            "99999999999999999999s",
            "18446744073709551615d",
            "367d",
            "1é",
        ] {
            assert!(read(bad).is_err(), "{bad:?}");
        }
        assert_eq!(seconds(Duration::from_millis(1)), 1);
        assert_eq!(seconds(Duration::from_secs(2)), 2);
    }

    #[test]
    fn labels_are_set_and_taken_away() {
        assert_eq!(label_change("tier=web"), Ok(LabelChange::Set("tier".into(), "web".into())));
        assert_eq!(label_change("tier-"), Ok(LabelChange::Remove("tier".into())));
        for bad in ["tier", "=web", "tier=", "-", "a b=c", "a=b=c"] {
            assert!(label_change(bad).is_err(), "{bad:?}");
        }
        let selectors = [selector("a=1,b=2").unwrap(), selector("c=3").unwrap()];
        assert_eq!(shown(&labels(&selectors).unwrap()), "a=1,b=2,c=3");
        assert!(labels(&[selector("a=1").unwrap(), selector("a=2").unwrap()]).is_err());
    }
}
