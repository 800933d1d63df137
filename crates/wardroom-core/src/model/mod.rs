//! Language models: what one is asked and what it answers, in one shape for all providers.

mod answer;
mod ask;
mod budget;
mod call;
mod course;
pub mod estimate;
mod failure;
mod price;
mod provider;
mod spent;
mod usage;

pub use answer::{ANSWER_BYTES_MAX, Answer, AnswerError, CALLS_MAX, Event, Finish};
pub use ask::{Ask, AssistantPart, Extra, ImageKind, Message, ToolChoice, ToolSpec, UserPart};
pub use budget::{
    AMOUNT_MAX, BUDGETS_MAX, Budget, BudgetPeriod, BudgetScope, BudgetUse, ModelWrite,
};
pub use call::{ModelCall, ModelCallEnd, Spend};
pub use course::{Course, Next};
pub use failure::{ModelFailure, ModelFailureKind};
pub use price::{Listed, Price, PriceError, Prices};
pub use provider::{ModelProvider, Pieces, Question};
pub use spent::{GROUPS_MAX, Spent, SpentBy, SpentFilter};
pub use usage::Usage;
