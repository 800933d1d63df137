//! Definitions as they are kept: each version for itself, the newest in force.

use super::{Definition, Mode, ModelName};
use crate::{AgentId, Timestamp, UserId};
use serde::{Deserialize, Serialize};

/// Agents that there may be.
pub const AGENTS_MAX: i64 = 1000;
/// Versions of one that are kept; older ones are forgotten.
pub const VERSIONS_MAX: i64 = 200;
/// The longest remark about a version, in characters.
pub const NOTE_CHARS_MAX: usize = 200;

/// A version of an agent, without what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentVersion {
    /// The agent.
    pub agent: AgentId,
    /// Counts its versions from 1.
    pub number: i64,
    /// SHA-256 over its file, hexadecimal.
    pub digest: String,
    /// What its author says of it.
    pub note: String,
    /// Who put it in force.
    pub author: UserId,
    /// When.
    pub created_at: Timestamp,
}

/// An agent with its file.
#[derive(Debug, Clone, PartialEq)]
pub struct Agent {
    /// The version.
    pub version: AgentVersion,
    /// What it is.
    pub definition: Definition,
    /// The file that says so.
    pub text: String,
}

/// What lists show of an agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outline {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Its picture.
    pub icon: String,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// How it works.
    pub mode: Mode,
    /// The model that it thinks with.
    pub model: ModelName,
}

impl Definition {
    /// What lists show of it.
    pub fn outline(&self) -> Outline {
        let model =
            ModelName { provider: self.model.provider.clone(), name: self.model.name.clone() };
        Outline {
            name: self.name.clone(),
            description: self.description.clone(),
            icon: self.icon.clone(),
            tags: self.tags.clone(),
            mode: self.mode,
            model,
        }
    }
}

/// A write to agents.
#[derive(Debug, Clone)]
pub enum AgentWrite {
    /// A new agent with its first version. Its name must be free. Fails where there are [`AGENTS_MAX`].
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
