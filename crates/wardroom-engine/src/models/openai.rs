//! OpenAI's chat completions, and what others speak like it: vLLM, llama.cpp, Ollama and more. Bodies and the pieces of a
//! streamed answer, as the API reference of November 2026 has them; what servers do otherwise is taken as it comes.

use super::{Line, broken, told_by};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::time::Duration;
use wardroom_core::model::{
    Ask, AssistantPart, Event, Finish, Message, ModelFailure, ModelFailureKind as Kind, ToolChoice,
    Usage, UserPart,
};

/// Names of errors, in `code` or `type`, and what they are. The first that is there counts: what is out of funds is said
/// with the status of a limit.
const KINDS: [(&[&str], Kind); 6] = [
    (
        &["insufficient_quota", "credit_balance_exhausted", "billing_hard_limit_reached"],
        Kind::OutOfFunds,
    ),
    (&["context_length_exceeded"], Kind::ContextTooLong),
    (&["invalid_api_key", "authentication_error", "permission_error"], Kind::Unauthorised),
    (&["model_not_found"], Kind::NoSuchModel),
    (&["content_policy_violation", "content_filter"], Kind::Refused),
    (&["rate_limit_exceeded", "rate_limit_error", "slow_down"], Kind::RateLimited),
];

/// How a server differs from OpenAI's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// OpenAI's own.
    Openai,
    /// Another: it knows `max_tokens` and the role `system`.
    Compatible,
}

/// The body of a request for a streamed answer.
pub fn body(ask: &Ask, dialect: Dialect) -> Value {
    let own = dialect == Dialect::Openai;
    let mut messages = vec![];
    if !ask.system.is_empty() {
        let role = if own { "developer" } else { "system" };
        messages.push(json!({"role": role, "content": ask.system}));
    }
    ask.messages.iter().for_each(|message| messages.extend(told(message)));
    let mut body = Map::new();
    let mut add = |name: &str, value: Value| body.insert(name.to_owned(), value);
    add("model", json!(ask.model));
    add("messages", json!(messages));
    add("stream", json!(true));
    add("stream_options", json!({"include_usage": true}));
    let most = if own { "max_completion_tokens" } else { "max_tokens" };
    add(most, json!(ask.output_tokens_max));
    if let Some(temperature) = ask.temperature {
        add("temperature", json!(temperature));
    }
    if let Some(seed) = ask.seed {
        add("seed", json!(seed));
    }
    if !ask.stop.is_empty() {
        add("stop", json!(ask.stop));
    }
    if !ask.tools.is_empty() {
        let tool = |tool: &wardroom_core::model::ToolSpec| {
            let mut function = json!({
                "name": tool.name,
                "description": tool.description,
                "parameters": tool.arguments,
            });
            if let (true, Some(members)) = (tool.strict, function.as_object_mut()) {
                members.insert("strict".to_owned(), json!(true));
            }
            json!({"type": "function", "function": function})
        };
        add("tools", ask.tools.iter().map(tool).collect());
        add("parallel_tool_calls", json!(ask.parallel_calls));
        add(
            "tool_choice",
            match &ask.tool_choice {
                ToolChoice::Auto => json!("auto"),
                ToolChoice::Nothing => json!("none"),
                ToolChoice::Any => json!("required"),
                ToolChoice::Tool(name) => json!({"type": "function", "function": {"name": name}}),
            },
        );
    }
    if let Some(schema) = &ask.response {
        let named = json!({"name": "answer", "schema": schema, "strict": ask.response_strict});
        add("response_format", json!({"type": "json_schema", "json_schema": named}));
    }
    super::add_extra(&mut body, ask);
    Value::Object(body)
}

/// A message as the API has it: results of tools are messages of their own.
fn told(message: &Message) -> Vec<Value> {
    match message {
        Message::User { parts } => {
            let mut told = vec![];
            let mut content = vec![];
            for part in parts {
                match part {
                    UserPart::Text { text } => content.push(json!({"type": "text", "text": text})),
                    UserPart::Image { format, data } => {
                        let url = format!("data:image/{};base64,{data}", format.as_str());
                        content.push(json!({"type": "image_url", "image_url": {"url": url}}));
                    }
                    UserPart::ToolResult { id, text, is_error } => {
                        // There is no mark for errors.
                        let text = if *is_error { format!("Error: {text}") } else { text.clone() };
                        told.push(json!({"role": "tool", "tool_call_id": id, "content": text}));
                    }
                }
            }
            if !content.is_empty() {
                told.push(json!({"role": "user", "content": content}));
            }
            told
        }
        Message::Assistant { parts } => {
            let (mut text, mut calls) = (String::new(), vec![]);
            for part in parts {
                match part {
                    AssistantPart::Text { text: more } => text.push_str(more),
                    AssistantPart::ToolCall { id, name, arguments } => {
                        let arguments = Value::Object(arguments.clone()).to_string();
                        let function = json!({"name": name, "arguments": arguments});
                        calls.push(json!({"id": id, "type": "function", "function": function}));
                    }
                    // They are not taken back.
                    AssistantPart::Thought { .. } => {}
                }
            }
            let content = if text.is_empty() { Value::Null } else { json!(text) };
            let mut message = json!({"role": "assistant", "content": content});
            if let (false, Some(members)) = (calls.is_empty(), message.as_object_mut()) {
                members.insert("tool_calls".to_owned(), Value::Array(calls));
            }
            vec![message]
        }
    }
}

#[derive(Deserialize)]
struct Chunk {
    #[serde(default)]
    choices: Vec<Choice>,
    usage: Option<Used>,
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    delta: Delta,
    finish_reason: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Delta {
    content: Option<String>,
    refusal: Option<String>,
    /// What others than OpenAI give of a model's thoughts, by either name.
    reasoning_content: Option<String>,
    reasoning: Option<String>,
    tool_calls: Option<Vec<CallPiece>>,
}

#[derive(Deserialize)]
struct CallPiece {
    index: Option<u32>,
    id: Option<String>,
    function: Option<FunctionPiece>,
}

#[derive(Deserialize)]
struct FunctionPiece {
    name: Option<String>,
    arguments: Option<String>,
}

#[derive(Deserialize)]
struct Used {
    prompt_tokens: Option<u64>,
    completion_tokens: Option<u64>,
    prompt_tokens_details: Option<UsedInput>,
}

#[derive(Deserialize)]
struct UsedInput {
    cached_tokens: Option<u64>,
    cache_write_tokens: Option<u64>,
}

/// A streamed answer that is read.
#[derive(Debug, Default)]
pub struct Reading {
    /// The calls that began, by the server's own index.
    begun: Vec<u32>,
    finish: Option<Finish>,
    usage: Option<Usage>,
    refused: bool,
}

impl Reading {
    /// Reads the data of one event of the stream.
    pub fn take(&mut self, data: &str) -> Result<Line, ModelFailure> {
        if data.trim_start().starts_with("[DONE]") {
            return self.end().map(Line::End);
        }
        let chunk: Chunk = serde_json::from_str(data).map_err(|_| broken("a piece is no JSON"))?;
        if let Some(error) = chunk.error.filter(|error| !error.is_null()) {
            return Err(failure(None, None, &json!({ "error": error }).to_string()));
        }
        if let Some(used) = chunk.usage
            && let (Some(input_tokens), Some(output_tokens)) =
                (used.prompt_tokens, used.completion_tokens)
        {
            let details = used.prompt_tokens_details.as_ref();
            self.usage = Some(Usage {
                input_tokens,
                cache_read_tokens: details.and_then(|of| of.cached_tokens).unwrap_or_default(),
                cache_write_tokens: details
                    .and_then(|of| of.cache_write_tokens)
                    .unwrap_or_default(),
                output_tokens,
            });
        }
        let mut events = vec![];
        if let Some(choice) = chunk.choices.into_iter().next() {
            self.finish = choice.finish_reason.as_deref().map(finish).or(self.finish);
            self.pieces(choice.delta, &mut events);
        }
        Ok(Line::Events(events))
    }

    fn pieces(&mut self, delta: Delta, events: &mut Vec<Event>) {
        let some = |text: Option<String>| text.filter(|text| !text.is_empty());
        if let Some(text) = some(delta.reasoning_content.or(delta.reasoning)) {
            events.push(Event::Thinking { text });
        }
        if let Some(text) = some(delta.refusal) {
            self.refused = true;
            events.push(Event::Text { text });
        }
        if let Some(text) = some(delta.content) {
            events.push(Event::Text { text });
        }
        for (place, piece) in delta.tool_calls.into_iter().flatten().enumerate() {
            // Some leave the index out: then pieces stand in the order of their calls.
            let index = piece.index.unwrap_or_else(|| u32::try_from(place).unwrap_or(u32::MAX));
            let (name, arguments) = piece
                .function
                .map(|function| (function.name, function.arguments))
                .unwrap_or_default();
            if !self.begun.contains(&index) {
                self.begun.push(index);
                let id = some(piece.id).unwrap_or_else(|| format!("call_{index}"));
                events.push(Event::Call { index, id, name: name.unwrap_or_default() });
            }
            if let Some(text) = some(arguments) {
                events.push(Event::Arguments { index, text });
            }
        }
    }

    /// The end of the answer: also of a stream that ends without saying so, when it said how the answer ended.
    pub fn end(&self) -> Result<Event, ModelFailure> {
        let finish = self.finish.ok_or_else(|| broken("the answer broke off"))?;
        let finish = match finish {
            _ if self.refused => Finish::Refused,
            // Some say that all is said where they called something.
            Finish::Stop if !self.begun.is_empty() => Finish::Calls,
            finish => finish,
        };
        Ok(Event::End { finish, usage: self.usage })
    }
}

fn finish(reason: &str) -> Finish {
    match reason {
        "length" => Finish::Length,
        "tool_calls" | "function_call" => Finish::Calls,
        "content_filter" => Finish::Refused,
        _ => Finish::Stop,
    }
}

/// Why a request failed: by the status, the time to wait as headers say it, and the body.
pub fn failure(status: Option<u16>, retry_after: Option<Duration>, body: &str) -> ModelFailure {
    told_by(status, retry_after, body, |error| {
        let text = |name: &str| error.get(name).and_then(Value::as_str).unwrap_or_default();
        let (code, kind) = (text("code"), text("type"));
        let named = |names: &[&str]| names.iter().any(|name| code == *name || kind == *name);
        KINDS.iter().find(|(names, _)| named(names)).map(|(_, kind)| *kind)
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;
    use crate::models::RETRY_AFTER_MAX;
    use wardroom_core::model::{Answer, ToolSpec};

    fn piece(delta: Value, finish: Value) -> String {
        let choice = json!({"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish});
        json!({"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_764_000_000,
            "model": "gpt-5.4", "service_tier": "default", "choices": [choice], "usage": null})
        .to_string()
    }

    fn whole(
        lines: &[String],
    ) -> Result<(Vec<AssistantPart>, Finish, Option<Usage>), ModelFailure> {
        let (mut reading, mut answer) = (Reading::default(), Answer::default());
        for line in lines {
            match reading.take(line)? {
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

    #[test]
    fn a_streamed_answer_with_calls_and_use_is_read() {
        let call = |piece_of: Value| piece(json!({"tool_calls": [piece_of]}), Value::Null);
        let usage = json!({"choices": [], "usage": {"prompt_tokens": 82, "completion_tokens": 17,
            "total_tokens": 99, "prompt_tokens_details": {"cached_tokens": 64, "cache_write_tokens": 0}}});
        let lines = [
            piece(json!({"role": "assistant", "content": "", "refusal": null}), Value::Null),
            piece(json!({"content": "Hel"}), Value::Null),
            piece(json!({"content": "lo"}), Value::Null),
            call(
                json!({"index": 0, "id": "call_1", "type": "function", "function": {"name": "weather", "arguments": ""}}),
            ),
            call(json!({"index": 0, "function": {"arguments": "{\"ci"}})),
            call(
                json!({"index": 1, "id": "call_2", "type": "function", "function": {"name": "tides", "arguments": "{}"}}),
            ),
            call(json!({"index": 0, "function": {"arguments": "ty\":\"Oslo\"}"}})),
            piece(json!({}), json!("tool_calls")),
            usage.to_string(),
            "[DONE]".to_owned(),
        ];
        let (parts, finish, usage) = whole(&lines).unwrap();
        assert_eq!(finish, Finish::Calls);
        let expected = Usage {
            input_tokens: 82,
            cache_read_tokens: 64,
            output_tokens: 17,
            ..Usage::default()
        };
        assert_eq!(usage, Some(expected));
        assert_eq!(parts[0], AssistantPart::Text { text: "Hello".into() });
        let AssistantPart::ToolCall { id, name, arguments } = &parts[1] else { unreachable!() };
        assert_eq!(
            (id.as_str(), name.as_str(), &arguments["city"]),
            ("call_1", "weather", &json!("Oslo"))
        );
        assert!(matches!(&parts[2], AssistantPart::ToolCall { name, .. } if name == "tides"));
    }

    #[test]
    fn what_others_do_otherwise_is_taken_as_it_comes() {
        // Whole calls at once, without index and id, an end that says stop, and no word at the end.
        let calls = json!({"tool_calls": [{"function": {"name": "a", "arguments": "{}"}}, {"function": {"name": "b", "arguments": "{}"}}]});
        let (parts, finish, usage) = whole(&[piece(calls, json!("stop"))]).unwrap();
        assert_eq!((parts.len(), finish, usage), (2, Finish::Calls, None));
        let thought = piece(json!({"reasoning": "Hm"}), Value::Null);
        let Line::Events(events) = Reading::default().take(&thought).unwrap() else {
            unreachable!()
        };
        assert_eq!(events, [Event::Thinking { text: "Hm".into() }]);
        let refused = piece(json!({"refusal": "I can't"}), json!("stop"));
        assert_eq!(whole(&[refused]).unwrap().1, Finish::Refused);
    }

    #[test]
    fn what_breaks_off_or_is_no_answer_fails_as_that() {
        let half = whole(&[piece(json!({"content": "Hel"}), Value::Null)]).unwrap_err();
        assert_eq!(half.kind, Kind::Broken);
        for wrong in ["", "{", "[]", "7", "{\"choices\": 7}"] {
            assert_eq!(Reading::default().take(wrong).unwrap_err().kind, Kind::Broken, "{wrong:?}");
        }
        let said = json!({"error": {"message": "busy", "type": "server_error", "code": null}});
        let failed = Reading::default().take(&said.to_string()).unwrap_err();
        assert_eq!((failed.kind, failed.detail.as_str()), (Kind::Unavailable, "busy"));
    }

    #[test]
    fn failures_are_told_apart() {
        let of = |status, code: &str| {
            let body = json!({"error": {"message": "m", "type": "t", "param": null, "code": code}});
            failure(Some(status), None, &body.to_string()).kind
        };
        for (status, code, kind) in [
            (429, "rate_limit_exceeded", Kind::RateLimited),
            (429, "credit_balance_exhausted", Kind::OutOfFunds),
            (400, "context_length_exceeded", Kind::ContextTooLong),
            (401, "invalid_api_key", Kind::Unauthorised),
            (404, "model_not_found", Kind::NoSuchModel),
            (503, "server_is_overloaded", Kind::Unavailable),
            (400, "other", Kind::Invalid),
        ] {
            assert_eq!(of(status, code), kind, "{status} {code}");
        }
        let long = Some(Duration::from_secs(9000));
        let odd = failure(Some(502), long, "<html>\u{7}</html>");
        assert_eq!((odd.kind, odd.detail.as_str()), (Kind::Unavailable, "it answered with 502"));
        assert_eq!(odd.retry_after, Some(RETRY_AFTER_MAX));
        let text = failure(Some(400), None, "{\"error\": \"no\\nsuch thing\"}");
        assert_eq!(text.detail, "it answered with 400: nosuch thing");
    }

    #[test]
    fn a_conversation_becomes_messages_as_the_api_has_them() {
        let object = |value: Value| value.as_object().unwrap().clone();
        let mut ask = Ask {
            model: "m".into(),
            system: "Be brief.".into(),
            output_tokens_max: 100,
            ..Ask::default()
        };
        let call = AssistantPart::ToolCall {
            id: "c".into(),
            name: "t".into(),
            arguments: object(json!({"a": 1})),
        };
        let result = UserPart::ToolResult { id: "c".into(), text: "gone".into(), is_error: true };
        ask.messages = vec![
            Message::User { parts: vec![UserPart::Text { text: "Hi".into() }] },
            Message::Assistant { parts: vec![call] },
            Message::User { parts: vec![result, UserPart::Text { text: "And?".into() }] },
        ];
        ask.tools = vec![ToolSpec {
            name: "t".into(),
            description: "d".into(),
            arguments: object(json!({"type": "object"})),
            strict: false,
        }];
        ask.response = Some(object(json!({"type": "object"})));
        let own = body(&ask, Dialect::Openai);
        let roles: Vec<&str> = own["messages"]
            .as_array()
            .unwrap()
            .iter()
            .map(|m| m["role"].as_str().unwrap())
            .collect();
        assert_eq!(roles, ["developer", "user", "assistant", "tool", "user"]);
        assert_eq!(own["messages"][2]["tool_calls"][0]["function"]["arguments"], "{\"a\":1}");
        assert_eq!(own["messages"][2]["content"], Value::Null);
        assert_eq!(own["messages"][3]["content"], "Error: gone");
        assert_eq!(
            (&own["max_completion_tokens"], &own["max_tokens"]),
            (&json!(100), &Value::Null)
        );
        assert_eq!(own["response_format"]["json_schema"]["schema"]["type"], "object");
        assert_eq!(own["temperature"], Value::Null, "what nobody set is not sent");
        let other = body(&ask, Dialect::Compatible);
        assert_eq!(
            (&other["messages"][0]["role"], &other["max_tokens"]),
            (&json!("system"), &json!(100))
        );
    }
}
