//! What an agent may ask for.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// What an agent may ask for. What is not here it can't even ask for; what is here takes its caller's right as well, and
/// policy's answer each time. Where several name the same tool, all of them hold: arguments meet each schema, and a
/// person approves what any of them wants approved.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ToolGrants {
    /// Tools of tool servers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 200))]
    pub servers: Vec<ServerToolGrant>,
    /// Commands of nodes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 200))]
    pub commands: Vec<CommandGrant>,
    /// Other agents.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50))]
    pub agents: Vec<AgentGrant>,
    /// What Wardroom itself offers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50))]
    pub built_in: Vec<BuiltInGrant>,
}

impl ToolGrants {
    /// Whether it may ask for nothing.
    pub fn is_empty(&self) -> bool {
        self.servers.is_empty()
            && self.commands.is_empty()
            && self.agents.is_empty()
            && self.built_in.is_empty()
    }
}

/// When a person approves a call, beside when policy wants it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ApprovalRule {
    /// Each time.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub always: bool,
    /// The JSON Schema of arguments that need no approval all the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unless: Option<Map<String, Value>>,
}

impl ApprovalRule {
    fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// A tool of a tool server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServerToolGrant {
    /// Which: `server/tool`, or `server/*` for all that are accepted there.
    #[schemars(regex(pattern = r"^[a-z][a-z0-9-]{0,31}/(\*|[A-Za-z0-9_.-]{1,128})$"))]
    pub tool: String,
    /// The JSON Schema that arguments meet, beside the tool's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arguments: Option<Map<String, Value>>,
    /// When a person approves it, beside when policy wants it.
    #[serde(default, skip_serializing_if = "ApprovalRule::is_none")]
    pub approval: ApprovalRule,
    /// What it does, beside what it says of itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub does: Vec<Deed>,
}

/// A command of nodes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CommandGrant {
    /// Which.
    #[schemars(length(min = 1, max = 64))]
    pub command: String,
    /// The node on which it runs, by name. This or `labels`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub node: Option<String>,
    /// What the node's labels must be, on any one of which it runs.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 16, "propertyNames" = {"maxLength": 64}))]
    pub labels: BTreeMap<String, String>,
    /// The JSON Schema that arguments meet, beside the command's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arguments: Option<Map<String, Value>>,
    /// When a person approves it, beside when policy wants it.
    #[serde(default, skip_serializing_if = "ApprovalRule::is_none")]
    pub approval: ApprovalRule,
    /// What it does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub does: Vec<Deed>,
}

/// Another agent as a tool.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AgentGrant {
    /// Which.
    #[schemars(regex(pattern = r"^[a-z][a-z0-9-]{0,63}$"))]
    pub agent: String,
    /// When a person approves it, beside when policy wants it.
    #[serde(default, skip_serializing_if = "ApprovalRule::is_none")]
    pub approval: ApprovalRule,
}

/// Something that Wardroom itself offers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BuiltInGrant {
    /// Which.
    pub name: BuiltIn,
    /// When a person approves it, beside when policy wants it.
    #[serde(default, skip_serializing_if = "ApprovalRule::is_none")]
    pub approval: ApprovalRule,
}

/// What Wardroom itself offers agents.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum BuiltIn {
    /// Write something down about the person for later.
    MemoryWrite,
    /// Find what was written down.
    MemorySearch,
    /// Forget something that was written down.
    MemoryForget,
    /// List the files of the run and the conversation.
    FilesList,
    /// Read one.
    FilesRead,
    /// Write one.
    FilesWrite,
    /// Ask the person something, and wait for the answer.
    AskPerson,
    /// Let a model without any tools read something that can't be trusted, and give back values of a declared schema.
    ReadQuarantined,
}

impl BuiltIn {
    /// Whether it is about what an agent remembers of a person.
    pub const fn needs_memory(self) -> bool {
        matches!(self, Self::MemoryWrite | Self::MemorySearch | Self::MemoryForget)
    }
}

/// What a tool does, where that matters to what else a run may do.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Deed {
    /// It brings in what is somebody's own.
    ReadsPrivate,
    /// It brings in what a stranger may have written.
    BringsUntrusted,
    /// It carries something outside.
    SendsOutside,
    /// It changes something.
    Changes,
}

impl Deed {
    /// Its name in files and policies.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ReadsPrivate => "reads_private",
            Self::BringsUntrusted => "brings_untrusted",
            Self::SendsOutside => "sends_outside",
            Self::Changes => "changes",
        }
    }

    /// What a tool does by what its server says of it and a person accepted, beside what a definition says: the protocol's
    /// own words are what is taken where a server says nothing.
    pub fn of_hints(hints: crate::tool::Hints) -> Vec<Self> {
        let mut deeds = vec![];
        if hints.open_world {
            deeds.extend([Self::BringsUntrusted, Self::SendsOutside]);
        }
        if !hints.read_only {
            deeds.push(Self::Changes);
        }
        deeds
    }
}
