//! Bodies of the REST API about what agents remember.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Something that an agent remembers of the caller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MemoryView {
    /// Its id.
    pub id: String,
    /// The agent.
    pub agent: String,
    /// The part of its memory.
    pub namespace: String,
    /// By which the agent speaks of it.
    pub key: String,
    /// What it remembers.
    pub text: String,
    /// What the run had seen that wrote it down: `private`, `untrusted`.
    pub seen: Vec<String>,
    /// When it was written down.
    pub written_at: String,
    /// When it is forgotten.
    pub expires_at: String,
}
