//! Bodies of the REST API about AI agents.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
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

/// `POST /api/v1/agents/{name}/runs`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AgentRunStart {
    /// What it is asked: at most 256 KiB.
    pub prompt: String,
    /// Values of its variables, by name.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub variables: Map<String, Value>,
}

/// `POST /api/v1/runs/{id}/answers`: `text` or `again`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RunAnswer {
    /// The call that waits, as a step of kind `waits` names it.
    pub call: String,
    /// The answer; for a call of which nobody knows what came of it, what came of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Such a call is to be made again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub again: bool,
}

/// A stretch of the steps of an agent's run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StepsPage {
    /// The steps, in order.
    pub items: Vec<StepView>,
    /// Where to go on.
    pub next: Option<u32>,
    /// Whether nothing more will come.
    pub complete: bool,
}

/// Something that happened in an agent's run. What does not belong to its kind is absent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StepView {
    /// Its place, counting from 0.
    pub seq: u32,
    /// When.
    pub at: String,
    /// `begun`, `asked`, `answered`, `summed_up`, `unanswered`, `called`, `returned`, `waits`, `heard` or `ended`.
    pub kind: String,
    /// What was asked, answered, given back; the question of a step that waits; the last word of one that ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// What the model wants called.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<StepCallView>,
    /// The call that it is about, by its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<String>,
    /// What the gateway keeps that call under.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_call: Option<String>,
    /// Whether a tool could not do it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_error: Option<bool>,
    /// Whether the run only gets values out of `text`, for the run that it is a part of.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reads: bool,
    /// By which name a result is known that was held back from the model, because a stranger may have written it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<String>,
    /// For what a call waits: `consent`, `answer`, `doubt` or `run`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<String>,
    /// The approval that it waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<String>,
    /// The run that it waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// The question to a model, as the ledger calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_call: Option<String>,
    /// Tokens that were taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
    /// What they cost, in millionths of a US dollar.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_micros: Option<u64>,
    /// How it ended: `answered`, `refused`, `limit`, `failed`, `cancelled` or `timed_out`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<String>,
    /// At which limit it ended, or why no model answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// What the run has seen by it: `private`, `untrusted`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub seen: Vec<String>,
}

/// A call that a model wants.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StepCallView {
    /// By which what comes of it is known.
    pub id: String,
    /// The tool, as the model was told of it.
    pub name: String,
    /// With what.
    pub arguments: Map<String, Value>,
}
