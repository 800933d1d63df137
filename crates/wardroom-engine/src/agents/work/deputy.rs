//! Who acts for somebody: an agent, within what whoever started its run may at that moment.

use crate::EngineError;
use async_trait::async_trait;
use std::sync::Arc;
use wardroom_core::{ToolCallId, action::Resource, agent::Deed, run::Run, steps::Labels};
use wardroom_gateway::door::{Allowed, Caller, Refused};

/// What an agent is about to do.
#[derive(Debug, Clone)]
pub struct Acting<'a> {
    /// The run.
    pub run: &'a Run,
    /// What it has seen.
    pub seen: Labels,
    /// What the call does.
    pub does: &'a [Deed],
    /// Whether its definition wants a person's consent to it, beside when policy does.
    pub asks: bool,
    /// What the gateway keeps the call under.
    pub call: Option<ToolCallId>,
}

/// Acts for somebody.
#[async_trait]
pub trait Deputy: Caller {
    /// Asks policy about a command, as [`Caller::authorise_call`] does about a tool.
    async fn authorise_command(&self, command: &Resource) -> Result<Allowed, Refused>;
}

/// Finds who acts. It is asked anew for each thing that an agent does.
#[async_trait]
pub trait Deputies: Send + Sync + 'static {
    /// Whoever acts in a run; none where whoever started it may nothing any more.
    async fn deputy(&self, acting: &Acting<'_>) -> Result<Option<Arc<dyn Deputy>>, EngineError>;
}
