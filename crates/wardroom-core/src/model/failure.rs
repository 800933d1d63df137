//! Why a model gave no answer.

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

/// The kinds of reasons why a model gives no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ModelFailureKind {
    /// It is asked too much at the moment.
    RateLimited,
    /// It is down, overloaded, or not there yet.
    Unavailable,
    /// It took too long.
    TimedOut,
    /// The answer broke off, or was none.
    Broken,
    /// The conversation is longer than it can read.
    ContextTooLong,
    /// It won't speak about that.
    Refused,
    /// The key is not good, or not for this.
    Unauthorised,
    /// What the account there may spend is spent.
    OutOfFunds,
    /// There is no such model.
    NoSuchModel,
    /// The question is not one that it takes.
    Invalid,
    /// Somebody stopped it.
    Cancelled,
}

impl ModelFailureKind {
    /// The name in records and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RateLimited => "rate_limited",
            Self::Unavailable => "unavailable",
            Self::TimedOut => "timed_out",
            Self::Broken => "broken",
            Self::ContextTooLong => "context_too_long",
            Self::Refused => "refused",
            Self::Unauthorised => "unauthorised",
            Self::OutOfFunds => "out_of_funds",
            Self::NoSuchModel => "no_such_model",
            Self::Invalid => "invalid",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether the same question may be answered a little later.
    pub const fn is_passing(self) -> bool {
        matches!(self, Self::RateLimited | Self::Unavailable | Self::TimedOut | Self::Broken)
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
