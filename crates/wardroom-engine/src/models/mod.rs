//! Language models: how providers are asked, and how their answers are read.

pub mod anthropic;
mod asking;
pub mod bedrock;
mod begun;
mod budgets;
mod cassette;
pub mod event_stream;
mod http;
mod key;
mod known;
mod listening;
pub mod openai;
mod provider;
mod scripted;
pub mod sigv4;
mod tidy;

pub use asking::{Along, Answering, AskError, Asker, Heard, Inquiry};
pub use begun::Settlement;
pub use budgets::BudgetBounds;
pub use cassette::{Cassette, CassetteMode};
pub use http::{Api, HttpProvider};
pub use key::{KeySource, Keys, ReadKey};
pub(crate) use known::KnownSecrets;
pub use provider::{Models, Provider, ProviderHealth, ProviderParts};
pub use scripted::{Counted, Script, ScriptError};

use serde_json::Value;
use std::time::Duration;
use wardroom_core::model::{Ask, Event, ModelFailure, ModelFailureKind as Kind};

/// What of a provider's words is kept, in characters.
const DETAIL_CHARS_MAX: usize = 300;
/// The longest that a provider may ask to wait.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(120);

/// What an event of a streamed answer brings.
#[derive(Debug, Clone, PartialEq)]
pub enum Line {
    /// Pieces of the answer.
    Events(Vec<Event>),
    /// The end of the answer.
    End(Event),
}

/// What only this kind of API knows; nothing takes the place of what stands there already.
fn add_extra(body: &mut serde_json::Map<String, Value>, ask: &Ask) {
    for (name, value) in ask.extra.iter().flat_map(|extra| &extra.members) {
        body.entry(name).or_insert_with(|| value.clone());
    }
}

fn broken(why: &str) -> ModelFailure {
    ModelFailure::new(Kind::Broken, why)
}

fn context_too_long() -> ModelFailure {
    ModelFailure::new(Kind::ContextTooLong, "the conversation is longer than the model can read")
}

/// A failure by what `named` makes of the error in the body, or else by the status. A body that is none is no failure of
/// ours.
fn told_by(
    status: Option<u16>,
    retry_after: Option<Duration>,
    body: &str,
    named: impl FnOnce(&Value) -> Option<Kind>,
) -> ModelFailure {
    let said: Value = serde_json::from_str(body).unwrap_or_default();
    let error = said.get("error").unwrap_or(&said);
    let by_status = || match status {
        Some(401 | 403) => Kind::Unauthorised,
        Some(402) => Kind::OutOfFunds,
        Some(404) => Kind::NoSuchModel,
        Some(408 | 504) => Kind::TimedOut,
        Some(413) => Kind::ContextTooLong,
        Some(429) => Kind::RateLimited,
        Some(409 | 500..=599) | None => Kind::Unavailable,
        Some(_) => Kind::Invalid,
    };
    let kind = named(error).unwrap_or_else(by_status);
    let said = match error {
        Value::String(text) => text.as_str(),
        error => error.get("message").and_then(Value::as_str).unwrap_or_default(),
    };
    let said: String = said.chars().filter(|c| !c.is_control()).take(DETAIL_CHARS_MAX).collect();
    let status = status.map(|status| format!("it answered with {status}"));
    let parts = [status.unwrap_or_default(), said].into_iter().filter(|part| !part.is_empty());
    ModelFailure {
        kind,
        detail: parts.collect::<Vec<_>>().join(": "),
        retry_after: retry_after.map(|wait| wait.min(RETRY_AFTER_MAX)),
    }
}
