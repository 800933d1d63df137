//! Anthropic's messages: bodies and the pieces of a streamed answer, as the API reference of November 2026 has them.

use super::{Line, broken, told_by};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::{collections::BTreeMap, time::Duration};
use wardroom_core::model::{
    Ask, AssistantPart, Event, Finish, Message, ModelFailure, ModelFailureKind as Kind, ToolChoice,
    Usage, UserPart,
};

/// By which thoughts are known that may go back.
pub const FROM: &str = "anthropic";

/// The body of a request for a streamed answer.
pub fn body(ask: &Ask) -> Value {
    let mut body = Map::new();
    let mut add = |name: &str, value: Value| body.insert(name.to_owned(), value);
    add("model", json!(ask.model));
    add("max_tokens", json!(ask.output_tokens_max));
    add("stream", json!(true));
    if !ask.system.is_empty() {
        add("system", json!(ask.system));
    }
    add("messages", ask.messages.iter().map(told).collect());
    // Newer versions of the API refuse it altogether, so it is sent only where somebody set it.
    if let Some(temperature) = ask.temperature {
        add("temperature", json!(temperature.min(1.0)));
    }
    if !ask.stop.is_empty() {
        add("stop_sequences", json!(ask.stop));
    }
    if !ask.tools.is_empty() {
        let tool = |tool: &wardroom_core::model::ToolSpec| json!({"name": tool.name, "description": tool.description, "input_schema": tool.arguments});
        add("tools", ask.tools.iter().map(tool).collect());
        let one = !ask.parallel_calls;
        add(
            "tool_choice",
            match &ask.tool_choice {
                ToolChoice::Auto => json!({"type": "auto", "disable_parallel_tool_use": one}),
                ToolChoice::Nothing => json!({"type": "none"}),
                ToolChoice::Any => json!({"type": "any", "disable_parallel_tool_use": one}),
                ToolChoice::Tool(name) => {
                    json!({"type": "tool", "name": name, "disable_parallel_tool_use": one})
                }
            },
        );
    }
    if let Some(schema) = &ask.response {
        add("output_config", json!({"format": {"type": "json_schema", "schema": schema}}));
    }
    super::add_extra(&mut body, ask);
    Value::Object(body)
}

/// A message as the API has it.
fn told(message: &Message) -> Value {
    match message {
        Message::User { parts } => {
            let results = parts.iter().filter(|part| matches!(part, UserPart::ToolResult { .. }));
            let others = parts.iter().filter(|part| !matches!(part, UserPart::ToolResult { .. }));
            // Results stand before anything else.
            let content: Vec<Value> = results.chain(others).map(user_block).collect();
            json!({"role": "user", "content": content})
        }
        Message::Assistant { parts } => {
            let content: Vec<Value> = parts.iter().filter_map(assistant_block).collect();
            json!({"role": "assistant", "content": content})
        }
    }
}

fn user_block(part: &UserPart) -> Value {
    match part {
        UserPart::Text { text } => json!({"type": "text", "text": text}),
        UserPart::Image { format, data } => {
            let kind = format!("image/{}", format.as_str());
            json!({"type": "image", "source": {"type": "base64", "media_type": kind, "data": data}})
        }
        UserPart::ToolResult { id, text, is_error } => {
            json!({"type": "tool_result", "tool_use_id": id, "content": text, "is_error": is_error})
        }
    }
}

fn assistant_block(part: &AssistantPart) -> Option<Value> {
    match part {
        AssistantPart::Text { text } => Some(json!({"type": "text", "text": text})),
        AssistantPart::ToolCall { id, name, arguments } => {
            Some(json!({"type": "tool_use", "id": id, "name": name, "input": arguments}))
        }
        AssistantPart::Thought { from, raw } => (from == FROM).then(|| raw.clone()),
    }
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Piece {
    MessageStart {
        message: Start,
    },
    ContentBlockStart {
        index: u32,
        content_block: Block,
    },
    ContentBlockDelta {
        index: u32,
        delta: More,
    },
    ContentBlockStop {
        index: u32,
    },
    MessageDelta {
        delta: End,
        usage: Option<Used>,
    },
    MessageStop,
    Error {
        error: Value,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Start {
    usage: Option<Used>,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Block {
    Text {
        #[serde(default)]
        text: String,
    },
    Thinking {
        #[serde(default)]
        thinking: String,
        #[serde(default)]
        signature: String,
    },
    RedactedThinking {
        data: String,
    },
    ToolUse {
        id: String,
        name: String,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum More {
    TextDelta {
        text: String,
    },
    InputJsonDelta {
        partial_json: String,
    },
    ThinkingDelta {
        thinking: String,
    },
    SignatureDelta {
        signature: String,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct End {
    stop_reason: Option<String>,
}

#[derive(Deserialize)]
struct Used {
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    cache_creation_input_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
}

/// A thought that is coming, with what proves it.
#[derive(Debug, Default)]
struct Thought {
    text: String,
    signature: String,
}

/// A streamed answer that is read.
#[derive(Debug, Default)]
pub struct Reading {
    thoughts: BTreeMap<u32, Thought>,
    finish: Option<Finish>,
    plain: Option<u64>,
    read: u64,
    written: u64,
    output: Option<u64>,
}

impl Reading {
    /// Reads the data of one event of the stream.
    pub fn take(&mut self, data: &str) -> Result<Line, ModelFailure> {
        let piece =
            serde_json::from_str(data).map_err(|_| broken("a piece is none that is known"))?;
        let mut events = vec![];
        match piece {
            Piece::MessageStart { message } => self.used(message.usage),
            Piece::ContentBlockStart { index, content_block } => {
                events.extend(self.begin(index, content_block));
            }
            Piece::ContentBlockDelta { index, delta } => events.extend(self.more(index, delta)),
            Piece::ContentBlockStop { index } => {
                if let Some(Thought { text, signature }) = self.thoughts.remove(&index) {
                    let raw = json!({"type": "thinking", "thinking": text, "signature": signature});
                    events.push(Event::Thought { from: FROM.to_owned(), raw });
                }
            }
            Piece::MessageDelta { delta, usage } => {
                self.used(usage);
                if let Some(reason) = delta.stop_reason {
                    self.finish = Some(finish(&reason)?);
                }
            }
            Piece::MessageStop => return self.end().map(Line::End),
            Piece::Error { error } => {
                return Err(failure(None, None, &json!({ "error": error }).to_string()));
            }
            Piece::Other => {}
        }
        Ok(Line::Events(events))
    }

    /// What is said of use counts from the beginning: it takes the place of what was said before.
    fn used(&mut self, used: Option<Used>) {
        let Some(used) = used else { return };
        self.plain = used.input_tokens.or(self.plain);
        self.read = used.cache_read_input_tokens.unwrap_or(self.read);
        self.written = used.cache_creation_input_tokens.unwrap_or(self.written);
        self.output = used.output_tokens.or(self.output);
    }

    fn begin(&mut self, index: u32, block: Block) -> Option<Event> {
        match block {
            Block::Text { text } => (!text.is_empty()).then_some(Event::Text { text }),
            Block::Thinking { thinking, signature } => {
                self.thoughts.insert(index, Thought { text: thinking, signature });
                None
            }
            Block::RedactedThinking { data } => {
                let raw = json!({"type": "redacted_thinking", "data": data});
                Some(Event::Thought { from: FROM.to_owned(), raw })
            }
            Block::ToolUse { id, name } => Some(Event::Call { index, id, name }),
            Block::Other => None,
        }
    }

    fn more(&mut self, index: u32, delta: More) -> Option<Event> {
        match delta {
            More::TextDelta { text } => Some(Event::Text { text }),
            More::InputJsonDelta { partial_json: text } => Some(Event::Arguments { index, text }),
            More::ThinkingDelta { thinking: text } => {
                if let Some(thought) = self.thoughts.get_mut(&index) {
                    thought.text.push_str(&text);
                }
                Some(Event::Thinking { text })
            }
            More::SignatureDelta { signature } => {
                if let Some(thought) = self.thoughts.get_mut(&index) {
                    thought.signature = signature;
                }
                None
            }
            More::Other => None,
        }
    }

    /// The end of the answer.
    fn end(&self) -> Result<Event, ModelFailure> {
        let finish = self.finish.ok_or_else(|| broken("the answer broke off"))?;
        let usage = self.plain.zip(self.output).map(|(plain, output_tokens)| Usage {
            input_tokens: plain.saturating_add(self.read).saturating_add(self.written),
            cache_read_tokens: self.read,
            cache_write_tokens: self.written,
            output_tokens,
        });
        Ok(Event::End { finish, usage })
    }
}

fn finish(reason: &str) -> Result<Finish, ModelFailure> {
    Ok(match reason {
        "tool_use" => Finish::Calls,
        "max_tokens" => Finish::Length,
        "refusal" => Finish::Refused,
        "model_context_window_exceeded" => return Err(super::context_too_long()),
        _ => Finish::Stop,
    })
}

/// Why a request failed: by the status, the time to wait as headers say it, and the body.
pub fn failure(status: Option<u16>, retry_after: Option<Duration>, body: &str) -> ModelFailure {
    told_by(status, retry_after, body, |error| {
        let text = |name: &str| error.get(name).and_then(Value::as_str).unwrap_or_default();
        let message = text("message");
        Some(match text("type") {
            "authentication_error" | "permission_error" => Kind::Unauthorised,
            "billing_error" => Kind::OutOfFunds,
            "not_found_error" => Kind::NoSuchModel,
            "rate_limit_error" if error.pointer("/details/error_code").is_some() => {
                Kind::OutOfFunds
            }
            "rate_limit_error" => Kind::RateLimited,
            "timeout_error" => Kind::TimedOut,
            "api_error" | "overloaded_error" => Kind::Unavailable,
            "request_too_large" => Kind::ContextTooLong,
            // There is no name of its own for it.
            "invalid_request_error" if message.contains("prompt is too long") => {
                Kind::ContextTooLong
            }
            "invalid_request_error" => Kind::Invalid,
            _ => return None,
        })
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;
    use wardroom_core::model::Answer;

    fn whole(lines: &[Value]) -> Result<(Vec<AssistantPart>, Finish, Option<Usage>), ModelFailure> {
        let (mut reading, mut answer) = (Reading::default(), Answer::default());
        for line in lines {
            match reading.take(&line.to_string())? {
                Line::Events(events) => {
                    events.into_iter().for_each(|event| answer.take(event).unwrap());
                }
                Line::End(end) => {
                    answer.take(end).unwrap();
                    return Ok(answer.finish().unwrap());
                }
            }
        }
        Err(broken("no end"))
    }

    fn start() -> Value {
        json!({"type": "message_start", "message": {"id": "msg_1", "role": "assistant", "content": [],
            "usage": {"input_tokens": 25, "cache_creation_input_tokens": 5, "cache_read_input_tokens": 10, "output_tokens": 1}}})
    }

    fn delta(index: u32, delta: Value) -> Value {
        json!({"type": "content_block_delta", "index": index, "delta": delta})
    }

    fn end(reason: &str) -> [Value; 2] {
        let said = json!({"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": null},
            "usage": {"output_tokens": 15, "input_tokens": null}});
        [said, json!({"type": "message_stop"})]
    }

    #[test]
    fn thoughts_texts_and_calls_are_read_with_what_they_took() {
        let [said, stop] = end("tool_use");
        let lines = [
            start(),
            json!({"type": "ping"}),
            json!({"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": "", "signature": ""}}),
            delta(0, json!({"type": "thinking_delta", "thinking": "First"})),
            delta(0, json!({"type": "signature_delta", "signature": "old"})),
            delta(0, json!({"type": "signature_delta", "signature": "EqQB"})),
            json!({"type": "content_block_stop", "index": 0}),
            json!({"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}}),
            delta(1, json!({"type": "text_delta", "text": "Let me see"})),
            json!({"type": "content_block_stop", "index": 1}),
            json!({"type": "content_block_start", "index": 2, "content_block": {"type": "tool_use", "id": "toolu_1", "name": "price", "input": {}}}),
            delta(2, json!({"type": "input_json_delta", "partial_json": "{\"tick"})),
            delta(2, json!({"type": "input_json_delta", "partial_json": "er\":\"X\"}"})),
            json!({"type": "something_new", "x": 1}),
            said,
            stop,
        ];
        let (parts, finish, usage) = whole(&lines).unwrap();
        assert_eq!(finish, Finish::Calls);
        let expected = Usage {
            input_tokens: 40,
            cache_read_tokens: 10,
            cache_write_tokens: 5,
            output_tokens: 15,
        };
        assert_eq!(usage, Some(expected));
        let raw = json!({"type": "thinking", "thinking": "First", "signature": "EqQB"});
        assert_eq!(parts[0], AssistantPart::Thought { from: FROM.into(), raw: raw.clone() });
        assert!(
            matches!(&parts[2], AssistantPart::ToolCall { arguments, .. } if arguments["ticker"] == "X")
        );
        // It goes back as it came, results before words, and no other's thoughts with it.
        let other = AssistantPart::Thought { from: "other".into(), raw: json!({}) };
        let answered = Message::Assistant { parts: [&parts[..], &[other]].concat() };
        let result =
            UserPart::ToolResult { id: "toolu_1".into(), text: "7".into(), is_error: false };
        let words = UserPart::Text { text: "And?".into() };
        let asked = Message::User { parts: vec![words, result] };
        let ask = Ask { messages: vec![answered, asked], output_tokens_max: 9, ..Ask::default() };
        let body = body(&ask);
        assert_eq!(body["messages"][0]["content"].as_array().unwrap().len(), 3);
        assert_eq!(body["messages"][0]["content"][0], raw);
        assert_eq!(body["messages"][1]["content"][0]["type"], "tool_result");
        assert_eq!((&body["temperature"], &body["tools"]), (&Value::Null, &Value::Null));
    }

    #[test]
    fn what_breaks_off_fails_and_refusals_are_told() {
        assert_eq!(whole(&[start()]).unwrap_err().kind, Kind::Broken);
        assert_eq!(
            whole(&[start(), json!({"type": "message_stop"})]).unwrap_err().kind,
            Kind::Broken
        );
        let overloaded = json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}});
        let failed = whole(&[start(), overloaded]).unwrap_err();
        assert_eq!((failed.kind, failed.detail.as_str()), (Kind::Unavailable, "Overloaded"));
        let [said, stop] = end("refusal");
        assert_eq!(whole(&[start(), said, stop]).unwrap().1, Finish::Refused);
        let [said, _] = end("model_context_window_exceeded");
        assert_eq!(whole(&[start(), said]).unwrap_err().kind, Kind::ContextTooLong);
        for wrong in ["", "{", "7", "{\"type\": \"content_block_start\"}"] {
            assert_eq!(Reading::default().take(wrong).unwrap_err().kind, Kind::Broken, "{wrong:?}");
        }
    }

    #[test]
    fn failures_are_told_apart() {
        let of = |status, kind: &str, message: &str| {
            let body = json!({"type": "error", "error": {"type": kind, "message": message}});
            failure(Some(status), None, &body.to_string()).kind
        };
        for (status, kind, message, expected) in [
            (401, "authentication_error", "", Kind::Unauthorised),
            (429, "rate_limit_error", "", Kind::RateLimited),
            (529, "overloaded_error", "", Kind::Unavailable),
            (402, "billing_error", "", Kind::OutOfFunds),
            (
                400,
                "invalid_request_error",
                "prompt is too long: 210000 tokens > 200000",
                Kind::ContextTooLong,
            ),
            (400, "invalid_request_error", "x", Kind::Invalid),
            (413, "unnamed", "", Kind::ContextTooLong),
        ] {
            assert_eq!(of(status, kind, message), expected, "{status} {kind}");
        }
    }
}
