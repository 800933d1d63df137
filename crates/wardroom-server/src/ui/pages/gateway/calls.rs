//! Calls of tools, and how much tools were used.

use super::super::{format as f, shell::Shell};
use askama::Template;
use wardroom_wire::{
    api::List,
    tools::{ToolCallDetail, ToolCallView, ToolUsageView},
};

/// What the list is filtered by, as it stands in the form.
#[derive(Debug, Clone, Default)]
pub(crate) struct CallFilters {
    /// Of this server.
    pub(crate) server: String,
    /// Of this tool.
    pub(crate) tool: String,
    /// That came out so.
    pub(crate) outcome: String,
    /// The viewer's own only.
    pub(crate) mine: bool,
    /// Whether this is not the first page.
    pub(crate) later: bool,
}

impl CallFilters {
    fn any(&self) -> bool {
        !(self.server.is_empty() && self.tool.is_empty() && self.outcome.is_empty()) || self.mine
    }

    fn query(&self, after: &str) -> String {
        f::query(&[
            ("server", &self.server),
            ("tool", &self.tool),
            ("outcome", &self.outcome),
            ("mine", if self.mine { "true" } else { "" }),
            ("after", after),
        ])
    }
}

/// Calls, newest first.
#[derive(Template)]
#[template(path = "tool_calls.html")]
pub(crate) struct CallsPage {
    /// The frame.
    pub(crate) shell: Shell,
    /// The calls.
    pub(crate) list: List<ToolCallView>,
    /// The filters.
    pub(crate) filters: CallFilters,
    /// What was wrong with the filters.
    pub(crate) problem: Option<String>,
}

impl CallsPage {
    fn outcomes(&self) -> [&'static str; 6] {
        ["succeeded", "tool_error", "failed", "timed_out", "cancelled", "interrupted"]
    }

    fn next(&self) -> Option<String> {
        self.list.next.as_deref().map(|after| self.filters.query(after))
    }

    fn first(&self) -> String {
        self.filters.query("")
    }
}

/// One call.
#[derive(Template)]
#[template(path = "tool_call.html")]
pub(crate) struct CallPage {
    /// The frame.
    pub(crate) shell: Shell,
    /// The call.
    pub(crate) detail: ToolCallDetail,
}

impl CallPage {
    fn arguments(&self) -> Option<String> {
        self.detail.arguments.as_ref().map(f::pretty)
    }
}

/// How much tools were used.
#[derive(Template)]
#[template(path = "tool_usage.html")]
pub(crate) struct UsagePage {
    /// The frame.
    pub(crate) shell: Shell,
    /// The groups.
    pub(crate) list: List<ToolUsageView>,
    /// What they are put together by.
    pub(crate) by: String,
    /// How far back.
    pub(crate) hours: u32,
    /// The viewer's own only.
    pub(crate) mine: bool,
    /// What was wrong with the filters.
    pub(crate) problem: Option<String>,
}

/// A stretch of time, in hours, and what it is called.
const STRETCHES: [(u32, &str); 4] =
    [(1, "the last hour"), (24, "the last day"), (168, "the last week"), (720, "the last 30 days")];

impl UsagePage {
    fn kinds(&self) -> [(&'static str, &'static str); 4] {
        [("tool", "tool"), ("user", "person"), ("client", "program"), ("flow", "person and server")]
    }

    fn stretches(&self) -> [(u32, &'static str); 4] {
        STRETCHES
    }
}
