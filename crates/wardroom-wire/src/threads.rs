//! Bodies of the REST API about conversations with agents.

use super::api::RunView;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// A conversation of the caller's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ThreadView {
    /// Its id.
    pub id: String,
    /// The agent that it is with.
    pub agent: String,
    /// What it is called.
    pub title: String,
    /// When it began.
    pub created_at: String,
    /// When its last turn began.
    pub updated_at: String,
}

/// A turn of a conversation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TurnView {
    /// Its place, counting from 0.
    pub seq: u32,
    /// The run in which the agent answers; its steps say what.
    pub run: RunView,
}

/// `POST /api/v1/threads`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ThreadStart {
    /// The agent, whose mode is `continuous`.
    pub agent: String,
    /// What is said: at most 256 KiB.
    pub text: String,
    /// Values of its variables, by name.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub variables: Map<String, Value>,
    /// Go on in the last conversation with that agent, unless it is idle for longer than the agent's
    /// `conversation.idle_seconds_max`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub resume: bool,
}

/// `POST /api/v1/threads/{id}/turns`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TurnStart {
    /// What is said: at most 256 KiB.
    pub text: String,
    /// Values of the agent's variables, by name; those of the turn before where absent.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub variables: Map<String, Value>,
}

/// `POST /api/v1/threads/{id}/branches`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ThreadBranch {
    /// The turn in whose place something else is said: the new conversation has those before it.
    pub before: u32,
    /// What is said: at most 256 KiB. The same as in that turn where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Values of the agent's variables, by name; those of that turn where absent.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub variables: Map<String, Value>,
}

/// `PATCH /api/v1/threads/{id}`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ThreadPatch {
    /// What it is called: at most 120 characters.
    pub title: String,
}

/// What a model is saying, as `saying` of `GET /api/v1/runs/{id}/stream` tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SayingView {
    /// The step of kind `asked` that it answers.
    pub step: u32,
    /// Whether `text` is all of it until now; else it follows on what was told before.
    pub whole: bool,
    /// What.
    pub text: String,
}
