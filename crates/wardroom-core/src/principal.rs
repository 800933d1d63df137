//! Who acts, and from where.

use crate::{ApiTokenId, CustomerId, NodeId, RunId, SessionId, UserId, named::named};
use serde::{Deserialize, Serialize};
use std::{fmt, net::IpAddr, str::FromStr};

/// A default role. What each may do is Cedar policy, not code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Runs the installation.
    Admin,
    /// Oversees operators' work.
    Manager,
    /// Works with nodes and runs.
    Operator,
    /// An outside party that sees only its own.
    Customer,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 4] = [Self::Admin, Self::Manager, Self::Operator, Self::Customer];

    /// The name on the wire and in policies.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Manager => "manager",
            Self::Operator => "operator",
            Self::Customer => "customer",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that names no role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected one of admin, manager, operator, customer")]
pub struct RoleError;

impl FromStr for Role {
    type Err = RoleError;
    fn from_str(text: &str) -> Result<Self, RoleError> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or(RoleError)
    }
}

/// What proved who a user is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Credential {
    /// A browser session's cookie.
    Session(SessionId),
    /// An API token.
    ApiToken(ApiTokenId),
    /// A token of an issuer outside, good for this request.
    Outside(UserId),
    /// An agent's run that works for them, and is not over.
    Run(RunId),
}

/// Who acts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// Nobody proved anything yet.
    Anonymous,
    /// A person.
    User {
        /// The account.
        id: UserId,
        /// The name to sign in with.
        name: String,
        /// The account's role.
        role: Role,
        /// The groups that the account is in.
        groups: Vec<String>,
        /// The customer that the account belongs to.
        customer: Option<CustomerId>,
        /// What proved it.
        credential: Credential,
    },
    /// An enrolled machine.
    Node(NodeId),
    /// The orchestrator itself: deadlines, leases, first start.
    System,
}

impl Principal {
    /// The user's id, when a user acts.
    pub const fn user(&self) -> Option<UserId> {
        match self {
            Self::User { id, .. } => Some(*id),
            _ => None,
        }
    }

    /// The customer that the user belongs to, when a user acts.
    pub const fn customer(&self) -> Option<CustomerId> {
        match self {
            Self::User { customer, .. } => *customer,
            _ => None,
        }
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anonymous => f.write_str("anonymous"),
            Self::User { id, .. } => id.fmt(f),
            Self::Node(id) => id.fmt(f),
            Self::System => f.write_str("system"),
        }
    }
}

named! {
    /// The way in that a request took.
    Door = "a door" {
        /// The REST API.
        Api = "api",
        /// The dashboard.
        Dashboard = "dashboard",
        /// The node link.
        NodeLink = "node_link",
        /// MCP over HTTP.
        Mcp = "mcp",
        /// MCP over WebSocket.
        McpWebsocket = "mcp_websocket",
        /// MCP over TCP.
        McpTcp = "mcp_tcp",
        /// Where programs ask language models.
        Models = "models",
        /// The machine's own console: `wardroom` run with access to the data folder.
        Console = "console",
        /// The orchestrator's own timers.
        Internal = "internal",
    }
}

/// Where a request came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The way in.
    pub door: Door,
    /// The peer's address, where there is one.
    pub address: Option<IpAddr>,
    /// The request, as logs name it.
    pub request: Option<crate::RequestId>,
}

impl Origin {
    /// The orchestrator's own timers.
    pub const INTERNAL: Self = Self { door: Door::Internal, address: None, request: None };
    /// The machine's own console.
    pub const CONSOLE: Self = Self { door: Door::Console, address: None, request: None };
}
