//! What a journal is made of.

use super::{Labels, Reading};
use crate::{
    ApprovalId, ModelCallId, RunId, ToolCallId,
    model::{AssistantPart, Finish, Message, ModelFailureKind, Spend, Usage},
    named::named,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Something that happened to a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Entry {
    /// It begins.
    Begun {
        /// What the model is told before anything else.
        system: String,
        /// Values of variables, as whoever began it gave them.
        #[serde(default, skip_serializing_if = "Map::is_empty")]
        variables: Map<String, Value>,
        /// What was said in the conversation that is too old to be shown: the model puts it into a few sentences first.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        aside: String,
        /// The conversation until now, as far as it is shown.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        earlier: Vec<Message>,
        /// What is asked.
        messages: Vec<Message>,
        /// What it has seen before: that of the conversation, or of the run that it works for.
        labels: Labels,
        /// What it gets out of what it is asked, where it only reads something for another run: it can call nothing then.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reading: Option<Reading>,
    },
    /// A model is asked.
    Asked {
        /// What the ledger calls the attempt.
        call: ModelCallId,
        /// What attempts before it took that brought nothing.
        wasted: Spend,
    },
    /// It answered.
    Answered {
        /// What.
        parts: Vec<AssistantPart>,
        /// How it ended.
        finish: Finish,
        /// What it took.
        usage: Usage,
        /// What that costs, in millionths of a US dollar.
        cost_micros: u64,
    },
    /// It put what is too old to be shown into a few sentences.
    SummedUp {
        /// Which; empty where it would not.
        text: String,
        /// What it took.
        usage: Usage,
        /// What that costs, in millionths of a US dollar.
        cost_micros: u64,
    },
    /// No model answered, or none could be asked.
    Unanswered {
        /// Why.
        failure: ModelFailureKind,
        /// In words.
        detail: String,
        /// What was taken all the same.
        spend: Spend,
    },
    /// A tool is called.
    Called {
        /// The call's id, as the model gave it.
        id: String,
        /// What the gateway keeps it under, where it goes there.
        call: Option<ToolCallId>,
        /// Whether it may be called again when nobody knows what came of it.
        repeatable: bool,
    },
    /// What came of a call.
    Returned {
        /// Of which.
        id: String,
        /// As text.
        text: String,
        /// Whether the tool could not do it.
        is_error: bool,
        /// What the run has seen by it.
        labels: Labels,
        /// What it took of models, where another agent did it.
        #[serde(default)]
        spend: Spend,
        /// That the model is not shown it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        held: Option<HeldBack>,
    },
    /// A call waits for a person, or for another run.
    Waits {
        /// Which.
        id: String,
        /// For whom.
        on: Awaited,
    },
    /// What a call waited for is there: it goes on.
    Heard {
        /// Which.
        id: String,
    },
    /// It is over.
    Ended {
        /// How.
        how: Ended,
    },
}

/// What a call brought that the model is not shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeldBack {
    /// By which it is known.
    pub name: String,
    /// Where it is from.
    pub source: String,
    /// What whoever reads it has seen.
    pub labels: Labels,
}

/// For whom a call waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Awaited {
    /// Whoever may consent.
    Consent {
        /// The approval.
        approval: ApprovalId,
    },
    /// The person for whom it works: the agent asked something.
    Answer {
        /// What.
        question: String,
    },
    /// Whoever may say what became of a call that was under way when the orchestrator stopped.
    Doubt,
    /// Another run.
    Run {
        /// Which.
        run: RunId,
    },
}

/// A call of which nobody knows what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt {
    /// The call's id.
    pub id: String,
    /// What the gateway keeps it under, where it goes there: what the gateway does not know was never made.
    pub call: Option<ToolCallId>,
    /// Whether it may be called again.
    pub repeatable: bool,
}

named! {
    /// Where a run stops, whatever its agent wants.
    Limit = "steps, tool_calls, tokens, cost, output, repeats" {
        /// Models were asked as often as may be.
        Steps = "steps",
        /// Tools were called as often as may be.
        ToolCalls = "tool_calls",
        /// There is no room for another question.
        Tokens = "tokens",
        /// There is no money for another question.
        Cost = "cost",
        /// The last answer is as long as it may be, and not whole.
        Output = "output",
        /// The very same call was made again and again.
        Repeats = "repeats",
    }
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Ended {
    /// With an answer.
    Answered {
        /// What.
        text: String,
    },
    /// The model would not say it.
    Refused {
        /// What it said instead.
        text: String,
    },
    /// At a limit.
    Limit {
        /// At which.
        limit: Limit,
    },
    /// No model answered.
    Failed {
        /// Why.
        failure: ModelFailureKind,
        /// In words.
        detail: String,
    },
    /// Somebody stopped it.
    Cancelled,
}
