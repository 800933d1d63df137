//! Bodies of the REST API about tool servers, their tools, and calls of these.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// How a tool server is reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum WayShape {
    /// Streamable HTTP, by the orchestrator.
    Http {
        /// The MCP endpoint: `https://…`, or plain HTTP at an address that `outbound_allow` names.
        url: String,
        /// Further hosts that may be asked for it, at most 20, such as those that give tokens for it; no other is then.
        /// Any that is public where there are none.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        egress: Vec<String>,
    },
    /// Standard input and output, by a node that starts it as its own allow-list says.
    Node {
        /// The node: its id, or in a request its name.
        node: String,
        /// The name of its entry in the node's allow-list.
        entry: String,
    },
}

/// What a tool server is shown so that it lets the gateway in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum ShownShape {
    /// Nothing.
    #[default]
    Nothing,
    /// `Authorization: Bearer` with a named secret.
    Bearer {
        /// The secret's name.
        secret: String,
    },
    /// A header with a named secret.
    Header {
        /// The header.
        name: String,
        /// The secret's name.
        secret: String,
    },
    /// `Authorization: Bearer` with a token that the gateway is given for itself (OAuth 2.1, client credentials).
    Client {
        /// As which client, at whom; with a secret.
        client: OauthPartyShape,
        /// What is asked for; as the tool server says where it is empty.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        scopes: Vec<String>,
    },
    /// `Authorization: Bearer` with a token of whoever calls, who has connected their account (OAuth 2.1,
    /// authorization code with PKCE).
    Account {
        /// As which client, at whom. Absent: the tool server says at whom, and the gateway introduces itself there.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        client: Option<OauthPartyShape>,
        /// What is asked for; as the tool server says where it is empty.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        scopes: Vec<String>,
    },
    /// Environment variables of a process that a node starts, each with a named secret.
    Environment {
        /// The names of the secrets, by variable.
        secrets: BTreeMap<String, String>,
    },
}

/// A client as an authorization server knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OauthPartyShape {
    /// The authorization server, as it names itself.
    pub issuer: String,
    /// The client's id there.
    pub id: String,
    /// The name of the secret by which the client proves who it is, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

/// One's own account at a tool server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ToolAccountView {
    /// The tool server.
    pub server: String,
    /// What it is, for people.
    pub about: String,
    /// Whether it is connected.
    pub connected: bool,
    /// The authorization server that gave the tokens.
    pub issuer: Option<String>,
    /// What it gave them for, in its own words.
    pub scopes: Vec<String>,
    /// When it was connected.
    pub connected_at: Option<String>,
}

/// Where somebody goes to connect their account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ToolAccountBegun {
    /// To be opened within 15 minutes, in a browser that is signed in here.
    pub url: String,
}

/// Bounds of one tool server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ServerLimitsShape {
    /// How long one call may take, in milliseconds: 10 to 3,600,000.
    pub call_ms_max: u32,
    /// Requests that it works on at the same time: 1 to 4,096.
    pub concurrent_max: u32,
    /// Requests that wait for their turn: 0 to 65,536.
    pub waiting_max: u32,
    /// The longest arguments of a call, in bytes: 2 to 4,194,304.
    pub arguments_bytes_max: u32,
    /// The longest answer, in bytes: 64 to 67,108,864.
    pub result_bytes_max: u32,
    /// Calls of one tool that one caller makes within a minute: 1 to 1,000,000.
    pub calls_per_minute: u32,
}

impl Default for ServerLimitsShape {
    fn default() -> Self {
        Self {
            call_ms_max: 60_000,
            concurrent_max: 64,
            waiting_max: 256,
            arguments_bytes_max: 256 * 1024,
            result_bytes_max: 4 * 1024 * 1024,
            calls_per_minute: 600,
        }
    }
}

/// What the last look at a tool server found. Each orchestrator looks for itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ServerHealth {
    /// `unknown` until somebody looked, `ready`, or `failing`.
    pub state: String,
    /// Where its circuit breaker stands: `closed`, `open` or `half_open`.
    pub breaker: String,
    /// When somebody looked.
    pub looked_at: Option<String>,
    /// What was wrong then.
    pub problem: Option<String>,
    /// `modern` where its requests stand alone (2026-07-28), `legacy` where they belong to sessions.
    pub era: Option<String>,
    /// The revision of the protocol that it speaks.
    pub protocol_version: Option<String>,
    /// Its name and version, in its own words.
    pub software: Option<String>,
    /// Processes of it that this orchestrator talks to, where a node starts it.
    pub instances: Option<u32>,
}

/// A tool server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ToolServerView {
    /// Its name.
    pub name: String,
    /// What it is, for people.
    pub about: String,
    /// How it is reached.
    pub way: WayShape,
    /// What it is shown.
    pub shown: ShownShape,
    /// Its bounds.
    pub limits: ServerLimitsShape,
    /// Whether it may be called.
    pub enabled: bool,
    /// Counts changes; the `ETag`.
    pub version: i64,
    /// When it was registered.
    pub created_at: String,
    /// How it is.
    pub health: ServerHealth,
    /// Tools that may be called.
    pub tools_accepted: usize,
    /// Tools that wait for a person to look at them.
    pub tools_waiting: usize,
}

/// `POST /api/v1/tool-servers`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ToolServerCreate {
    /// Its name: 1 to 32 of a-z 0-9 -, with a letter first.
    pub name: String,
    /// What it is, for people.
    #[serde(default)]
    pub about: String,
    /// How it is reached.
    pub way: WayShape,
    /// What it is shown.
    #[serde(default)]
    pub shown: ShownShape,
    /// Its bounds.
    #[serde(default)]
    pub limits: ServerLimitsShape,
}

/// `PATCH /api/v1/tool-servers/{name}`, with `If-Match`. What is absent stays.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ToolServerPatch {
    /// What it is, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// How it is reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub way: Option<WayShape>,
    /// What it is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shown: Option<ShownShape>,
    /// Its bounds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<ServerLimitsShape>,
    /// Whether it may be called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
}

/// A tool of a server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ToolView {
    /// Whose.
    pub server: String,
    /// Its name.
    pub name: String,
    /// `accepted`, `new`, `changed` or `gone`. Only an accepted one is listed and called.
    pub state: String,
    /// How its server describes it now.
    pub definition: Option<Value>,
    /// The digest of that, to accept it by.
    pub digest: Option<String>,
    /// How it was described when it was accepted, where that is something else.
    pub accepted_definition: Option<Value>,
    /// What is suspicious about the present description.
    pub warnings: Vec<String>,
    /// Who accepted it.
    pub accepted_by: Option<String>,
    /// When.
    pub accepted_at: Option<String>,
    /// When it was first met.
    pub first_seen_at: String,
}

/// `POST /api/v1/tool-servers/{name}/tools/accept`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ToolAccept {
    /// The tool.
    pub tool: String,
    /// The digest of the description that one has looked at.
    pub digest: String,
}

/// What a look at a tool server found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LookView {
    /// How it is.
    pub health: ServerHealth,
    /// Tools that may be called.
    pub tools_accepted: usize,
    /// Tools that wait for a person to look at them.
    pub tools_waiting: usize,
    /// Definitions that are none.
    pub unusable: Vec<String>,
}

/// A call of a tool.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ToolCallView {
    /// Its id.
    pub id: String,
    /// The server.
    pub server: String,
    /// The tool.
    pub tool: String,
    /// In whose name: the account's id.
    pub user: String,
    /// The program of others that acted in that name.
    pub client: Option<String>,
    /// By which way in.
    pub door: String,
    /// `running`, `succeeded`, `tool_error`, `failed`, `timed_out`, `cancelled` or `interrupted`.
    pub state: String,
    /// When it began.
    pub begun_at: String,
    /// How long it took, in milliseconds.
    pub ms: Option<f64>,
    /// The length of the arguments, in bytes.
    pub arguments_bytes: u64,
    /// The length of the answer, in bytes.
    pub result_bytes: Option<u64>,
    /// The policies that allowed it, and their version behind `@`.
    pub policy: String,
    /// What went wrong.
    pub problem: Option<String>,
}

/// A call of a tool with its arguments.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ToolCallDetail {
    /// The call.
    #[serde(flatten)]
    pub call: ToolCallView,
    /// Its arguments, what looks like a secret left out; absent where whoever made it was erased.
    pub arguments: Option<Value>,
    /// SHA-256 over a random salt and the arguments, as the audit log has it.
    pub arguments_digest: String,
    /// SHA-256 of the answer.
    pub result_digest: Option<String>,
}

/// `POST /api/v1/tool-servers/{name}/call`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ToolCallRequest {
    /// The tool.
    pub tool: String,
    /// Its arguments: an object.
    #[serde(default)]
    pub arguments: Option<Value>,
}

/// What a tool answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ToolCallResult {
    /// Whether the tool says that it could not do it.
    pub is_error: bool,
    /// The answer, as the tool gave it.
    pub result: Value,
}

/// How much tools were used: calls that have something in common. What differs among them is absent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ToolUsageView {
    /// The server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// The tool.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// The account's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The program of others that acted in that name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// By which way in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub door: Option<String>,
    /// How many calls.
    pub calls: u64,
    /// That are under way.
    pub running: u64,
    /// That did not succeed.
    pub errors: u64,
    /// Of arguments and answers.
    pub bytes: u64,
    /// How long they took together, in milliseconds.
    pub ms: f64,
    /// How long half of them took at most, in milliseconds.
    pub p50_ms: Option<f64>,
    /// How long 99 of 100 took at most, in milliseconds.
    pub p99_ms: Option<f64>,
}

/// Somebody who speaks with the gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct McpConnectionView {
    /// By which it is ended: a connection's number, or the first digits of a session's id.
    pub id: String,
    /// In whose name: the account's id.
    pub user: String,
    /// `mcp` for a session over HTTP, `mcp_websocket` or `mcp_tcp` for a connection.
    pub door: String,
    /// The one tool server that it is about.
    pub server: Option<String>,
    /// What the client says of itself.
    pub client: Option<String>,
    /// The revision of the protocol.
    pub speaks: String,
    /// Requests that are worked on.
    pub running: usize,
    /// Bytes that came.
    pub bytes_in: Option<u64>,
    /// Bytes that went.
    pub bytes_out: Option<u64>,
    /// Since when.
    pub opened_at: String,
    /// When a session was last used.
    pub used_at: Option<String>,
}
