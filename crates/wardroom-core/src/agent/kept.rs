//! Definitions as they are kept: each version for itself, the newest in force.

use super::Definition;
use crate::{AgentId, Timestamp, UserId};

/// Agents that there may be.
pub const AGENTS_MAX: usize = 1000;
/// Versions of one that are kept; older ones are forgotten.
pub const VERSIONS_MAX: i64 = 200;
/// The longest remark about a version, in characters.
pub const NOTE_CHARS_MAX: usize = 200;

/// A version of an agent.
#[derive(Debug, Clone, PartialEq)]
pub struct Agent {
    /// The agent.
    pub id: AgentId,
    /// Counts its versions from 1.
    pub number: i64,
    /// What it is.
    pub definition: Definition,
    /// The file that says so.
    pub text: String,
    /// SHA-256 over the file, hexadecimal.
    pub digest: String,
    /// What its author says of it.
    pub note: String,
    /// Who put it in force.
    pub author: UserId,
    /// When.
    pub created_at: Timestamp,
}

/// A write to agents.
#[derive(Debug, Clone)]
pub enum AgentWrite {
    /// A new agent with its first version. Its name must be free, and there must be room.
    Add(Box<Agent>),
    /// A further version. Fails where the one before it is not the newest.
    Update(Box<Agent>),
    /// The agent is forgotten with all its versions. Fails where this is not its newest one.
    Remove {
        /// The agent.
        id: AgentId,
        /// Its newest version.
        number: i64,
    },
}
