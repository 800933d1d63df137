//! Requests.

use super::{errors::Errors, format as f, shell::Shell};
use askama::Template;
use wardroom_wire::{
    api::List,
    desk::{RequestDetail, RequestView, SavedViewView},
};

/// What the list is filtered by, as it stands in the form.
#[derive(Debug, Clone, Default)]
pub(crate) struct RequestFilters {
    /// In this state; `open` for all that are not closed.
    pub(crate) state: String,
    /// Of this priority.
    pub(crate) priority: String,
    /// Whom it is assigned to.
    pub(crate) assignee: String,
    /// Of this customer.
    pub(crate) customer: String,
    /// Of this service.
    pub(crate) service: String,
    /// Of customers that this finds.
    pub(crate) text: String,
    /// Those that need somebody to look only.
    pub(crate) attention: bool,
    /// Whether this is not the first page.
    pub(crate) later: bool,
}

impl RequestFilters {
    /// Whether anything is filtered.
    pub(crate) fn any(&self) -> bool {
        self.query("") != "?"
    }

    /// The query of the same list behind `after`.
    pub(crate) fn query(&self, after: &str) -> String {
        f::query(&[
            ("state", &self.state),
            ("priority", &self.priority),
            ("assignee", &self.assignee),
            ("customer", &self.customer),
            ("service", &self.service),
            ("text", &self.text),
            ("attention", if self.attention { "true" } else { "" }),
            ("after", after),
        ])
    }
}

/// Requests, newest first.
#[derive(Template)]
#[template(path = "requests.html")]
pub(crate) struct RequestsPage {
    /// The frame.
    pub(crate) shell: Shell,
    /// The requests.
    pub(crate) list: List<RequestView>,
    /// The filters.
    pub(crate) filters: RequestFilters,
    /// Kept filters.
    pub(crate) views: Vec<SavedViewView>,
    /// What was wrong.
    pub(crate) problem: Option<String>,
}

impl RequestsPage {
    fn next(&self) -> Option<String> {
        self.list.next.as_deref().map(|after| self.filters.query(after))
    }

    fn kept(&self) -> String {
        self.filters.query("").trim_start_matches('?').to_owned()
    }
}

/// One request.
#[derive(Template)]
#[template(path = "request.html")]
pub(crate) struct RequestPage {
    /// The frame.
    pub(crate) shell: Shell,
    /// The request with all that belongs to it.
    pub(crate) detail: RequestDetail,
    /// What was filled in: what people call each field, and its value.
    pub(crate) values: Vec<(String, String)>,
    /// Whether the viewer works on it.
    pub(crate) may_work: bool,
    /// Whether the viewer may cancel it.
    pub(crate) may_cancel: bool,
    /// Whether the viewer may say something.
    pub(crate) may_note: bool,
    /// Whether the viewer may say something internal.
    pub(crate) may_note_internal: bool,
    /// Whether the viewer may add files.
    pub(crate) may_attach: bool,
    /// Whether the viewer may remove files.
    pub(crate) may_detach: bool,
    /// What was typed as a note.
    pub(crate) note: String,
    /// What was wrong.
    pub(crate) errors: Errors,
}

impl RequestPage {
    fn is_open(&self) -> bool {
        !["completed", "cancelled"].contains(&self.detail.request.state.as_str())
    }

    /// The states that come next, with what the button says.
    fn next_states(&self) -> Vec<(&'static str, &'static str)> {
        match self.detail.request.state.as_str() {
            "pending" | "scheduled" => vec![("in_progress", "Take it up")],
            "in_progress" => vec![("completed", "Complete")],
            _ => vec![],
        }
    }
}
