//! One audit record.

use super::{format as f, shell::Shell};
use askama::Template;
use wardroom_wire::api::AuditView;

/// One audit record.
#[derive(Template)]
#[template(path = "record.html")]
pub(crate) struct RecordPage {
    /// The frame.
    pub(crate) shell: Shell,
    /// The record.
    pub(crate) view: AuditView,
}
