//! Answers of Converse: the frames of a stream, and failures.

use super::FROM;
use crate::models::{Line, broken, context_too_long, event_stream::Frame, told_by};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{collections::BTreeMap, time::Duration};
use wardroom_core::model::{Event, Finish, ModelFailure, ModelFailureKind as Kind, Usage};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BlockStart {
    content_block_index: u32,
    start: Start,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Start {
    tool_use: Option<ToolUse>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ToolUse {
    tool_use_id: String,
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BlockDelta {
    content_block_index: u32,
    delta: Delta,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Delta {
    text: Option<String>,
    tool_use: Option<Input>,
    reasoning_content: Option<Reasoning>,
}

#[derive(Deserialize)]
struct Input {
    input: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reasoning {
    text: Option<String>,
    signature: Option<String>,
    redacted_content: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BlockStop {
    content_block_index: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MessageStop {
    stop_reason: String,
}

#[derive(Deserialize)]
struct Metadata {
    usage: Option<Used>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Used {
    input_tokens: u64,
    output_tokens: u64,
    total_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
    cache_write_input_tokens: Option<u64>,
}

impl Used {
    /// What was read from a cache and written to one is counted beside what went in, as the total tells.
    fn usage(&self) -> Usage {
        let read = self.cache_read_input_tokens.unwrap_or_default();
        let written = self.cache_write_input_tokens.unwrap_or_default();
        let beside = self.input_tokens.saturating_add(read).saturating_add(written);
        let told = self.total_tokens.and_then(|total| total.checked_sub(self.output_tokens));
        Usage {
            input_tokens: told.filter(|told| *told >= self.input_tokens).unwrap_or(beside),
            cache_read_tokens: read,
            cache_write_tokens: written,
            output_tokens: self.output_tokens,
        }
    }
}

/// A thought that is coming, with what proves it.
#[derive(Debug, Default)]
struct Thought {
    text: String,
    signature: Option<String>,
    redacted: Option<String>,
}

/// A streamed answer that is read.
#[derive(Debug, Default)]
pub struct Reading {
    thoughts: BTreeMap<u32, Thought>,
    finish: Option<Finish>,
    usage: Option<Usage>,
}

impl Reading {
    /// Reads one frame of the stream.
    pub fn take(&mut self, frame: &Frame) -> Result<Line, ModelFailure> {
        let header = |name: &str| frame.headers.get(name).map(String::as_str).unwrap_or_default();
        let mut events = vec![];
        match (header(":message-type"), header(":event-type")) {
            ("exception", _) => {
                let said = String::from_utf8_lossy(&frame.payload);
                return Err(failure(None, None, header(":exception-type"), &said));
            }
            ("error", _) => {
                let said = json!({ "message": header(":error-message") }).to_string();
                return Err(failure(None, None, header(":error-code"), &said));
            }
            (_, "contentBlockStart") => {
                let BlockStart { content_block_index: index, start } = read(frame)?;
                if let Some(ToolUse { tool_use_id: id, name }) = start.tool_use {
                    events.push(Event::Call { index, id, name });
                }
            }
            (_, "contentBlockDelta") => events.extend(self.more(read(frame)?)),
            (_, "contentBlockStop") => {
                let BlockStop { content_block_index } = read(frame)?;
                events.extend(self.thoughts.remove(&content_block_index).map(whole));
            }
            (_, "messageStop") => {
                let MessageStop { stop_reason } = read(frame)?;
                self.finish = Some(finish(&stop_reason)?);
            }
            // It comes behind the end of the message.
            (_, "metadata") => {
                let Metadata { usage } = read(frame)?;
                self.usage = usage.as_ref().map(Used::usage);
                return self.end().map(Line::End);
            }
            _ => {}
        }
        Ok(Line::Events(events))
    }

    fn more(&mut self, more: BlockDelta) -> Option<Event> {
        let BlockDelta { content_block_index: index, delta } = more;
        if let Some(Input { input: text }) = delta.tool_use {
            return Some(Event::Arguments { index, text });
        }
        if let Some(more) = delta.reasoning_content {
            let thought = self.thoughts.entry(index).or_default();
            thought.signature = more.signature.or(thought.signature.take());
            thought.redacted = more.redacted_content.or(thought.redacted.take());
            let text = more.text?;
            thought.text.push_str(&text);
            return Some(Event::Thinking { text });
        }
        delta.text.map(|text| Event::Text { text })
    }

    /// The end of the answer: also of a stream that ends without a word of its use.
    pub fn end(&self) -> Result<Event, ModelFailure> {
        let finish = self.finish.ok_or_else(|| broken("the answer broke off"))?;
        Ok(Event::End { finish, usage: self.usage })
    }
}

fn whole(thought: Thought) -> Event {
    let raw = match (thought.redacted, thought.signature) {
        (Some(data), _) => json!({ "redactedContent": data }),
        (None, Some(signature)) => {
            json!({"reasoningText": {"text": thought.text, "signature": signature}})
        }
        (None, None) => json!({"reasoningText": {"text": thought.text}}),
    };
    Event::Thought { from: FROM.to_owned(), raw }
}

fn read<T: serde::de::DeserializeOwned>(frame: &Frame) -> Result<T, ModelFailure> {
    serde_json::from_slice(&frame.payload).map_err(|_| broken("a piece is none that is known"))
}

fn finish(reason: &str) -> Result<Finish, ModelFailure> {
    Ok(match reason {
        "tool_use" => Finish::Calls,
        "max_tokens" => Finish::Length,
        "content_filtered" | "guardrail_intervened" => Finish::Refused,
        "malformed_model_output" | "malformed_tool_use" => {
            return Err(broken("the model wrote what is no answer"));
        }
        "model_context_window_exceeded" => return Err(context_too_long()),
        _ => Finish::Stop,
    })
}

/// Why a request failed: by the status, the time to wait as headers say it, the name of the error, and the body. The name
/// comes in a header, with an address behind it at times.
pub fn failure(
    status: Option<u16>,
    retry_after: Option<Duration>,
    name: &str,
    body: &str,
) -> ModelFailure {
    let name = name.rsplit('#').next().unwrap_or_default();
    let name = name.split(':').next().unwrap_or_default().to_ascii_lowercase();
    told_by(status, retry_after, body, |error| {
        let message = error.get("message").and_then(Value::as_str).unwrap_or_default();
        Some(match name.as_str() {
            "throttlingexception" => Kind::RateLimited,
            "servicequotaexceededexception" => Kind::OutOfFunds,
            "serviceunavailableexception"
            | "internalserverexception"
            | "modelnotreadyexception"
            | "modelerrorexception"
            | "modelstreamerrorexception" => Kind::Unavailable,
            "modeltimeoutexception" => Kind::TimedOut,
            "accessdeniedexception"
            | "unrecognizedclientexception"
            | "expiredtokenexception"
            | "invalidsignatureexception" => Kind::Unauthorised,
            "resourcenotfoundexception" => Kind::NoSuchModel,
            // There is no name of its own for it.
            "validationexception"
                if message.contains("too long") || message.contains("Input is too") =>
            {
                Kind::ContextTooLong
            }
            "validationexception" => Kind::Invalid,
            _ => return None,
        })
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;
    use crate::models::bedrock::body;
    use crate::models::event_stream::{FrameReader, tests::framed};
    use wardroom_core::model::{Answer, Ask, AssistantPart, Message};

    fn event(name: &str, payload: Value) -> Vec<u8> {
        let headers = [
            (":event-type", name),
            (":content-type", "application/json"),
            (":message-type", "event"),
        ];
        framed(&headers, payload.to_string().as_bytes())
    }

    fn exception(name: &str, message: &str) -> Vec<u8> {
        let headers = [(":exception-type", name), (":message-type", "exception")];
        framed(&headers, json!({ "message": message }).to_string().as_bytes())
    }

    fn whole(
        frames: &[Vec<u8>],
    ) -> Result<(Vec<AssistantPart>, Finish, Option<Usage>), ModelFailure> {
        let (mut reading, mut answer) = (Reading::default(), Answer::default());
        for frame in FrameReader::default().take(&frames.concat()).unwrap() {
            match reading.take(&frame)? {
                Line::Events(events) => {
                    events.into_iter().for_each(|event| answer.take(event).unwrap());
                }
                Line::End(end) => {
                    answer.take(end).unwrap();
                    return Ok(answer.finish().unwrap());
                }
            }
        }
        answer.take(reading.end()?).unwrap();
        Ok(answer.finish().unwrap())
    }

    fn delta(index: u32, delta: Value) -> Vec<u8> {
        event("contentBlockDelta", json!({"delta": delta, "contentBlockIndex": index}))
    }

    #[test]
    fn thoughts_texts_and_calls_are_read_and_the_use_behind_the_end() {
        let tool = json!({"toolUse": {"toolUseId": "tooluse_1", "name": "get_weather"}});
        let usage = json!({"inputTokens": 82, "outputTokens": 17, "totalTokens": 109, "cacheReadInputTokens": 10, "cacheWriteInputTokens": 0});
        let frames = [
            event("messageStart", json!({"role": "assistant"})),
            delta(0, json!({"reasoningContent": {"text": "Fi"}})),
            delta(0, json!({"reasoningContent": {"text": "rst"}})),
            delta(0, json!({"reasoningContent": {"signature": "EqQB"}})),
            event("contentBlockStop", json!({"contentBlockIndex": 0})),
            delta(1, json!({"text": "Hel"})),
            delta(1, json!({"text": "lo"})),
            event("contentBlockStop", json!({"contentBlockIndex": 1})),
            event("contentBlockStart", json!({"start": tool, "contentBlockIndex": 2})),
            delta(2, json!({"toolUse": {"input": "{\"ci"}})),
            delta(2, json!({"toolUse": {"input": "ty\":\"Oslo\"}"}})),
            event("contentBlockStop", json!({"contentBlockIndex": 2})),
            event("somethingNew", json!({"x": 1})),
            event("messageStop", json!({"stopReason": "tool_use"})),
            event("metadata", json!({"usage": usage, "metrics": {"latencyMs": 731}})),
        ];
        let (parts, finish, usage) = whole(&frames).unwrap();
        assert_eq!(finish, Finish::Calls);
        let expected = Usage {
            input_tokens: 92,
            cache_read_tokens: 10,
            cache_write_tokens: 0,
            output_tokens: 17,
        };
        assert_eq!(usage, Some(expected));
        let raw = json!({"reasoningText": {"text": "First", "signature": "EqQB"}});
        assert_eq!(parts[0], AssistantPart::Thought { from: FROM.into(), raw: raw.clone() });
        assert_eq!(parts[1], AssistantPart::Text { text: "Hello".into() });
        assert!(
            matches!(&parts[2], AssistantPart::ToolCall { arguments, .. } if arguments["city"] == "Oslo")
        );
        // It goes back as it came, and no other's thoughts with it.
        let other = AssistantPart::Thought { from: "anthropic".into(), raw: json!({}) };
        let answered = Message::Assistant { parts: [&parts[..], &[other]].concat() };
        let body = body(&Ask { messages: vec![answered], ..Ask::default() });
        let content = body["messages"][0]["content"].as_array().unwrap();
        assert_eq!((content.len(), &content[0]["reasoningContent"]), (3, &raw));
        assert_eq!(content[2]["toolUse"]["input"]["city"], "Oslo");
        let (_, finish, usage) = whole(&frames[..14]).unwrap();
        assert_eq!((finish, usage), (Finish::Calls, None), "its use may be missing");
        assert_eq!(whole(&frames[..13]).unwrap_err().kind, Kind::Broken);
    }

    #[test]
    fn failures_are_told_apart() {
        let start = event("messageStart", json!({"role": "assistant"}));
        let cut = exception("throttlingException", "Too many tokens, please wait.");
        let failed = whole(&[start.clone(), cut]).unwrap_err();
        assert_eq!(
            (failed.kind, failed.detail.as_str()),
            (Kind::RateLimited, "Too many tokens, please wait.")
        );
        let headers = [(":message-type", "error"), (":error-code", "InternalFailure")];
        let failed = whole(&[start, framed(&headers, b"")]).unwrap_err();
        assert_eq!(failed.kind, Kind::Unavailable);
        for wrong in [&b""[..], b"{", b"7", b"{\"delta\": {}}"] {
            let headers = [(":event-type", "contentBlockDelta"), (":message-type", "event")];
            assert_eq!(whole(&[framed(&headers, wrong)]).unwrap_err().kind, Kind::Broken);
        }
        for (status, name, message, expected) in [
            (429, "ThrottlingException:http://x/", "", Kind::RateLimited),
            (403, "com.amazon#AccessDeniedException", "", Kind::Unauthorised),
            (
                400,
                "ValidationException",
                "Input is too long for requested model.",
                Kind::ContextTooLong,
            ),
            (400, "ValidationException", "x", Kind::Invalid),
            (404, "ResourceNotFoundException", "", Kind::NoSuchModel),
            (408, "ModelTimeoutException", "", Kind::TimedOut),
            (424, "ModelErrorException", "", Kind::Unavailable),
            (403, "", "", Kind::Unauthorised),
            (500, "", "", Kind::Unavailable),
        ] {
            let body = json!({ "message": message }).to_string();
            assert_eq!(failure(Some(status), None, name, &body).kind, expected, "{status} {name}");
        }
        for (reason, expected) in [
            ("guardrail_intervened", Ok(Finish::Refused)),
            ("malformed_tool_use", Err(Kind::Broken)),
            ("model_context_window_exceeded", Err(Kind::ContextTooLong)),
        ] {
            let told = whole(&[event("messageStop", json!({"stopReason": reason}))]);
            assert_eq!(told.map(|(_, finish, _)| finish).map_err(|failed| failed.kind), expected);
        }
    }
}
