//! The list of runs.

use super::{format as f, shell::Shell};
use askama::Template;
use wardroom_wire::api::{List, RunView};

/// What the list is filtered by, as it stands in the form.
#[derive(Debug, Clone, Default)]
pub(crate) struct RunFilters {
    /// In this state.
    pub(crate) state: String,
    /// On this node, by id or name.
    pub(crate) node: String,
    /// Of this command.
    pub(crate) command: String,
    /// Dead letters only.
    pub(crate) dead_letter: bool,
    /// The viewer's own only.
    pub(crate) mine: bool,
    /// Whether this is not the first page.
    pub(crate) later: bool,
}

impl RunFilters {
    /// Whether anything is filtered.
    pub(crate) fn any(&self) -> bool {
        !(self.state.is_empty() && self.node.is_empty() && self.command.is_empty())
            || self.dead_letter
            || self.mine
    }

    /// The query of the same list behind `after`.
    fn query(&self, after: &str) -> String {
        let flag = |on: bool| if on { "true" } else { "" };
        f::query(&[
            ("state", &self.state),
            ("node", &self.node),
            ("command", &self.command),
            ("dead_letter", flag(self.dead_letter)),
            ("mine", flag(self.mine)),
            ("after", after),
        ])
    }
}

/// Runs, newest first.
#[derive(Template)]
#[template(path = "runs.html")]
pub(crate) struct RunsPage {
    /// The frame.
    pub(crate) shell: Shell,
    /// The runs.
    pub(crate) list: List<RunView>,
    /// The filters.
    pub(crate) filters: RunFilters,
    /// What was wrong with the filters.
    pub(crate) problem: Option<String>,
}

const STATES: [&str; 10] = [
    "awaiting_approval",
    "queued",
    "leased",
    "running",
    "retrying",
    "succeeded",
    "failed",
    "cancelled",
    "timed_out",
    "interrupted",
];

impl RunsPage {
    fn states(&self) -> [&'static str; 10] {
        STATES
    }

    fn next(&self) -> Option<String> {
        self.list.next.as_deref().map(|after| self.filters.query(after))
    }

    fn first(&self) -> String {
        self.filters.query("")
    }
}
