//! What changed between two texts, line by line.

use super::format::pretty;
use serde_json::Value;
use similar::{Change, ChangeTag, TextDiff};
use std::time::Duration;

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
    let too_long = |text: &str| text.lines().count() > LINES_MAX;
    let before = if too_long(&before) || too_long(&now) { &now } else { &before };
    let difference = TextDiff::from_lines(before.as_str(), now.as_str());
    difference.iter_all_changes().map(|change| line(&change)).collect()
}

fn line(change: &Change<&str>) -> DifferenceLine {
    let (kind, mark) = match change.tag() {
        ChangeTag::Equal => ("same", ' '),
        ChangeTag::Delete => ("gone", '\u{2212}'),
        ChangeTag::Insert => ("new", '+'),
    };
    DifferenceLine { kind, mark, text: change.value().trim_end_matches('\n').to_owned() }
}

/// What changed between two files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FileDifference {
    /// Nothing.
    Same,
    /// More than is shown.
    TooMuch,
    /// The lines that changed, and some around them.
    Lines(Vec<DifferenceLine>),
}

/// Lines of a difference that are shown at most.
const SHOWN_MAX: usize = 1000;
/// Lines around those that changed.
const AROUND: usize = 4;
/// How long files are compared at most: where it takes longer, the difference is coarser.
const TIME_MAX: Duration = Duration::from_secs(1);

/// What changed between two files.
pub(crate) fn of_files(before: &str, now: &str) -> FileDifference {
    if before == now {
        return FileDifference::Same;
    }
    let mut compared = TextDiff::configure();
    let compared = compared.timeout(TIME_MAX).diff_lines(before, now);
    let mut lines = vec![];
    for group in compared.grouped_ops(AROUND) {
        if !lines.is_empty() {
            lines.push(DifferenceLine { kind: "same", mark: ' ', text: "…".to_owned() });
        }
        for change in group.iter().flat_map(|part| compared.iter_changes(part)) {
            if lines.len() == SHOWN_MAX {
                return FileDifference::TooMuch;
            }
            lines.push(line(&change));
        }
    }
    FileDifference::Lines(lines)
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

    #[test]
    fn of_files_only_what_changed_is_shown() {
        let lines: Vec<String> = (0..5000).map(|n| n.to_string()).collect();
        let before = lines.join("\n");
        assert_eq!(of_files(&before, &before), FileDifference::Same);
        let FileDifference::Lines(shown) = of_files(&before, &before.replace("\n2500\n", "\nx\n"))
        else {
            unreachable!("one line changed")
        };
        let kinds: String = shown.iter().map(|line| line.mark).collect();
        assert_eq!(kinds, "    \u{2212}+    ");
        assert_eq!(of_files("", &before), FileDifference::TooMuch);
    }
}
