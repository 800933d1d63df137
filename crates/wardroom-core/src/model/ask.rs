//! What a model is asked.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A question to a model.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// The model, as its provider calls it.
    pub model: String,
    /// What it is told before the conversation.
    pub system: String,
    /// The conversation, oldest first.
    pub messages: Vec<Message>,
    /// What it may call.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<ToolSpec>,
    /// Whether it must call something.
    #[serde(default)]
    pub tool_choice: ToolChoice,
    /// Whether it may call several tools at once.
    #[serde(default)]
    pub parallel_calls: bool,
    /// The longest answer, in tokens.
    pub output_tokens_max: u32,
    /// How freely it chooses its words; the provider's own where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// Makes answers to the same question more alike, where the provider has that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<i64>,
    /// Texts at which it stops.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stop: Vec<String>,
    /// The JSON Schema that its answer meets; any text where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<Map<String, Value>>,
    /// Whether the provider is to see to it that the answer meets that schema, where it can.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub response_strict: bool,
    /// What only one kind of API knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extra: Option<Extra>,
}

/// What only one kind of API knows: passed on as it is to providers that speak it, refused by others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Extra {
    /// The API: `openai` or `anthropic`.
    pub api: String,
    /// Members of the request.
    pub members: Map<String, Value>,
}

/// A message of a conversation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "role", rename_all = "snake_case", deny_unknown_fields)]
pub enum Message {
    /// What the model is told: by a person, or by tools that it called.
    User {
        /// The parts in their order.
        parts: Vec<UserPart>,
    },
    /// What the model answered.
    Assistant {
        /// The parts in their order.
        parts: Vec<AssistantPart>,
    },
}

/// A part of what a model is told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum UserPart {
    /// A text.
    Text {
        /// The text.
        text: String,
    },
    /// A picture.
    Image {
        /// Its format.
        format: ImageKind,
        /// Its bytes in Base64.
        data: String,
    },
    /// What a tool that it called gave back.
    ToolResult {
        /// The call's id, as the model gave it.
        id: String,
        /// The result as text.
        text: String,
        /// Whether the tool could not do it.
        is_error: bool,
    },
}

impl UserPart {
    /// What is said in it.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text { text } => Some(text),
            Self::Image { .. } | Self::ToolResult { .. } => None,
        }
    }
}

/// The format of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImageKind {
    /// PNG.
    Png,
    /// JPEG.
    Jpeg,
    /// GIF.
    Gif,
    /// WebP.
    Webp,
}

impl ImageKind {
    /// Its name without `image/`, which all providers use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Jpeg => "jpeg",
            Self::Gif => "gif",
            Self::Webp => "webp",
        }
    }
}

/// A part of what a model answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum AssistantPart {
    /// A text.
    Text {
        /// The text.
        text: String,
    },
    /// A call of a tool.
    ToolCall {
        /// By which its result is known.
        id: String,
        /// The tool, as the model was told of it.
        name: String,
        /// What it is called with.
        arguments: Map<String, Value>,
    },
    /// What the model thought. It goes back to the provider that it came from, unchanged, and to no other.
    Thought {
        /// The provider's kind, such as `anthropic`.
        from: String,
        /// As the provider gave it.
        raw: Value,
    },
}

impl AssistantPart {
    /// What is said in it.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text { text } => Some(text),
            Self::Thought { .. } | Self::ToolCall { .. } => None,
        }
    }
}

/// A tool as a model is told of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToolSpec {
    /// Its name: 1 to 64 of `A-Z a-z 0-9 _ -`, which all providers take.
    pub name: String,
    /// What it does.
    pub description: String,
    /// The JSON Schema of its arguments.
    pub arguments: Map<String, Value>,
    /// Whether the provider is to see to it that arguments meet that schema, where it can.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub strict: bool,
}

/// Whether a model must call something.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolChoice {
    /// As it likes.
    #[default]
    Auto,
    /// Nothing.
    Nothing,
    /// Something.
    Any,
    /// This tool.
    Tool(String),
}
