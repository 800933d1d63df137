//! What grants are good for (RFC 8707): the API, or the gateway, with all its tools or those of one server.

use super::{
    Parameters,
    error::{Code, Refusal},
};
use crate::{App, mcp};
use wardroom_core::{Door, identity::Session};

impl App {
    /// The API.
    pub(crate) fn api_resource(&self) -> String {
        format!("{}/api", self.issuer())
    }

    /// The gateway: all of it, or one tool server.
    pub(crate) fn mcp_resource(&self, server: Option<&str>) -> String {
        let all = format!("{}{}", self.issuer(), mcp::PATH);
        server.map_or_else(|| all.clone(), |server| format!("{all}/{server}"))
    }

    /// Whether a grant can be for this. A tool server need not be there: whoever asks is told nothing of that.
    pub(crate) fn is_resource(&self, text: &str) -> bool {
        text == self.api_resource() || self.is_gateway(text)
    }

    /// Whether what is granted for this is good at a door. SECURITY: what is granted for one is good at no other.
    pub(crate) fn is_resource_at(&self, door: Door, text: &str) -> bool {
        match door {
            Door::Api => text == self.api_resource(),
            Door::Mcp | Door::McpWebsocket | Door::McpTcp => self.is_gateway(text),
            _ => false,
        }
    }

    fn is_gateway(&self, text: &str) -> bool {
        let all = self.mcp_resource(None);
        let name =
            |rest: &str| rest.strip_prefix('/').is_some_and(wardroom_core::tool::server::is_name);
        text.strip_prefix(all.as_str()).is_some_and(|rest| rest.is_empty() || name(rest))
    }

    /// Whether a session is good for the tools of one server, or of all of them.
    pub(crate) fn reaches(&self, session: &Session, server: Option<&str>) -> bool {
        let Some(grant) = &session.grant else { return true };
        grant.resource == self.mcp_resource(None)
            || (server.is_some() && grant.resource == self.mcp_resource(server))
    }

    /// The resource that is asked for; the API where none is named.
    pub(crate) fn wanted_resource(&self, parameters: &Parameters) -> Result<String, Refusal> {
        let Some(wanted) = parameters.resource()? else { return Ok(self.api_resource()) };
        if self.is_resource(wanted) {
            return Ok(wanted.to_owned());
        }
        let (api, mcp) = (self.api_resource(), self.mcp_resource(None));
        let said =
            format!("the resources here are {api}, {mcp} and {mcp}/ with a tool server's name");
        Err(Refusal::new(Code::InvalidTarget, &said))
    }
}
