//! One's own account.

use super::{errors::Errors, format as f, shell::Shell};
use askama::Template;
use wardroom_wire::{
    api::List,
    identity::{NewToken, SessionView, TokenView, UserView, Whoami},
};

/// Who one is, and one's API tokens.
#[derive(Template)]
#[template(path = "account.html")]
pub(crate) struct AccountPage {
    /// The frame.
    pub(crate) shell: Shell,
    /// The account.
    pub(crate) me: Whoami,
    /// The same, with what is known of its person.
    pub(crate) user: UserView,
    /// Its sessions.
    pub(crate) sessions: Vec<SessionView>,
    /// Its API tokens.
    pub(crate) tokens: List<TokenView>,
    /// The name typed for a new token.
    pub(crate) name: String,
    /// How long the token lasts, in seconds, as it was chosen.
    pub(crate) expires_in: String,
    /// The scopes typed for a new token.
    pub(crate) scopes: String,
    /// What was wrong with it.
    pub(crate) errors: Errors,
    /// What was wrong with the profile.
    pub(crate) profile_errors: Errors,
    /// The new token: shown this once.
    pub(crate) made: Option<NewToken>,
}

impl AccountPage {
    fn lifetimes(&self) -> [(&'static str, &'static str); 4] {
        [
            ("43200", "12 hours"),
            ("604800", "7 days"),
            ("2592000", "30 days"),
            ("7776000", "90 days"),
        ]
    }
}
