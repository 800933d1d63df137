//! Programs of others.

use super::{errors::Errors, format as f, shell::Shell};
use askama::Template;
use wardroom_wire::{
    api::List,
    oauth::{NewOauthClient, OauthClientView},
};

/// Which programs are registered, and the dialog that registers one.
#[derive(Template)]
#[template(path = "oauth_clients.html")]
pub(crate) struct OauthClientsPage {
    /// The frame.
    pub(crate) shell: Shell,
    /// The programs.
    pub(crate) list: List<OauthClientView>,
    /// The dialog, where it is open.
    pub(crate) dialog: Option<ClientDialog>,
}

/// The dialog as it stands.
#[derive(Default)]
pub(crate) struct ClientDialog {
    /// What the program is called, as it was typed.
    pub(crate) name: String,
    /// Where codes go, as it was typed.
    pub(crate) redirect_uris: String,
    /// What it may ask for, as it was typed.
    pub(crate) scopes: String,
    /// Whether it keeps a secret.
    pub(crate) confidential: bool,
    /// The account as which it acts, as it was typed.
    pub(crate) acts_as: String,
    /// What was wrong.
    pub(crate) errors: Errors,
    /// The program that was just registered or has another secret.
    pub(crate) made: Option<NewOauthClient>,
}
