//! What is measured of models and agents, for whoever keeps such numbers.

use std::time::Duration;
use wardroom_core::model::{ModelFailureKind, Usage};

/// An attempt at a model that is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelMeasure {
    /// What is spoken with its provider: `openai`, `compatible`, `anthropic`, `bedrock`, `scripted`.
    pub kind: &'static str,
    /// The provider, as settings name it.
    pub provider: String,
    /// The model, where settings list it.
    pub model: Option<String>,
    /// How long it took.
    pub took: Duration,
    /// How long until the first piece came.
    pub first: Option<Duration>,
    /// What the provider says that it took.
    pub usage: Option<Usage>,
    /// Why it brought no answer.
    pub failure: Option<ModelFailureKind>,
}

/// A run of an agent that is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentMeasure {
    /// The agent.
    pub agent: String,
    /// How long it took, with what it waited for.
    pub took: Duration,
    /// How often models were asked.
    pub steps: u32,
    /// How many tools were called.
    pub tool_calls: u32,
    /// How it ended, where it came to no answer.
    pub failure: Option<String>,
}

/// Keeps numbers. It is called on the way and must take no time.
pub trait Meter: Send + Sync + 'static {
    /// An attempt at a model is over.
    fn model(&self, measure: &ModelMeasure);
    /// A run of an agent is over.
    fn agent(&self, measure: &AgentMeasure);
}
