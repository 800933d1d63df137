//! What changed between two texts, line by line.

use super::Failure;
use crate::output::Output;
use similar::TextDiff;
use std::time::Duration;

/// How long two texts are compared at most: where it takes longer, the difference is coarser.
const TIME_MAX: Duration = Duration::from_secs(1);

/// Prints what changed between two texts, each with its name.
pub(super) fn print(
    output: &Output,
    before: (&str, &str),
    now: (&str, &str),
) -> Result<(), Failure> {
    output.line(&format!("--- {}", before.0))?;
    output.line(&format!("+++ {}", now.0))?;
    let mut compared = TextDiff::configure();
    let compared = compared.timeout(TIME_MAX).diff_lines(before.1, now.1);
    for change in compared.iter_all_changes() {
        let text = change.value().trim_end_matches('\n');
        output.line(&format!("{}{text}", change.tag()))?;
    }
    Ok(())
}
