//! Answers of messages, as Anthropic's API reference of November 2026 has them.

use super::Whole;
use crate::error::ApiError;
use serde_json::{Value, json};
use wardroom_core::model::{AssistantPart, Event, Finish, Usage};
use wardroom_engine::models::anthropic::FROM;

fn stop_reason(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop => "end_turn",
        Finish::Calls => "tool_use",
        Finish::Length => "max_tokens",
        Finish::Refused => "refusal",
    }
}

fn usage(usage: &Usage) -> Value {
    let beside = usage.cache_read_tokens.saturating_add(usage.cache_write_tokens);
    json!({
        "input_tokens": usage.input_tokens.saturating_sub(beside),
        "cache_creation_input_tokens": usage.cache_write_tokens,
        "cache_read_input_tokens": usage.cache_read_tokens,
        "output_tokens": usage.output_tokens,
    })
}

fn message(id: &str, model: &str, content: Vec<Value>, reason: Option<&str>, used: Value) -> Value {
    json!({
        "id": format!("msg_{id}"),
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": content,
        "stop_reason": reason,
        "stop_sequence": null,
        "usage": used,
    })
}

/// An answer that came whole.
pub(super) fn document(id: &str, whole: Whole) -> Value {
    let block = |part| match part {
        AssistantPart::Text { text } => Some(json!({"type": "text", "text": text})),
        AssistantPart::ToolCall { id, name, arguments } => {
            Some(json!({"type": "tool_use", "id": id, "name": name, "input": arguments}))
        }
        AssistantPart::Thought { from, raw } => (from == FROM).then_some(raw),
    };
    let content = whole.parts.into_iter().filter_map(block).collect();
    let reason = Some(stop_reason(whole.finish));
    message(id, &whole.model, content, reason, usage(&whole.usage))
}

/// What stands open in the answer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Block {
    Text,
    Call(u32),
}

/// A call that waits for its place.
struct Later {
    index: u32,
    id: String,
    name: String,
    arguments: String,
}

/// An answer that comes piece by piece.
pub(super) struct Writing {
    id: String,
    model: String,
    opened: bool,
    open: Option<Block>,
    /// The index of the next block.
    next: u32,
    /// Calls that began while another stood open: nobody says when one is whole, and blocks follow each other.
    later: Vec<Later>,
}

impl Writing {
    pub(super) fn new(id: &str, model: String) -> Self {
        Self { id: id.to_owned(), model, opened: false, open: None, next: 0, later: vec![] }
    }

    fn event(name: &str, mut value: Value) -> String {
        if let Some(members) = value.as_object_mut() {
            members.insert("type".to_owned(), json!(name));
        }
        format!("event: {name}\ndata: {value}\n\n")
    }

    fn begin(&mut self, text: &mut String, block: Value) {
        self.close(text);
        let started = json!({"index": self.next, "content_block": block});
        text.push_str(&Self::event("content_block_start", started));
    }

    fn delta(&self, text: &mut String, delta: Value) {
        let delta = json!({"index": self.next, "delta": delta});
        text.push_str(&Self::event("content_block_delta", delta));
    }

    fn close(&mut self, text: &mut String) {
        if self.open.take().is_some() {
            text.push_str(&Self::event("content_block_stop", json!({ "index": self.next })));
            self.next += 1;
        }
    }

    fn call(&mut self, text: &mut String, index: u32, id: String, name: String) {
        if matches!(self.open, Some(Block::Call(_))) {
            self.later.push(Later { index, id, name, arguments: String::new() });
            return;
        }
        self.begin(text, json!({"type": "tool_use", "id": id, "name": name, "input": {}}));
        self.open = Some(Block::Call(index));
    }

    fn arguments(&mut self, text: &mut String, index: u32, piece: &str) {
        if self.open == Some(Block::Call(index)) {
            self.delta(text, json!({"type": "input_json_delta", "partial_json": piece}));
        } else if let Some(call) = self.later.iter_mut().find(|call| call.index == index) {
            call.arguments.push_str(piece);
        }
    }

    /// Closes what is open, and writes what waited for that.
    fn close_all(&mut self, text: &mut String) {
        self.close(text);
        for Later { index, id, name, arguments } in std::mem::take(&mut self.later) {
            self.call(text, index, id, name);
            self.arguments(text, index, &arguments);
            self.close(text);
        }
    }
}

impl super::Writing for Writing {
    fn piece(&mut self, event: Event) -> String {
        let mut text = String::new();
        if !std::mem::replace(&mut self.opened, true) {
            let none = usage(&Usage::default());
            let started = message(&self.id, &self.model, vec![], None, none);
            text.push_str(&Self::event("message_start", json!({ "message": started })));
        }
        match event {
            Event::Text { text: piece } => {
                if self.open != Some(Block::Text) {
                    self.close_all(&mut text);
                    self.begin(&mut text, json!({"type": "text", "text": ""}));
                    self.open = Some(Block::Text);
                }
                self.delta(&mut text, json!({"type": "text_delta", "text": piece}));
            }
            // It comes whole, with what proves it.
            Event::Thinking { .. } => {}
            Event::Thought { from, raw } if from == FROM => {
                self.close_all(&mut text);
                self.begin(&mut text, raw);
                text.push_str(&Self::event("content_block_stop", json!({ "index": self.next })));
                self.next += 1;
            }
            Event::Thought { .. } => {}
            Event::Call { index, id, name } => self.call(&mut text, index, id, name),
            Event::Arguments { index, text: piece } => self.arguments(&mut text, index, &piece),
            Event::End { finish, usage: used } => {
                self.close_all(&mut text);
                let delta = json!({"stop_reason": stop_reason(finish), "stop_sequence": null});
                let used = usage(&used.unwrap_or_default());
                text.push_str(&Self::event(
                    "message_delta",
                    json!({"delta": delta, "usage": used}),
                ));
                text.push_str(&Self::event("message_stop", json!({})));
            }
        }
        text
    }

    fn broken(&self, error: &ApiError) -> String {
        let problem = super::problem::anthropic(error, "");
        Self::event("error", json!({ "error": problem.get("error") }))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;
    use crate::models::Writing as _;

    fn written(events: Vec<Event>) -> Vec<Value> {
        let mut writing = Writing::new("1", "near/small".into());
        let text: String = events.into_iter().map(|event| writing.piece(event)).collect();
        let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
        data.map(|data| serde_json::from_str(data).unwrap()).collect()
    }

    #[test]
    fn blocks_follow_each_other_also_where_calls_come_at_once() {
        let call =
            |index, name: &str| Event::Call { index, id: format!("c{index}"), name: name.into() };
        let arguments = |index, text: &str| Event::Arguments { index, text: text.into() };
        let events = written(vec![
            Event::Text { text: "I look".into() },
            call(0, "a"),
            call(1, "b"),
            arguments(1, "{\"y\""),
            arguments(0, "{\"x\":1}"),
            arguments(1, ":2}"),
            Event::End { finish: Finish::Calls, usage: None },
        ]);
        let shown: Vec<String> = events
            .iter()
            .map(|event| {
                let kind = event["type"].as_str().unwrap().replace("content_block_", "");
                let piece = event.pointer("/delta/partial_json").and_then(Value::as_str);
                format!("{kind} {} {}", event["index"], piece.unwrap_or_default())
            })
            .collect();
        let expected = [
            "message_start null ",
            "start 0 ",
            "delta 0 ",
            "stop 0 ",
            "start 1 ",
            "delta 1 {\"x\":1}",
            "stop 1 ",
            "start 2 ",
            "delta 2 {\"y\":2}",
            "stop 2 ",
            "message_delta null ",
            "message_stop null ",
        ];
        assert_eq!(shown, expected);
        assert_eq!(events[10]["delta"]["stop_reason"], "tool_use");
    }

    #[test]
    fn an_empty_answer_is_a_whole_one() {
        let usage =
            Usage { input_tokens: 10, cache_read_tokens: 4, output_tokens: 0, ..Usage::default() };
        let events = written(vec![Event::End { finish: Finish::Stop, usage: Some(usage) }]);
        let kinds: Vec<_> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["message_start", "message_delta", "message_stop"]);
        assert_eq!(
            events[1]["usage"]["input_tokens"], 6,
            "what came from a cache stands beside it"
        );
    }
}
