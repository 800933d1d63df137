//! An agent's definition: the fields of its file. What stands in these comments is the description of the published
//! JSON Schema, and the bounds here are its bounds.

use super::{Limits, ToolGrants};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Texts that lists show: nothing in them that nobody sees or that turns text around.
const SEEN: &str = r"^[^\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b\u200c\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]*$";

/// An AI agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Wardroom agent")]
pub struct Definition {
    /// By which policy, people and other agents speak of it: a-z 0-9 -, a letter first.
    #[schemars(regex(pattern = r"^[a-z][a-z0-9-]{0,63}$"))]
    pub name: String,
    /// What it is for, in a sentence or two: people choose it by that, and so do other agents.
    #[schemars(length(min = 1, max = 500), regex(pattern = SEEN))]
    pub description: String,
    /// Words to find it by.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20), inner(length(min = 1, max = 40), regex(pattern = SEEN)))]
    pub tags: Vec<String>,
    /// A picture in lists: an emoji.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 8), regex(pattern = SEEN))]
    pub icon: String,
    /// How it works: alone and anew each time, on in a conversation, or with others.
    #[serde(default)]
    pub mode: Mode,
    /// The model that it thinks with.
    pub model: Model,
    /// What it is told before anything else. `{{name}}` stands for a variable.
    #[schemars(length(min = 1, max = 65536))]
    pub instructions: String,
    /// Values that whoever starts it gives, by name; the instructions use them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 50, "propertyNames" = {"maxLength": 64}))]
    pub variables: BTreeMap<String, Variable>,
    /// What it may ask for.
    #[serde(default, skip_serializing_if = "ToolGrants::is_empty")]
    pub tools: ToolGrants,
    /// Where it stops, whatever it wants.
    #[serde(default)]
    pub limits: Limits,
    /// What it remembers of a person from one conversation to the next. Nothing where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<MemoryRules>,
    /// How much of a conversation the model is shown.
    #[serde(default)]
    pub conversation: Conversation,
    /// Who works for it, where it works with others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collaboration: Option<Collaboration>,
    /// How often a model is asked again that could not answer.
    #[serde(default)]
    pub retry: Retry,
}

/// How an agent works.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Each run begins with nothing but its input.
    #[default]
    Autonomous,
    /// Its runs are turns of a conversation with one person.
    Continuous,
    /// It plans, gives steps to other agents, and puts together what they bring.
    Collaborative,
}

impl Mode {
    /// Its name in files and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Autonomous => "autonomous",
            Self::Continuous => "continuous",
            Self::Collaborative => "collaborative",
        }
    }
}

/// The model that an agent thinks with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// Who runs it: a provider that the settings name.
    #[schemars(length(min = 1, max = 64))]
    pub provider: String,
    /// What it is called there.
    #[schemars(length(min = 1, max = 200))]
    pub name: String,
    /// How freely it chooses its words; the provider's own where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0, max = 2.0))]
    pub temperature: Option<f64>,
    /// The longest answer, in tokens.
    #[serde(default = "Model::default_output_tokens_max")]
    #[schemars(range(min = 1, max = 200_000))]
    pub output_tokens_max: u32,
    /// How long one answer may take, in seconds.
    #[serde(default = "Model::default_timeout_seconds")]
    #[schemars(range(min = 1, max = 3600))]
    pub timeout_seconds: u32,
    /// Makes answers to the same question more alike, where the provider has that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = -9_007_199_254_740_992_i64, max = 9_007_199_254_740_992_i64))]
    pub seed: Option<i64>,
    /// Texts at which it stops.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 4), inner(length(min = 1, max = 100)))]
    pub stop: Vec<String>,
    /// The JSON Schema that its last answer meets. Any text where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<Map<String, Value>>,
    /// Who is asked instead, in this order, where a provider can't answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 5))]
    pub fallbacks: Vec<ModelName>,
}

impl Model {
    const fn default_output_tokens_max() -> u32 {
        4096
    }

    const fn default_timeout_seconds() -> u32 {
        120
    }
}

/// Another model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelName {
    /// Who runs it.
    #[schemars(length(min = 1, max = 64))]
    pub provider: String,
    /// What it is called there.
    #[schemars(length(min = 1, max = 200))]
    pub name: String,
}

/// A value that whoever starts an agent gives.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Variable {
    /// Its type.
    #[serde(rename = "type")]
    pub kind: VariableKind,
    /// What it is, for whoever gives it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 500))]
    pub description: String,
    /// Its value where none is given. Without one it must be given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
    /// The texts that it may be; any where there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100), inner(length(min = 1, max = 200)))]
    pub choices: Vec<String>,
}

impl Variable {
    /// Whether `value` may be its value.
    pub fn takes(&self, value: &Value) -> bool {
        let chosen = |text: &str| self.choices.is_empty() || self.choices.iter().any(|c| c == text);
        self.kind.fits(value) && value.as_str().is_none_or(chosen)
    }
}

/// The type of a variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum VariableKind {
    /// A text.
    String,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// True or false.
    Boolean,
}

impl VariableKind {
    /// Whether `value` is one.
    pub fn fits(self, value: &Value) -> bool {
        match self {
            Self::String => value.is_string(),
            Self::Integer => value.is_i64() || value.is_u64(),
            Self::Number => value.is_number(),
            Self::Boolean => value.is_boolean(),
        }
    }
}

/// What an agent remembers of each person by itself. It is sealed under that person's key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MemoryRules {
    /// The parts that it is kept in.
    #[serde(default = "MemoryRules::default_namespaces")]
    #[schemars(length(min = 1, max = 20), inner(regex(pattern = r"^[a-z][a-z0-9_-]{0,63}$")))]
    pub namespaces: Vec<String>,
    /// After how many days it forgets what it wrote down.
    #[serde(default = "MemoryRules::default_days_max")]
    #[schemars(range(min = 1, max = 3650))]
    pub days_max: u32,
    /// How much it remembers of one person, in bytes.
    #[serde(default = "MemoryRules::default_bytes_max")]
    #[schemars(range(min = 1024, max = 16_777_216))]
    pub bytes_max: u32,
}

impl MemoryRules {
    fn default_namespaces() -> Vec<String> {
        vec!["notes".to_owned()]
    }

    const fn default_days_max() -> u32 {
        365
    }

    const fn default_bytes_max() -> u32 {
        1_048_576
    }
}

/// How much of a conversation the model is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Conversation {
    /// What becomes of messages that are too old.
    pub history: History,
    /// How many messages are shown as they were.
    #[schemars(range(min = 1, max = 1000))]
    pub messages_max: u32,
    /// After how many seconds without a message a conversation is put aside.
    #[schemars(range(min = 10, max = 86_400))]
    pub idle_seconds_max: u32,
}

impl Default for Conversation {
    fn default() -> Self {
        Self { history: History::Window, messages_max: 40, idle_seconds_max: 900 }
    }
}

/// What becomes of messages that are too old to be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum History {
    /// They are left out.
    Window,
    /// The model puts them into a few sentences, which are shown in their place.
    Summary,
}

/// Who works for an agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Collaboration {
    /// The agents that steps are given to.
    #[schemars(length(min = 1, max = 20))]
    pub participants: Vec<Participant>,
    /// The most steps of a plan.
    #[serde(default = "Collaboration::default_steps_max")]
    #[schemars(range(min = 1, max = 100))]
    pub steps_max: u32,
    /// How often a step is tried.
    #[serde(default = "Collaboration::default_attempts_max")]
    #[schemars(range(min = 1, max = 5))]
    pub attempts_max: u32,
    /// Whether it may ask the person what they meant before it goes on.
    #[serde(default)]
    pub questions: bool,
}

impl Collaboration {
    const fn default_steps_max() -> u32 {
        20
    }

    const fn default_attempts_max() -> u32 {
        2
    }
}

/// An agent that works for another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Participant {
    /// The agent's name.
    #[schemars(regex(pattern = r"^[a-z][a-z0-9-]{0,63}$"))]
    pub agent: String,
    /// What it is there for: whoever plans reads it.
    #[schemars(length(min = 1, max = 500))]
    pub role: String,
    /// The most tokens that one step of it may take; its own limit where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100_000_000))]
    pub tokens_max: Option<u64>,
    /// How long one step of it may take, in seconds; its own limit where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 86_400))]
    pub seconds_max: Option<u32>,
}

/// How often a model is asked again that could not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Retry {
    /// How often in all.
    #[schemars(range(min = 1, max = 10))]
    pub attempts_max: u32,
    /// The pause before the second attempt, in milliseconds; it doubles, and differs a little each time.
    #[schemars(range(min = 100, max = 60_000))]
    pub backoff_ms: u32,
}

impl Default for Retry {
    fn default() -> Self {
        Self { attempts_max: 3, backoff_ms: 500 }
    }
}
