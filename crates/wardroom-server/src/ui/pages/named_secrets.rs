//! Secrets that have a name.

use super::{errors::Errors, format as f, shell::Shell};
use askama::Template;
use wardroom_wire::{api::List, security::SecretView};

/// Which secrets there are, and the dialog that keeps a value.
#[derive(Template)]
#[template(path = "named_secrets.html")]
pub(crate) struct NamedSecretsPage {
    /// The frame.
    pub(crate) shell: Shell,
    /// The secrets, without values.
    pub(crate) list: List<SecretView>,
    /// The dialog, where it is open.
    pub(crate) dialog: Option<SecretDialog>,
}

/// The dialog as it stands. The value is never in it.
#[derive(Default)]
pub(crate) struct SecretDialog {
    /// Whether the secret is there and gets another value.
    pub(crate) renews: bool,
    /// The secret's name.
    pub(crate) name: String,
    /// What it is, as it was typed.
    pub(crate) about: String,
    /// After how many days to remind, as it was typed.
    pub(crate) rotate_days: String,
    /// What was wrong.
    pub(crate) errors: Errors,
}

impl SecretDialog {
    /// For another value of `name`.
    pub(crate) fn renewal(name: &str) -> Self {
        Self { renews: true, name: name.to_owned(), ..Self::default() }
    }
}
