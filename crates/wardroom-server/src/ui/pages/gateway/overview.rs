//! The gateway as a whole.

use super::{
    super::{errors::Errors, format as f, shell::Shell},
    map::{Map, state_of},
};
use askama::Template;
use wardroom_wire::tools::{McpConnectionView, ToolServerView};

/// The dialog of a new tool server, as it stands.
#[derive(Default)]
pub(crate) struct ServerDialog {
    /// Its name.
    pub(crate) name: String,
    /// What it is.
    pub(crate) about: String,
    /// Its address.
    pub(crate) url: String,
    /// The node that starts it; its address counts where that is empty.
    pub(crate) node: String,
    /// Its entry in the node's allow-list.
    pub(crate) entry: String,
    /// Variables of its environment, and the names of the secrets in them: `VARIABLE=secret`, one a line.
    pub(crate) environment: String,
    /// The name of the secret that it is shown.
    pub(crate) secret: String,
    /// The header for that; `Authorization: Bearer` where empty.
    pub(crate) header: String,
    /// Whose token of an authorization server it is shown: `client`, `account`, or nobody's.
    pub(crate) tokens: String,
    /// The authorization server.
    pub(crate) issuer: String,
    /// The client there.
    pub(crate) client: String,
    /// What tokens are asked for, separated by spaces.
    pub(crate) scopes: String,
    /// Further hosts that may be asked for it, separated by spaces.
    pub(crate) egress: String,
    /// What was wrong.
    pub(crate) errors: Errors,
}

/// Who reaches what through the gateway, the tool servers, who is connected.
#[derive(Template)]
#[template(path = "gateway.html")]
pub(crate) struct GatewayPage {
    /// The frame.
    pub(crate) shell: Shell,
    /// The drawing.
    pub(crate) map: Map,
    /// The tool servers.
    pub(crate) servers: Vec<ToolServerView>,
    /// Who is connected; `None` where the viewer may not see it.
    pub(crate) connections: Option<Vec<McpConnectionView>>,
    /// The dialog, where it is open.
    pub(crate) dialog: Option<ServerDialog>,
}

impl GatewayPage {
    /// A server with tools that somebody has to look at.
    fn first_waiting(&self) -> Option<&ToolServerView> {
        self.servers.iter().find(|server| server.tools_waiting > 0)
    }

    fn waiting(&self) -> usize {
        self.servers.iter().map(|server| server.tools_waiting).sum()
    }

    fn failing(&self) -> usize {
        let fails = |server: &&ToolServerView| matches!(state_of(server), "failing" | "left alone");
        self.servers.iter().filter(fails).count()
    }

    fn calls(&self) -> u64 {
        self.map.callers.iter().map(|caller| caller.calls).sum()
    }
}
