//! How much models are used, by whom, and how they do.

use super::Usage;
use crate::{CustomerId, Timestamp, UserId, named::named};

/// The most groups that are told of at once: those that cost the most.
pub const GROUPS_MAX: u32 = 500;

named! {
    /// What questions are put together by.
    SpentBy = "user, customer, agent, model, day" {
        /// By account.
        User = "user",
        /// By customer.
        Customer = "customer",
        /// By agent.
        Agent = "agent",
        /// By provider and model.
        Model = "model",
        /// By day, of UTC.
        Day = "day",
    }
}

/// Which questions are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpentFilter {
    /// What they are put together by.
    pub by: SpentBy,
    /// That began at this time or later.
    pub since: Timestamp,
    /// Of this account.
    pub user: Option<UserId>,
}

/// Questions that have something in common; what differs among them is absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Spent {
    /// The account.
    pub user: Option<UserId>,
    /// The customer.
    pub customer: Option<CustomerId>,
    /// The agent.
    pub agent: Option<String>,
    /// The provider.
    pub provider: Option<String>,
    /// The model.
    pub model: Option<String>,
    /// The day's begin.
    pub day: Option<Timestamp>,
    /// How many questions.
    pub calls: u64,
    /// That have no end yet.
    pub running: u64,
    /// That gave no answer.
    pub failures: u64,
    /// Of which nobody knows what they took.
    pub estimated: u64,
    /// What they took.
    pub usage: Usage,
    /// What that costs, in millionths of a US dollar.
    pub cost_micros: u64,
    /// How long they took together, in microseconds.
    pub micros: u64,
}
