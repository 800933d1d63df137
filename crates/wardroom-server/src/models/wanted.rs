//! What a request asks for, whatever its dialect.

use super::wrong;
use crate::error::ApiError;
use data_encoding::BASE64;
use serde::Deserialize;
use serde_json::{Map, value::RawValue};
use std::collections::BTreeMap;
use wardroom_core::model::{Ask, AssistantPart, Extra, ImageKind, Message, ToolChoice, UserPart};

/// The longest answer where none is bounded, in tokens.
pub(super) const OUTPUT_TOKENS: u32 = 4096;
/// The longest answer that may be asked for.
const OUTPUT_TOKENS_MAX: u32 = 1_000_000;
/// Messages of one request, parts of a message, pictures in all of them, and tools.
const MESSAGES_MAX: usize = 10_000;
const PARTS_MAX: usize = 1000;
const IMAGES_MAX: usize = 100;
const TOOLS_MAX: usize = 512;
/// The longest name of a tool, in bytes: what all providers take.
const TOOL_NAME_BYTES_MAX: usize = 64;
/// The longest name of a model, in bytes.
const MODEL_BYTES_MAX: usize = 200;
/// The longest text of JSON that describes tools, that is passed on, and that says anything else.
const TOOLS_BYTES_MAX: usize = 2 * 1024 * 1024;
const PASSED_BYTES_MAX: usize = 64 * 1024;
const SMALL_BYTES_MAX: usize = 256 * 1024;

/// What a request asks for.
pub(super) struct Wanted {
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
        if ask.messages.is_empty() {
            return Err(wrong("messages", "must have one at least"));
        }
        if !(1..=OUTPUT_TOKENS_MAX).contains(&ask.output_tokens_max) {
            return Err(wrong("max_tokens", format!("must be 1 to {OUTPUT_TOKENS_MAX}")));
        }
        let images = ask.messages.iter().map(|message| match message {
            Message::User { parts } => {
                parts.iter().filter(|part| matches!(part, UserPart::Image { .. })).count()
            }
            Message::Assistant { .. } => 0,
        });
        if images.sum::<usize>() > IMAGES_MAX {
            return Err(wrong("messages", format!("must have at most {IMAGES_MAX} pictures")));
        }
        if ask.tools.len() > TOOLS_MAX {
            return Err(wrong("tools", format!("must be at most {TOOLS_MAX}")));
        }
        let name = |name: &str| {
            (1..=TOOL_NAME_BYTES_MAX).contains(&name.len())
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
        };
        if let Some(tool) = ask.tools.iter().find(|tool| !name(&tool.name)) {
            let why =
                format!("{:?} must be 1 to {TOOL_NAME_BYTES_MAX} of A-Z a-z 0-9 _ -", tool.name);
            return Err(wrong("tools", why));
        }
        if matches!(&ask.tool_choice, ToolChoice::Tool(chosen) if !name(chosen)) {
            return Err(wrong("tool_choice", "must name a tool"));
        }
        Ok(self)
    }
}

/// The model that a request names; the rest of it is passed over. SECURITY: it stands in records.
pub(super) fn named(body: &[u8]) -> Result<String, ApiError> {
    #[derive(Deserialize)]
    struct Named {
        model: String,
    }
    let named: Named =
        serde_json::from_slice(body).map_err(|error| wrong("body", error.to_string()))?;
    let sound = |b: u8| b.is_ascii_alphanumeric() || b"._:/@+-".contains(&b);
    if !(1..=MODEL_BYTES_MAX).contains(&named.model.len()) || !named.model.bytes().all(sound) {
        let why = format!("must be 1 to {MODEL_BYTES_MAX} of A-Z a-z 0-9 . _ : / @ + -");
        return Err(wrong("model", why));
    }
    Ok(named.model)
}

/// A request's members, of which none is taken apart before it is asked for: what is long is refused by its length.
pub(super) struct Members<'a>(BTreeMap<String, &'a RawValue>);

impl<'a> Members<'a> {
    /// Those of a body.
    pub(super) fn read(body: &'a [u8]) -> Result<Self, ApiError> {
        serde_json::from_slice(body).map(Self).map_err(|error| wrong("body", error.to_string()))
    }

    fn within<T: Deserialize<'a>>(
        &mut self,
        name: &str,
        bytes_max: usize,
    ) -> Result<Option<T>, ApiError> {
        let raw = self.0.remove(name).filter(|raw| raw.get() != "null");
        let Some(raw) = raw else { return Ok(None) };
        if raw.get().len() > bytes_max {
            return Err(wrong(name, format!("must be at most {bytes_max} bytes as JSON")));
        }
        let read = serde_json::from_str(raw.get());
        read.map(Some).map_err(|error| wrong(name, error.to_string()))
    }

    /// A member, where it is there; one that is null is not.
    pub(super) fn take<T: Deserialize<'a>>(&mut self, name: &str) -> Result<Option<T>, ApiError> {
        self.within(name, SMALL_BYTES_MAX)
    }

    /// The tools.
    pub(super) fn tools<T: Deserialize<'a>>(&mut self) -> Result<Vec<T>, ApiError> {
        Ok(self.within("tools", TOOLS_BYTES_MAX)?.unwrap_or_default())
    }

    /// The messages, each with its place.
    pub(super) fn messages<T: Deserialize<'a>>(&mut self) -> Result<Vec<(String, T)>, ApiError> {
        let raw: Vec<&RawValue> = self.within("messages", usize::MAX)?.unwrap_or_default();
        if raw.len() > MESSAGES_MAX {
            return Err(wrong("messages", format!("must be at most {MESSAGES_MAX}")));
        }
        let message = |(index, raw): (usize, &'a RawValue)| {
            let place = format!("messages[{index}]");
            let read = serde_json::from_str(raw.get());
            let message = read.map_err(|error| wrong(&place, error.to_string()))?;
            Ok((place, message))
        };
        raw.into_iter().enumerate().map(message).collect()
    }

    /// What else is there: what is passed on to one API, what says nothing to a model, and what would be lost.
    pub(super) fn rest(
        mut self,
        api: &str,
        passed: &[&str],
        idle: &[&str],
    ) -> Result<Option<Extra>, ApiError> {
        self.0.retain(|name, raw| raw.get() != "null" && !idle.contains(&name.as_str()));
        let mut members = Map::new();
        while let Some(name) = self.0.keys().next().cloned() {
            if !passed.contains(&name.as_str()) {
                return Err(wrong(&name, "is not supported here: leave it out"));
            }
            members.extend(self.within(&name, PASSED_BYTES_MAX)?.map(|value| (name, value)));
        }
        Ok((!members.is_empty()).then(|| Extra { api: api.to_owned(), members }))
    }
}

/// What stands in a message: a text, or parts of it.
pub(super) enum Content<'a> {
    Text(String),
    Parts(Vec<&'a RawValue>),
}

impl<'a> Content<'a> {
    /// Reads it.
    pub(super) fn read(raw: &'a RawValue, place: &str) -> Result<Self, ApiError> {
        let unread = |error: serde_json::Error| wrong(place, error.to_string());
        if raw.get().starts_with('"') {
            return serde_json::from_str(raw.get()).map(Self::Text).map_err(unread);
        }
        let parts: Vec<&RawValue> = serde_json::from_str(raw.get()).map_err(unread)?;
        if parts.len() > PARTS_MAX {
            return Err(wrong(place, format!("must have at most {PARTS_MAX} parts")));
        }
        Ok(Self::Parts(parts))
    }
}

/// A part of a content.
pub(super) fn part<'a, T: Deserialize<'a>>(raw: &'a RawValue, place: &str) -> Result<T, ApiError> {
    serde_json::from_str(raw.get()).map_err(|error| wrong(place, error.to_string()))
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
