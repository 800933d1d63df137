//! One question to a model as the ledger has it: what was put aside for it, and what it took.

use super::{ModelFailureKind, Usage};
use crate::{ApiTokenId, CustomerId, Door, ModelCallId, OauthClientId, RunId, Timestamp, UserId};
use serde::{Deserialize, Serialize};

/// An amount of tokens and money.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spend {
    /// Tokens, those that go in and those that come out.
    pub tokens: u64,
    /// Money, in millionths of a US dollar.
    pub cost_micros: u64,
}

/// A question to a model. It is on disk before the provider hears of it, with what was put aside for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelCall {
    /// Its id: providers are shown it as the key of the request.
    pub id: ModelCallId,
    /// For whom.
    pub user: UserId,
    /// The customer that they belong to.
    pub customer: Option<CustomerId>,
    /// The token with which a program asked.
    pub token: Option<ApiTokenId>,
    /// The program of others that acted in that name.
    pub client: Option<OauthClientId>,
    /// The agent that asked, by its name.
    pub agent: Option<String>,
    /// The run that it was for.
    pub run: Option<RunId>,
    /// By which way in.
    pub door: Door,
    /// The provider's name.
    pub provider: String,
    /// The model, as the provider calls it.
    pub model: String,
    /// What was put aside for it.
    pub held: Spend,
    /// Which table its cost is by.
    pub prices: String,
    /// When it began.
    pub begun_at: Timestamp,
    /// How it ended, once it has.
    pub end: Option<ModelCallEnd>,
}

/// How a question to a model ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelCallEnd {
    /// When.
    pub at: Timestamp,
    /// What it took.
    pub usage: Usage,
    /// What that costs, in millionths of a US dollar.
    pub cost_micros: u64,
    /// Whether nobody knows what it took: then it counts for what was put aside, or what could be seen of it.
    pub estimated: bool,
    /// Until its first piece came, in microseconds.
    pub first_micros: Option<u64>,
    /// Why it gave no answer.
    pub failure: Option<ModelFailureKind>,
}

impl ModelCallEnd {
    /// That of a question of which nobody knows what it took. SECURITY: it counts for all that was put aside: a budget is
    /// never fuller than it looks.
    pub fn lost(call: &ModelCall, at: Timestamp) -> Self {
        Self {
            at,
            usage: Usage { input_tokens: call.held.tokens, ..Usage::default() },
            cost_micros: call.held.cost_micros,
            estimated: true,
            first_micros: None,
            failure: Some(ModelFailureKind::Broken),
        }
    }

    /// What it took.
    pub const fn spend(&self) -> Spend {
        Spend { tokens: self.usage.total(), cost_micros: self.cost_micros }
    }
}
