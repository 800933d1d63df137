//! What policy wants a person to approve.

use super::{format as f, shell::Shell};
use askama::Template;
use std::collections::BTreeMap;
use wardroom_wire::{
    api::{List, RunView},
    approvals::{ApprovalDetail, ApprovalView},
};

/// Approvals, newest first.
#[derive(Template)]
#[template(path = "approvals.html")]
pub(crate) struct ApprovalsPage {
    /// The frame.
    pub(crate) shell: Shell,
    /// The approvals.
    pub(crate) list: List<ApprovalView>,
    /// What those that wait are about, by their ids.
    pub(crate) glances: BTreeMap<String, String>,
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
