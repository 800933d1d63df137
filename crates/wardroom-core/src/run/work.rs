//! What an agent's run is about.

use crate::{Action, ApiTokenId, Door, OauthClientId};
use serde::{Deserialize, Serialize};

/// An agent's work for somebody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentWork {
    /// The version of its definition: what changes later is for later runs.
    pub version: i64,
    /// What it may do of what whoever started it may.
    pub authority: Authority,
    /// How many agents work for another above it.
    pub depth: u32,
}

/// What whoever started a run had shown of what they may. It is never more than that, also where they may more by
/// themselves, and what they may not any more it may not either.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Authority {
    /// By which way in.
    pub door: Door,
    /// The actions that what they showed is good for; all that take no fresh proof where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<String>>,
    /// The API token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<ApiTokenId>,
    /// The program of others that acts in their name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<OauthClientId>,
}

impl Authority {
    /// Whether it is good for `action`, whatever policy says. SECURITY: how long ago somebody proved who they are says
    /// nothing of an agent that works for them.
    pub fn covers(&self, action: Action) -> bool {
        // Letting an agent work is letting it think.
        let named = |scope: &String| {
            *scope == action.as_str()
                || (action == Action::ModelUse && *scope == Action::AgentRun.as_str())
        };
        !action.needs_fresh_proof()
            && self.scopes.as_ref().is_none_or(|scopes| scopes.iter().any(named))
    }
}
