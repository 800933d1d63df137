//! Language models: what one is asked and what it answers, in one shape for all providers.

mod answer;
mod ask;
mod failure;
mod price;
mod usage;

pub use answer::{Answer, AnswerError, Event, Finish};
pub use ask::{Ask, AssistantPart, ImageKind, Message, ToolChoice, ToolSpec, UserPart};
pub use failure::{ModelFailure, ModelFailureKind};
pub use price::{Price, PriceError, Prices};
pub use usage::Usage;
