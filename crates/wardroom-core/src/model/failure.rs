//! Why a model gave no answer.

use crate::named::named;
use std::time::Duration;

/// Why a model gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind}: {detail}")]
pub struct ModelFailure {
    /// What kind it is.
    pub kind: ModelFailureKind,
    /// In words, for operators: of the provider, cut, and without secrets.
    pub detail: String,
    /// How long the provider asks to wait before it is asked again.
    pub retry_after: Option<Duration>,
}

impl ModelFailure {
    /// Without a word on when to come back.
    pub fn new(kind: ModelFailureKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), retry_after: None }
    }
}

named! {
    /// The kinds of reasons why a model gives no answer.
    ModelFailureKind = "rate_limited, unavailable, timed_out, broken, resting, context_too_long, refused, unauthorised, out_of_funds, no_such_model, invalid, cancelled" {
        /// It is asked too much at the moment.
        RateLimited = "rate_limited",
        /// It is down, overloaded, or not there yet.
        Unavailable = "unavailable",
        /// It took too long.
        TimedOut = "timed_out",
        /// The answer broke off, or was none.
        Broken = "broken",
        /// It failed so often that it is left alone for a while.
        Resting = "resting",
        /// The conversation is longer than it can read.
        ContextTooLong = "context_too_long",
        /// It won't speak about that.
        Refused = "refused",
        /// The key is not good, or not for this.
        Unauthorised = "unauthorised",
        /// What the account there may spend is spent.
        OutOfFunds = "out_of_funds",
        /// There is no such model.
        NoSuchModel = "no_such_model",
        /// The question is not one that it takes.
        Invalid = "invalid",
        /// Somebody stopped it.
        Cancelled = "cancelled",
    }
}

impl ModelFailureKind {
    /// Whether the same question may be answered a little later.
    pub const fn is_passing(self) -> bool {
        matches!(
            self,
            Self::RateLimited | Self::Unavailable | Self::TimedOut | Self::Broken | Self::Resting
        )
    }

    /// Whether another provider may answer what this one did not.
    pub const fn is_of_provider(self) -> bool {
        self.is_passing()
            || matches!(self, Self::Unauthorised | Self::OutOfFunds | Self::NoSuchModel)
    }
}

impl std::fmt::Display for ModelFailureKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
