//! What agents remember of the viewer.

use super::{format as f, shell::Shell};
use askama::Template;
use std::{collections::BTreeMap, ops::Deref};
use wardroom_wire::memories::MemoryView;

/// What agents remember, by agent.
#[derive(Template)]
#[template(path = "memories.html")]
pub(crate) struct MemoriesPage {
    /// The frame.
    pub(crate) shell: Shell,
    /// Of each agent, the last written first.
    pub(crate) agents: BTreeMap<String, Vec<Shown>>,
    /// Whether this is not the first page.
    pub(crate) later: bool,
    /// Behind what the next one begins.
    pub(crate) next: Option<String>,
}

/// Something that is remembered.
pub(crate) struct Shown(pub(crate) MemoryView);

impl Deref for Shown {
    type Target = MemoryView;

    fn deref(&self) -> &MemoryView {
        &self.0
    }
}

impl Shown {
    /// Whether a stranger may have written it.
    fn is_foreign(&self) -> bool {
        self.seen.iter().any(|seen| seen == "untrusted")
    }
}
