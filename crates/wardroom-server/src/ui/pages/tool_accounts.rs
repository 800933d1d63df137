//! One's own accounts at tool servers.

use super::{format as f, shell::Shell};
use askama::Template;
use wardroom_wire::tools::ToolAccountView;

/// All of them.
#[derive(Template)]
#[template(path = "tool_accounts.html")]
pub(crate) struct ToolAccountsPage {
    /// The frame.
    pub(crate) shell: Shell,
    /// Tool servers that want one's account.
    pub(crate) accounts: Vec<ToolAccountView>,
    /// The one that was just connected.
    pub(crate) connected: String,
}
