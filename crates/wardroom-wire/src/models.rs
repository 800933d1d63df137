//! Bodies of the REST API about language models, what they take and what they may take.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Who runs language models, and how they do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ProviderView {
    /// Its name.
    pub name: String,
    /// `openai`, `compatible`, `anthropic`, `bedrock`, or `scripted`: that asks no model, its answers stand in a file.
    pub kind: String,
    /// The models that programs are told of.
    pub models: Vec<String>,
    /// Whether a cassette stands in its way: its answers are recorded, or were.
    pub played: bool,
    /// By which table its costs are counted.
    pub prices: String,
    /// `closed`; `open` while it is left alone because it failed; `half_open` while it is tried.
    pub breaker: String,
    /// Questions that are being answered.
    pub asked: u32,
    /// Questions that wait for a place.
    pub waiting: u32,
    /// Questions at the same time at most.
    pub parallel_max: u32,
    /// Why it last gave no answer.
    pub last_failure: Option<ProviderFailureView>,
}

/// Why a provider gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProviderFailureView {
    /// What kind: `rate_limited`, `unavailable`, `timed_out`, `unauthorised` and so on.
    pub kind: String,
    /// In words.
    pub detail: String,
    /// When.
    pub at: String,
}

/// A name for a chain of models.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RouteView {
    /// The name.
    pub name: String,
    /// The models as `provider/name`, in the order in which they are asked.
    pub models: Vec<String>,
}

/// `GET /api/v1/models`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ModelsView {
    /// Who runs models.
    pub providers: Vec<ProviderView>,
    /// Names for chains of models.
    pub routes: Vec<RouteView>,
}

/// A question to a language model: what it took. What was asked and answered is not kept with it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ModelCallView {
    /// The question.
    pub id: String,
    /// The account.
    pub user: String,
    /// The customer that it belongs to.
    pub customer: Option<String>,
    /// The API token with which a program asked.
    pub token: Option<String>,
    /// The program of others that acted in that name.
    pub client: Option<String>,
    /// The agent that asked.
    pub agent: Option<String>,
    /// The run that it was for.
    pub run: Option<String>,
    /// By which way in.
    pub door: String,
    /// The model, as `provider/name`.
    pub model: String,
    /// `running`, `answered`, or why there was no answer.
    pub state: String,
    /// When it began.
    pub begun_at: String,
    /// When it ended.
    pub ended_at: Option<String>,
    /// Until its first piece came, in milliseconds.
    pub first_ms: Option<f64>,
    /// Tokens that went in, with those from a cache and to one.
    pub input_tokens: u64,
    /// Of these, read from the provider's cache.
    pub cache_read_tokens: u64,
    /// Of these, written to the provider's cache.
    pub cache_write_tokens: u64,
    /// Tokens that came out.
    pub output_tokens: u64,
    /// What it cost, in US dollars; while it runs, what is put aside for it.
    pub cost_usd: f64,
    /// Whether nobody knows exactly what it took.
    pub estimated: bool,
    /// By which table its cost is counted.
    pub prices: String,
}

/// Questions that have something in common; what differs among them is absent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SpentView {
    /// The account.
    pub user: Option<String>,
    /// The customer.
    pub customer: Option<String>,
    /// The agent.
    pub agent: Option<String>,
    /// The model, as `provider/name`.
    pub model: Option<String>,
    /// The day.
    pub day: Option<String>,
    /// How many questions.
    pub calls: u64,
    /// That have no end yet.
    pub running: u64,
    /// That gave no answer.
    pub failures: u64,
    /// Of which nobody knows exactly what they took.
    pub estimated: u64,
    /// Tokens that went in.
    pub input_tokens: u64,
    /// Of these, read from a cache.
    pub cache_read_tokens: u64,
    /// Tokens that came out.
    pub output_tokens: u64,
    /// What it cost, in US dollars.
    pub cost_usd: f64,
    /// How long they took together, in milliseconds.
    pub ms: f64,
}

/// A bound on what language models may take.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BudgetView {
    /// The budget.
    pub id: String,
    /// What it is for.
    pub about: String,
    /// Whose questions it counts: `everything`, `user`, `customer`, `agent`, `provider` or `token`.
    pub scope: String,
    /// Who exactly; absent where each has as much for itself.
    pub subject: Option<String>,
    /// `day`, `month` or `forever`.
    pub period: String,
    /// The most tokens.
    pub tokens_max: Option<u64>,
    /// The most money, in US dollars.
    pub cost_usd_max: Option<f64>,
    /// At which part of it somebody is told, in percent.
    pub alert_percent: Option<u32>,
    /// Counts changes.
    pub version: i64,
    /// What is used of it in this period: the 20 who used the most.
    pub used: Vec<BudgetUseView>,
}

/// What is used of a budget.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BudgetUseView {
    /// Whose part of it; empty where it counts everything.
    pub subject: String,
    /// Tokens that were taken.
    pub tokens: u64,
    /// Tokens that are put aside for questions that are not answered yet.
    pub tokens_held: u64,
    /// Money that was taken, in US dollars.
    pub cost_usd: f64,
    /// Money that is put aside, in US dollars.
    pub cost_usd_held: f64,
    /// The larger part of its bounds that this is, in percent.
    pub percent: u64,
}

/// `POST /api/v1/budgets`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BudgetCreate {
    /// What it is for: at most 200 characters.
    #[serde(default)]
    pub about: String,
    /// Whose questions it counts: `everything`, `user`, `customer`, `agent`, `provider` or `token`.
    pub scope: String,
    /// Who exactly: an id, or the name of an agent or provider. Where absent, each has as much for itself.
    #[serde(default)]
    pub subject: Option<String>,
    /// `day`, `month` or `forever`.
    pub period: String,
    /// The most tokens.
    #[serde(default)]
    pub tokens_max: Option<u64>,
    /// The most money, in US dollars.
    #[serde(default)]
    pub cost_usd_max: Option<f64>,
    /// At which part of it somebody is told, 1 to 100 percent.
    #[serde(default)]
    pub alert_percent: Option<u32>,
}

/// `PUT /api/v1/budgets/{id}`: what is absent is bounded no more.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BudgetPut {
    /// What it is for: at most 200 characters.
    #[serde(default)]
    pub about: String,
    /// The most tokens.
    #[serde(default)]
    pub tokens_max: Option<u64>,
    /// The most money, in US dollars.
    #[serde(default)]
    pub cost_usd_max: Option<f64>,
    /// At which part of it somebody is told, 1 to 100 percent.
    #[serde(default)]
    pub alert_percent: Option<u32>,
}
