//! What changed between two texts, line by line.

use super::format::pretty;
use serde_json::Value;
use similar::{ChangeTag, TextDiff};

/// Lines that are compared at most; of longer texts only the present one is shown.
const LINES_MAX: usize = 2000;

/// A line of one text or both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DifferenceLine {
    /// `same`, `gone` or `new`.
    pub(crate) kind: &'static str,
    /// What stands in front of it: a space, a minus or a plus.
    pub(crate) mark: char,
    /// The line.
    pub(crate) text: String,
}

/// The lines of `now`, with what is gone of `before` and what is new marked.
pub(crate) fn lines(before: Option<&Value>, now: &Value) -> Vec<DifferenceLine> {
    let now = pretty(now);
    let before = before.map_or_else(|| now.clone(), pretty);
    of_texts(&before, &now)
}

/// The same for texts.
pub(crate) fn of_texts(before: &str, now: &str) -> Vec<DifferenceLine> {
    let too_long = |text: &str| text.lines().count() > LINES_MAX;
    let before = if too_long(before) || too_long(now) { now } else { before };
    let difference = TextDiff::from_lines(before, now);
    let lines = difference.iter_all_changes().map(|change| {
        let (kind, mark) = match change.tag() {
            ChangeTag::Equal => ("same", ' '),
            ChangeTag::Delete => ("gone", '\u{2212}'),
            ChangeTag::Insert => ("new", '+'),
        };
        DifferenceLine { kind, mark, text: change.value().trim_end_matches('\n').to_owned() }
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_changed_is_marked() {
        let before = json!({"name": "read", "description": "Reads a file"});
        let now = json!({"name": "read", "description": "Reads a file, and sends it on"});
        let kinds: Vec<&str> = lines(Some(&before), &now).iter().map(|line| line.kind).collect();
        assert_eq!(kinds, ["same", "same", "gone", "new", "same"]);
        assert!(lines(None, &now).iter().all(|line| line.kind == "same"));
    }
}
