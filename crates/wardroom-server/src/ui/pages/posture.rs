//! How this installation stands.

use super::shell::Shell;
use askama::Template;
use wardroom_wire::security::CheckView;

/// How this installation stands, line by line.
#[derive(Template)]
#[template(path = "posture.html")]
pub(crate) struct PosturePage {
    /// The frame.
    pub(crate) shell: Shell,
    /// The lines, in the order of the controls.
    pub(crate) checks: Vec<CheckView>,
}

/// A kind of lines: its verdict, its heading, and what it means.
type Kind = (&'static str, &'static str, &'static str);

impl PosturePage {
    /// What needs somebody comes first.
    const KINDS: [Kind; 4] = [
        ("fail", "To be mended", "These are not as they should be."),
        ("attest", "For a person to answer", "Nothing here can see these."),
        ("pass", "As it should be", ""),
        ("absent", "Nothing of the kind", "This version does not have these."),
    ];

    fn kinds(&self) -> [Kind; 4] {
        Self::KINDS
    }

    fn of(&self, verdict: &str) -> Vec<&CheckView> {
        self.checks.iter().filter(|check| check.verdict == verdict).collect()
    }
}
