//! What an agent's run is about.

use crate::{
    Action, ApiTokenId, Door, OauthClientId, SessionId, ThreadId, agent::Limits, model::Spend,
};
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
    /// What the run that it is a part of leaves it: what it starts counts as its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<Within>,
    /// The conversation that it is a turn of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<ThreadId>,
}

/// What a run leaves one that it starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Within {
    /// How much further down agents may start agents.
    pub depth: u32,
    /// Of tokens and money.
    pub spend: Spend,
}

impl AgentWork {
    /// The limits of a definition, within what is left to it.
    pub fn bound(&self, mut limits: Limits) -> Limits {
        if let Some(within) = self.within {
            limits.depth_max = limits.depth_max.min(within.depth);
            limits.tokens_max = limits.tokens_max.min(within.spend.tokens);
            limits.cost_usd_max = limits.cost_usd_max.min(within.spend.cost_micros as f64 / 1e6);
        }
        limits
    }
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
    /// The session by which it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grant: Option<SessionId>,
}

impl Authority {
    /// Whether it is good for `action`, whatever policy says. SECURITY: how long ago somebody proved who they are says
    /// nothing of an agent that works for them.
    pub fn covers(&self, action: Action) -> bool {
        // Letting an agent work is letting it think, and remember.
        let own = matches!(
            action,
            Action::ModelUse | Action::MemoryList | Action::MemoryWrite | Action::MemoryRemove
        );
        let named = |scope: &String| {
            *scope == action.as_str() || (own && *scope == Action::AgentRun.as_str())
        };
        !action.needs_fresh_proof()
            && self.scopes.as_ref().is_none_or(|scopes| scopes.iter().any(named))
    }
}
