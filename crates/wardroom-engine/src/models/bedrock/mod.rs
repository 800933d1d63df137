//! Amazon Bedrock's Converse: bodies and the frames of a streamed answer, as the API model `bedrock-runtime` of November
//! 2026 has them.

mod answer;

pub use answer::{Reading, failure};

use serde_json::{Map, Value, json};
use wardroom_core::model::{Ask, AssistantPart, Message, ToolChoice, ToolSpec, UserPart};

/// By which thoughts are known that may go back.
pub const FROM: &str = "bedrock";

/// The body of a request for a streamed answer; the model stands in its path.
pub fn body(ask: &Ask) -> Value {
    let mut limits = Map::new();
    limits.insert("maxTokens".to_owned(), json!(ask.output_tokens_max));
    if let Some(temperature) = ask.temperature {
        limits.insert("temperature".to_owned(), json!(temperature.min(1.0)));
    }
    if !ask.stop.is_empty() {
        limits.insert("stopSequences".to_owned(), json!(ask.stop));
    }
    let mut body = Map::new();
    let mut add = |name: &str, value: Value| body.insert(name.to_owned(), value);
    if !ask.system.is_empty() {
        add("system", json!([{"text": ask.system}]));
    }
    add("messages", ask.messages.iter().map(told).collect());
    add("inferenceConfig", Value::Object(limits));
    if let Some(tools) = tools(ask) {
        add("toolConfig", tools);
    }
    if let Some(schema) = &ask.response {
        // The schema is a text here, and an object where tools have one.
        let schema = Value::Object(schema.clone()).to_string();
        let named = json!({"jsonSchema": {"name": "answer", "schema": schema}});
        let format = json!({"type": "json_schema", "structure": named});
        add("outputConfig", json!({ "textFormat": format }));
    }
    Value::Object(body)
}

/// What it may call. Nobody can tell it to call nothing: then it is told of tools only where the conversation has calls,
/// which it does not take otherwise.
fn tools(ask: &Ask) -> Option<Value> {
    let called = |message: &Message| match message {
        Message::User { parts } => {
            parts.iter().any(|part| matches!(part, UserPart::ToolResult { .. }))
        }
        Message::Assistant { parts } => {
            parts.iter().any(|part| matches!(part, AssistantPart::ToolCall { .. }))
        }
    };
    let none = ask.tool_choice == ToolChoice::Nothing;
    if ask.tools.is_empty() || (none && !ask.messages.iter().any(called)) {
        return None;
    }
    let tool = |tool: &ToolSpec| {
        let mut spec = json!({"name": tool.name, "inputSchema": {"json": tool.arguments}});
        if let (false, Some(spec)) = (tool.description.is_empty(), spec.as_object_mut()) {
            spec.insert("description".to_owned(), json!(tool.description));
        }
        json!({ "toolSpec": spec })
    };
    let tools: Value = ask.tools.iter().map(tool).collect();
    let choice = match &ask.tool_choice {
        ToolChoice::Auto | ToolChoice::Nothing => json!({"auto": {}}),
        ToolChoice::Any => json!({"any": {}}),
        ToolChoice::Tool(name) => json!({"tool": {"name": name}}),
    };
    Some(json!({"tools": tools, "toolChoice": choice}))
}

/// A message as the API has it: results of tools stand before words.
fn told(message: &Message) -> Value {
    match message {
        Message::User { parts } => {
            let (results, others): (Vec<_>, Vec<_>) =
                parts.iter().partition(|part| matches!(part, UserPart::ToolResult { .. }));
            let blocks: Value = results.into_iter().chain(others).map(user_block).collect();
            json!({"role": "user", "content": blocks})
        }
        Message::Assistant { parts } => {
            let blocks: Value = parts.iter().filter_map(assistant_block).collect();
            json!({"role": "assistant", "content": blocks})
        }
    }
}

fn user_block(part: &UserPart) -> Value {
    match part {
        UserPart::Text { text } => json!({ "text": text }),
        UserPart::Image { format, data } => {
            json!({"image": {"format": format.as_str(), "source": {"bytes": data}}})
        }
        UserPart::ToolResult { id, text, is_error } => {
            let status = if *is_error { "error" } else { "success" };
            json!({"toolResult": {"toolUseId": id, "content": [{"text": text}], "status": status}})
        }
    }
}

fn assistant_block(part: &AssistantPart) -> Option<Value> {
    match part {
        AssistantPart::Text { text } => Some(json!({ "text": text })),
        AssistantPart::ToolCall { id, name, arguments } => {
            Some(json!({"toolUse": {"toolUseId": id, "name": name, "input": arguments}}))
        }
        AssistantPart::Thought { from, raw } => {
            (from == FROM).then(|| json!({ "reasoningContent": raw }))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;
    use wardroom_core::model::ImageKind;

    #[test]
    fn questions_have_the_shape_that_it_takes() {
        let result = UserPart::ToolResult { id: "t1".into(), text: "4 C".into(), is_error: true };
        let image = UserPart::Image { format: ImageKind::Png, data: "AAAA".into() };
        let words = UserPart::Text { text: "And?".into() };
        let object = |value: Value| value.as_object().unwrap().clone();
        let tool = ToolSpec {
            name: "t".into(),
            description: String::new(),
            arguments: object(json!({"type": "object"})),
            strict: false,
        };
        let mut ask = Ask {
            system: "Be brief.".into(),
            messages: vec![Message::User { parts: vec![words, image, result] }],
            tools: vec![tool],
            tool_choice: ToolChoice::Tool("t".into()),
            output_tokens_max: 9,
            temperature: Some(1.5),
            stop: vec!["END".into()],
            response: Some(object(json!({"type": "object"}))),
            ..Ask::default()
        };
        let told = body(&ask);
        let content = told["messages"][0]["content"].as_array().unwrap();
        assert_eq!(
            content[0],
            json!({"toolResult": {"toolUseId": "t1", "content": [{"text": "4 C"}], "status": "error"}})
        );
        assert_eq!(content[2], json!({"image": {"format": "png", "source": {"bytes": "AAAA"}}}));
        assert_eq!(
            told["inferenceConfig"],
            json!({"maxTokens": 9, "temperature": 1.0, "stopSequences": ["END"]})
        );
        assert_eq!(
            told["toolConfig"],
            json!({"tools": [{"toolSpec": {"name": "t", "inputSchema": {"json": {"type": "object"}}}}], "toolChoice": {"tool": {"name": "t"}}})
        );
        let schema = &told["outputConfig"]["textFormat"]["structure"]["jsonSchema"]["schema"];
        assert_eq!(schema, "{\"type\":\"object\"}");
        ask.tool_choice = ToolChoice::Nothing;
        assert!(body(&ask).get("toolConfig").is_some(), "the conversation has a result");
        ask.messages.clear();
        assert!(body(&ask).get("toolConfig").is_none());
    }
}
