//! The policy: its text, what another one would change, and its history.

use super::{format as f, shell::Shell};
use askama::Template;
use wardroom_wire::api::{List, PolicyTrial, PolicyVersionView, PolicyView};

/// The policy: its text, what another one would change, and its history.
#[derive(Template)]
#[template(path = "policy.html")]
pub(crate) struct PolicyPage {
    /// The frame.
    pub(crate) shell: Shell,
    /// The policy in force.
    pub(crate) current: PolicyView,
    /// What the form holds.
    pub(crate) text: String,
    /// What was said of it.
    pub(crate) note: String,
    /// What it would change.
    pub(crate) trial: Option<PolicyTrial>,
    /// What is wrong with it, one line per mistake.
    pub(crate) mistakes: Vec<String>,
    /// The history.
    pub(crate) versions: List<PolicyVersionView>,
}

impl PolicyPage {
    fn rows(&self) -> usize {
        self.text.lines().count().clamp(12, 40)
    }

    fn next(&self) -> Option<String> {
        self.versions.next.as_deref().map(|after| f::query(&[("after", after)]))
    }
}
