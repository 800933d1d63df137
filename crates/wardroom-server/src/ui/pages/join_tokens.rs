//! Join tokens.

use super::{errors::Errors, format as f, shell::Shell};
use askama::Template;
use wardroom_wire::api::{JoinTokenView, List, NewJoinToken};

/// Join tokens, newest first, and the dialog that makes one.
#[derive(Template)]
#[template(path = "join_tokens.html")]
pub(crate) struct JoinTokensPage {
    /// The frame.
    pub(crate) shell: Shell,
    /// The tokens.
    pub(crate) list: List<JoinTokenView>,
    /// Whether this is not the first page.
    pub(crate) later: bool,
    /// The dialog.
    pub(crate) dialog: JoinDialog,
}

/// The dialog as it stands.
#[derive(Default)]
pub(crate) struct JoinDialog {
    /// Whether it is open without a script.
    pub(crate) open: bool,
    /// The labels as they were typed.
    pub(crate) labels: String,
    /// How long the token lasts, in seconds, as it was chosen.
    pub(crate) expires_in: String,
    /// What was wrong.
    pub(crate) errors: Errors,
    /// The new token: shown this once.
    pub(crate) made: Option<NewJoinToken>,
}

impl JoinTokensPage {
    fn next(&self) -> Option<String> {
        self.list.next.as_deref().map(|after| f::query(&[("after", after)]))
    }

    fn lifetimes(&self) -> [(&'static str, &'static str); 4] {
        [("900", "15 minutes"), ("3600", "1 hour"), ("14400", "4 hours"), ("86400", "24 hours")]
    }
}
