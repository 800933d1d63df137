//! What policy wants a person to approve.

use super::{format as f, shell::Shell};
use askama::Template;
use serde_json::Value;
use std::collections::BTreeMap;
use wardroom_wire::{
    api::{List, RunView},
    approvals::{ApprovalDetail, ApprovalView},
};

/// What is shown in a list of what an approval is about, in characters.
const ABOUT_CHARS_MAX: usize = 200;

/// Approvals, newest first.
#[derive(Template)]
#[template(path = "approvals.html")]
pub(crate) struct ApprovalsPage {
    /// The frame.
    pub(crate) shell: Shell,
    /// The approvals.
    pub(crate) list: List<ApprovalView>,
    /// What each is about, by its id.
    pub(crate) arguments: BTreeMap<String, Value>,
    /// In this state; `any` for all.
    pub(crate) state: String,
    /// The viewer's own only.
    pub(crate) mine: bool,
    /// Whether this is not the first page.
    pub(crate) later: bool,
    /// What was wrong with the filters.
    pub(crate) problem: Option<String>,
}

impl ApprovalsPage {
    /// What tells one from others like it.
    fn about(&self, id: &str) -> String {
        let about = match self.arguments.get(id) {
            // What a run is given, without where: that is empty for most.
            Some(run) if run.get("parameters").is_some() => run["parameters"].to_string(),
            Some(arguments) => arguments.to_string(),
            None => String::new(),
        };
        if about == "{}" { String::new() } else { about.chars().take(ABOUT_CHARS_MAX).collect() }
    }

    fn states(&self) -> [&'static str; 5] {
        ["waiting", "approved", "denied", "used", "expired"]
    }

    fn query(&self, after: &str) -> String {
        let mine = if self.mine { "true" } else { "" };
        f::query(&[("state", &self.state), ("mine", mine), ("after", after)])
    }

    fn next(&self) -> Option<String> {
        self.list.next.as_deref().map(|after| self.query(after))
    }
}

/// One approval, with all that there is to look at before deciding.
#[derive(Template)]
#[template(path = "approval.html")]
pub(crate) struct ApprovalPage {
    /// The frame.
    pub(crate) shell: Shell,
    /// The approval.
    pub(crate) detail: ApprovalDetail,
    /// The run that waits for it.
    pub(crate) run: Option<RunView>,
    /// Whether the viewer may decide.
    pub(crate) may_decide: bool,
    /// What went wrong with a decision.
    pub(crate) problem: Option<String>,
}

impl ApprovalPage {
    fn is_waiting(&self) -> bool {
        self.detail.approval.state == "waiting"
    }

    fn arguments(&self) -> Option<String> {
        self.detail.arguments.as_ref().map(f::pretty)
    }
}
