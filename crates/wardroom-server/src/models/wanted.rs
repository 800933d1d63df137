//! What a request asks for, whatever its dialect.

use super::wrong;
use crate::error::ApiError;
use data_encoding::BASE64;
use serde_json::{Map, Value};
use wardroom_core::model::{Ask, AssistantPart, Extra, ImageKind, Message, UserPart};

/// The longest answer where none is bounded, in tokens.
pub(super) const OUTPUT_TOKENS: u32 = 4096;
/// The longest answer that may be asked for.
const OUTPUT_TOKENS_MAX: u32 = 1_000_000;
/// Messages and tools of one request.
const MESSAGES_MAX: usize = 10_000;
const TOOLS_MAX: usize = 512;

/// What a request asks for.
pub(super) struct Wanted {
    /// The model's name, as the request has it.
    pub(super) model: String,
    /// The question.
    pub(super) ask: Ask,
    /// Whether the answer is to come piece by piece.
    pub(super) streamed: bool,
    /// Whether what it took is to be told in a piece of its own.
    pub(super) with_usage: bool,
}

impl Wanted {
    /// Holds it within bounds.
    pub(super) fn checked(self) -> Result<Self, ApiError> {
        let ask = &self.ask;
        if self.model.is_empty() || self.model.len() > 300 {
            return Err(wrong("model", "must be 1 to 300 bytes"));
        }
        if ask.messages.is_empty() || ask.messages.len() > MESSAGES_MAX {
            return Err(wrong("messages", format!("must be 1 to {MESSAGES_MAX}")));
        }
        if ask.tools.len() > TOOLS_MAX {
            return Err(wrong("tools", format!("must be at most {TOOLS_MAX}")));
        }
        if !(1..=OUTPUT_TOKENS_MAX).contains(&ask.output_tokens_max) {
            return Err(wrong("max_tokens", format!("must be 1 to {OUTPUT_TOKENS_MAX}")));
        }
        let name = |name: &str| {
            (1..=128).contains(&name.len())
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
        };
        if let Some(tool) = ask.tools.iter().find(|tool| !name(&tool.name)) {
            let why = format!("{:?} must be 1 to 128 of A-Z a-z 0-9 _ -", tool.name);
            return Err(wrong("tools", why));
        }
        Ok(self)
    }
}

/// Adds what a person or a tool says: what follows each other is one message.
pub(super) fn tell(messages: &mut Vec<Message>, more: Vec<UserPart>) {
    match messages.last_mut() {
        Some(Message::User { parts }) => parts.extend(more),
        _ => messages.push(Message::User { parts: more }),
    }
}

/// Adds what a model said: what follows each other is one message.
pub(super) fn said(messages: &mut Vec<Message>, more: Vec<AssistantPart>) {
    match messages.last_mut() {
        Some(Message::Assistant { parts }) => parts.extend(more),
        _ => messages.push(Message::Assistant { parts: more }),
    }
}

/// A picture by its type and its bytes in Base64.
pub(super) fn image(place: &str, kind: &str, data: &str) -> Result<UserPart, ApiError> {
    let format = match kind {
        "image/png" => ImageKind::Png,
        "image/jpeg" | "image/jpg" => ImageKind::Jpeg,
        "image/gif" => ImageKind::Gif,
        "image/webp" => ImageKind::Webp,
        _ => return Err(wrong(place, "pictures are PNG, JPEG, GIF or WebP")),
    };
    if BASE64.decode_len(data.len()).is_err() || BASE64.decode(data.as_bytes()).is_err() {
        return Err(wrong(place, "its bytes are no Base64"));
    }
    Ok(UserPart::Image { format, data: data.to_owned() })
}

/// Takes apart what else stands in a request: what is passed on to one API, what says nothing to a model, and what would
/// be lost. A member that is null is not there.
pub(super) fn rest(
    members: Map<String, Value>,
    api: &str,
    passed: &[&str],
    idle: &[&str],
) -> Result<Option<Extra>, ApiError> {
    let mut extra = Map::new();
    for (name, value) in members {
        if value.is_null() || idle.contains(&name.as_str()) {
            continue;
        }
        if !passed.contains(&name.as_str()) {
            return Err(wrong(&name, "is not supported here: leave it out"));
        }
        extra.insert(name, value);
    }
    Ok((!extra.is_empty()).then(|| Extra { api: api.to_owned(), members: extra }))
}
