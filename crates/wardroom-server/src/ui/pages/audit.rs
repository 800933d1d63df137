//! The audit log.

use super::{format as f, shell::Shell};
use askama::Template;
use wardroom_wire::api::{AuditVerification, AuditView, List};

/// What the log is searched for, as it stands in the form.
#[derive(Debug, Clone, Default)]
pub(crate) struct AuditFilters {
    /// This action; with a `.` at the end, all that begin so.
    pub(crate) action: String,
    /// By this actor.
    pub(crate) actor: String,
    /// On this target.
    pub(crate) target: String,
    /// How it came out.
    pub(crate) outcome: String,
    /// Not before, as the browser's field writes it.
    pub(crate) from: String,
    /// Before.
    pub(crate) to: String,
    /// With this text.
    pub(crate) text: String,
    /// Whether this is not the first page.
    pub(crate) later: bool,
}

impl AuditFilters {
    /// Whether one of the filters is set that are folded away otherwise.
    pub(crate) fn narrow(&self) -> bool {
        [&self.action, &self.actor, &self.target, &self.from, &self.to]
            .iter()
            .any(|field| !field.is_empty())
    }

    /// Whether anything is filtered.
    pub(crate) fn any(&self) -> bool {
        self.narrow() || !self.text.is_empty() || !self.outcome.is_empty()
    }

    fn query(&self, after: &str) -> String {
        f::query(&[
            ("text", &self.text),
            ("action", &self.action),
            ("actor", &self.actor),
            ("target", &self.target),
            ("outcome", &self.outcome),
            ("from", &self.from),
            ("to", &self.to),
            ("after", after),
        ])
    }
}

/// Audit records, newest first, and the state of verification.
#[derive(Template)]
#[template(path = "audit.html")]
pub(crate) struct AuditPage {
    /// The frame.
    pub(crate) shell: Shell,
    /// The records.
    pub(crate) list: List<AuditView>,
    /// The filters.
    pub(crate) filters: AuditFilters,
    /// What was wrong with the filters.
    pub(crate) problem: Option<String>,
    /// What the last verification found.
    pub(crate) verification: Option<AuditVerification>,
}

impl AuditPage {
    fn next(&self) -> Option<String> {
        self.list.next.as_deref().map(|after| self.filters.query(after))
    }

    fn first(&self) -> String {
        self.filters.query("")
    }
}
