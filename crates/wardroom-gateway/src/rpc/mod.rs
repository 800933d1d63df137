//! JSON-RPC 2.0, read strictly. What a message carries is kept as it was written.

mod error;
mod object;
mod scan;

pub use error::{RpcError, codes};
pub use object::Object;

use scan::scan;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

/// The longest id, in bytes, and the longest name of a method.
const ID_BYTES_MAX: usize = 256;
const METHOD_BYTES_MAX: usize = 128;
/// Messages that come as one list.
const BATCH_MAX: usize = 64;

/// What a request is told apart by: a text or a whole number, never null (MCP, «Base protocol»).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Id {
    /// A whole number.
    Number(i64),
    /// A text.
    Text(String),
}

impl std::fmt::Display for Id {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => text.fmt(f),
        }
    }
}

/// Something that was sent.
#[derive(Debug)]
pub enum Message {
    /// Wants an answer.
    Request(Request),
    /// Wants none.
    Notification(Notification),
    /// Is one.
    Response(Response),
}

/// Wants an answer.
#[derive(Debug)]
pub struct Request {
    /// By which the answer is known.
    pub id: Id,
    /// What is asked for.
    pub method: String,
    /// With what.
    pub params: Object,
}

/// Wants no answer.
#[derive(Debug)]
pub struct Notification {
    /// What it tells.
    pub method: String,
    /// With what.
    pub params: Object,
}

/// An answer.
#[derive(Debug)]
pub struct Response {
    /// To which request.
    pub id: Id,
    /// What came of it.
    pub outcome: Result<Object, RpcError>,
}

/// What is no message, and the id to which that is said where there is one.
#[derive(Debug)]
pub struct Malformed {
    /// The id of what looks like a request.
    pub id: Option<Id>,
    /// What is wrong.
    pub error: RpcError,
}

/// The members of a message. A member that JSON-RPC does not know is refused.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope<'a> {
    #[serde(borrow)]
    jsonrpc: Option<&'a RawValue>,
    // One that is null is there, and wrong.
    #[serde(borrow, default, deserialize_with = "present")]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    method: Option<&'a RawValue>,
    #[serde(borrow)]
    params: Option<&'a RawValue>,
    #[serde(borrow)]
    result: Option<&'a RawValue>,
    error: Option<RpcError>,
}

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// Reads one message.
pub fn parse(bytes: &[u8]) -> Result<Message, Malformed> {
    let nameless = |error| Malformed { id: None, error };
    let text = std::str::from_utf8(bytes)
        .map_err(|_| nameless(RpcError::parse("the message is not UTF-8")))?;
    scan(text).map_err(|error| Malformed { id: find_id(text), error })?;
    if text.trim_start().starts_with('[') {
        return Err(nameless(RpcError::invalid_request("a message is one object, not a list")));
    }
    let envelope: Envelope<'_> = serde_json::from_str(text).map_err(|error| Malformed {
        id: find_id(text),
        error: RpcError::invalid_request(format!("this is no JSON-RPC message: {error}")),
    })?;
    let id = envelope.id.and_then(|raw| read_id(raw.get()));
    let wrong = |why: &str| Malformed { id: id.clone(), error: RpcError::invalid_request(why) };
    if envelope.jsonrpc.map(RawValue::get) != Some("\"2.0\"") {
        return Err(wrong("`jsonrpc` must be \"2.0\""));
    }
    if envelope.id.is_some() && id.is_none() {
        return Err(wrong("`id` must be a text of at most 256 bytes or a whole number"));
    }
    match (envelope.method, envelope.result, envelope.error) {
        (Some(method), None, None) => {
            let method: String = serde_json::from_str(method.get())
                .ok()
                .filter(|method: &String| !method.is_empty() && method.len() <= METHOD_BYTES_MAX)
                .ok_or_else(|| wrong("`method` must be a text of 1 to 128 bytes"))?;
            let params = match envelope.params {
                None => Object::default(),
                Some(raw) => Object::parse(raw.get()).ok_or_else(|| Malformed {
                    id: id.clone(),
                    error: RpcError::invalid_params("`params` must be an object"),
                })?,
            };
            Ok(match id {
                Some(id) => Message::Request(Request { id, method, params }),
                None => Message::Notification(Notification { method, params }),
            })
        }
        (None, result, error) if envelope.params.is_none() => {
            let id =
                id.ok_or_else(|| nameless(RpcError::invalid_request("an answer has an `id`")))?;
            let outcome = match (result, error) {
                (Some(raw), None) => Ok(Object::parse(raw.get()).ok_or_else(|| {
                    nameless(RpcError::invalid_request("`result` must be an object"))
                })?),
                (None, Some(error)) => Err(error),
                _ => {
                    let why = "an answer has either a `result` or an `error`";
                    return Err(nameless(RpcError::invalid_request(why)));
                }
            };
            Ok(Message::Response(Response { id, outcome }))
        }
        _ => Err(wrong("a message is a request, a notification or an answer")),
    }
}

/// The messages of a list; nothing where it is none, or has none, or too many.
pub fn split_batch(bytes: &[u8]) -> Option<Vec<String>> {
    let text = std::str::from_utf8(bytes).ok()?;
    if !text.trim_start().starts_with('[') || scan(text).is_err() {
        return None;
    }
    let parts: Vec<Box<RawValue>> = serde_json::from_str(text).ok()?;
    let fits = (1..=BATCH_MAX).contains(&parts.len());
    fits.then(|| parts.into_iter().map(|part| part.get().to_owned()).collect())
}

fn read_id(text: &str) -> Option<Id> {
    serde_json::from_str(text)
        .ok()
        .filter(|id| !matches!(id, Id::Text(text) if text.len() > ID_BYTES_MAX))
}

/// The id of a message that is wrong otherwise.
fn find_id(text: &str) -> Option<Id> {
    #[derive(Deserialize)]
    struct Named {
        id: Option<Id>,
        // An answer that is wrong is not answered.
        method: Option<serde::de::IgnoredAny>,
    }
    let named: Named = serde_json::from_str(text).ok()?;
    named.method?;
    named.id.filter(|id| !matches!(id, Id::Text(text) if text.len() > ID_BYTES_MAX))
}

#[derive(Serialize)]
struct Outgoing<'a> {
    jsonrpc: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a Id>,
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    params: Option<&'a Object>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<&'a Object>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a RpcError>,
}

fn write(message: &Outgoing<'_>) -> String {
    // Texts, numbers and JSON that was read: writing them can't fail.
    let text = serde_json::to_string(message).unwrap_or_default();
    // SECURITY: where a line is a message, a line break between two members would begin another one. Within texts JSON
    // has none, so only blanks are meant.
    match text.contains(['\n', '\r']) {
        true => text.replace(['\n', '\r'], " "),
        false => text,
    }
}

const EMPTY: Outgoing<'_> =
    Outgoing { jsonrpc: "2.0", id: None, method: None, params: None, result: None, error: None };

/// A request as text.
pub fn request(id: &Id, method: &str, params: &Object) -> String {
    let params = (!params.is_empty()).then_some(params);
    write(&Outgoing { id: Some(id), method: Some(method), params, ..EMPTY })
}

/// A notification as text.
pub fn notification(method: &str, params: &Object) -> String {
    let params = (!params.is_empty()).then_some(params);
    write(&Outgoing { method: Some(method), params, ..EMPTY })
}

/// An answer as text. What had no id that could be read is answered without one.
pub fn response(id: Option<&Id>, outcome: &Result<Object, RpcError>) -> String {
    write(&match outcome {
        Ok(result) => Outgoing { id, result: Some(result), ..EMPTY },
        Err(error) => Outgoing { id, error: Some(error), ..EMPTY },
    })
}

#[cfg(test)]
mod tests;
