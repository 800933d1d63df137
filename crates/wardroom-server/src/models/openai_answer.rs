//! Answers of chat completions, as OpenAI's API reference of November 2026 has them.

use super::Whole;
use crate::error::ApiError;
use serde_json::{Value, json};
use wardroom_core::model::{AssistantPart, Event, Finish, Usage};

fn finish_reason(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop => "stop",
        Finish::Calls => "tool_calls",
        Finish::Length => "length",
        Finish::Refused => "content_filter",
    }
}

fn usage(usage: &Usage) -> Value {
    let details = json!({"cached_tokens": usage.cache_read_tokens, "cache_write_tokens": usage.cache_write_tokens});
    json!({
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.total(),
        "prompt_tokens_details": details,
    })
}

/// An answer that came whole.
pub(super) fn document(id: &str, created: i64, whole: Whole) -> Value {
    let (mut text, mut calls) = (String::new(), vec![]);
    for part in whole.parts {
        match part {
            AssistantPart::Text { text: more } => text.push_str(&more),
            AssistantPart::ToolCall { id, name, arguments } => {
                let arguments = Value::Object(arguments).to_string();
                let function = json!({"name": name, "arguments": arguments});
                calls.push(json!({"id": id, "type": "function", "function": function}));
            }
            AssistantPart::Thought { .. } => {}
        }
    }
    let refused = whole.finish == Finish::Refused;
    let content = if text.is_empty() { Value::Null } else { json!(text) };
    let refusal = if refused { content.clone() } else { Value::Null };
    let mut message = json!({"role": "assistant", "content": content, "refusal": refusal});
    if let (false, Some(members)) = (calls.is_empty(), message.as_object_mut()) {
        members.insert("tool_calls".to_owned(), Value::Array(calls));
    }
    let reason = finish_reason(whole.finish);
    let choice = json!({"index": 0, "message": message, "logprobs": null, "finish_reason": reason});
    json!({
        "id": format!("chatcmpl-{id}"),
        "object": "chat.completion",
        "created": created,
        "model": whole.model,
        "choices": [choice],
        "usage": usage(&whole.usage),
    })
}

/// An answer that comes piece by piece.
pub(super) struct Writing {
    id: String,
    created: i64,
    model: String,
    with_usage: bool,
    opened: bool,
}

impl Writing {
    pub(super) fn new(id: &str, created: i64, model: String, with_usage: bool) -> Self {
        Self { id: format!("chatcmpl-{id}"), created, model, with_usage, opened: false }
    }

    fn chunk(&self, choices: Value, usage: Option<Value>) -> String {
        let mut chunk = json!({
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": self.model,
            "choices": choices,
        });
        if let (true, Some(members)) = (self.with_usage, chunk.as_object_mut()) {
            members.insert("usage".to_owned(), usage.unwrap_or_default());
        }
        format!("data: {chunk}\n\n")
    }

    fn delta(&mut self, mut delta: Value, finish: Option<Finish>) -> String {
        if let (false, Some(members)) = (self.opened, delta.as_object_mut()) {
            members.insert("role".to_owned(), json!("assistant"));
        }
        self.opened = true;
        let reason = finish.map(finish_reason);
        self.chunk(
            json!([{"index": 0, "delta": delta, "logprobs": null, "finish_reason": reason}]),
            None,
        )
    }
}

impl super::Writing for Writing {
    fn piece(&mut self, event: Event) -> String {
        match event {
            Event::Text { text } => self.delta(json!({ "content": text }), None),
            Event::Thinking { text } => self.delta(json!({ "reasoning_content": text }), None),
            Event::Thought { .. } => String::new(),
            Event::Call { index, id, name } => {
                let function = json!({"name": name, "arguments": ""});
                let call =
                    json!({"index": index, "id": id, "type": "function", "function": function});
                self.delta(json!({ "tool_calls": [call] }), None)
            }
            Event::Arguments { index, text } => {
                let call = json!({"index": index, "function": {"arguments": text}});
                self.delta(json!({ "tool_calls": [call] }), None)
            }
            Event::End { finish, usage: used } => {
                let mut text = self.delta(json!({}), Some(finish));
                if self.with_usage {
                    let used = usage(&used.unwrap_or_default());
                    text.push_str(&self.chunk(json!([]), Some(used)));
                }
                text.push_str("data: [DONE]\n\n");
                text
            }
        }
    }

    fn broken(&self, error: &ApiError) -> String {
        format!("data: {}\n\n", super::problem::openai(error))
    }
}
