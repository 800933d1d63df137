//! Bodies of the REST API about AI agents.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// An agent in a list, as it is defined now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AgentView {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// A picture: one character, or empty.
    pub icon: String,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// `autonomous`, `continuous` or `collaborative`.
    pub mode: String,
    /// The model that it thinks with, as `provider/name`.
    pub model: String,
    /// The version that is in force.
    pub version: AgentVersionView,
}

/// A version of an agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AgentVersionView {
    /// Counts from 1.
    pub number: i64,
    /// SHA-256 over its file, hexadecimal.
    pub digest: String,
    /// What its author says of it.
    pub note: String,
    /// Who put it in force: the account's id.
    pub author: String,
    /// When.
    pub created_at: String,
}

/// An agent with its file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AgentDetail {
    /// The agent.
    #[serde(flatten)]
    pub agent: AgentView,
    /// The file (YAML), as its author wrote it.
    pub text: String,
    /// What the file says, with what holds where it says nothing.
    pub definition: Value,
}

/// `PUT /api/v1/agents/{name}`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AgentPut {
    /// The file (YAML), whose `name` is the one in the path; at most 256 KiB.
    pub text: String,
    /// What its author says of it: at most 200 characters.
    #[serde(default)]
    pub note: String,
    /// The digest of the file that it was made from, empty where there was none; fails where another one is in force by
    /// then. Any where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
}
