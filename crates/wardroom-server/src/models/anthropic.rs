//! Requests of messages, as Anthropic's API reference of November 2026 has them.

use super::{
    wanted::{Content, Members, Wanted, image, part, said, tell},
    wrong,
};
use crate::error::ApiError;
use serde::Deserialize;
use serde_json::{Map, Value, value::RawValue};
use wardroom_core::model::{Ask, AssistantPart, ToolChoice, ToolSpec, UserPart};
use wardroom_engine::models::anthropic::FROM;

/// Members that providers of this API get as they are.
const PASSED: [&str; 3] = ["top_p", "top_k", "thinking"];
/// Members that say nothing to a model.
const IDLE: [&str; 3] = ["metadata", "service_tier", "cache_control"];

#[derive(Deserialize)]
struct Told<'a> {
    role: Role,
    #[serde(borrow)]
    content: &'a RawValue,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Role {
    User,
    Assistant,
}

#[derive(Deserialize)]
struct Block<'a> {
    #[serde(rename = "type")]
    kind: String,
    text: Option<String>,
    source: Option<Source>,
    id: Option<String>,
    name: Option<String>,
    input: Option<Map<String, Value>>,
    tool_use_id: Option<String>,
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    #[serde(default)]
    is_error: bool,
}

#[derive(Deserialize)]
struct Source {
    #[serde(rename = "type")]
    kind: String,
    media_type: Option<String>,
    data: Option<String>,
}

#[derive(Deserialize)]
struct Tool {
    name: String,
    #[serde(default)]
    description: String,
    input_schema: Map<String, Value>,
    #[serde(default)]
    strict: bool,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(rename = "type")]
    kind: String,
    name: Option<String>,
    #[serde(default)]
    disable_parallel_tool_use: bool,
}

#[derive(Deserialize)]
struct OutputConfig {
    format: Option<Format>,
}

#[derive(Deserialize)]
struct Format {
    schema: Map<String, Value>,
}

/// Reads a request.
pub(super) fn read(body: &[u8]) -> Result<Wanted, ApiError> {
    let mut members = Members::read(body)?;
    members.take::<String>("model")?;
    let mut messages = vec![];
    for (place, Told { role, content }) in members.messages()? {
        let content = Content::read(content, &place)?;
        match role {
            Role::User => tell(&mut messages, user_parts(content, &place)?),
            Role::Assistant => said(&mut messages, assistant_parts(content, &place)?),
        }
    }
    let system: Option<&RawValue> = members.take("system")?;
    let system = system.map(|raw| text(Content::read(raw, "system")?, "system")).transpose()?;
    let chosen: Option<Choice> = members.take("tool_choice")?;
    let parallel_calls = !chosen.as_ref().is_some_and(|choice| choice.disable_parallel_tool_use);
    let config: Option<OutputConfig> = members.take("output_config")?;
    let response = config.and_then(|config| config.format);
    let streamed = members.take("stream")?.unwrap_or(false);
    let ask = Ask {
        model: String::new(),
        system: system.unwrap_or_default(),
        messages,
        tools: members.tools()?.into_iter().map(tool).collect::<Result<_, _>>()?,
        tool_choice: chosen.map_or(Ok(ToolChoice::Auto), choice)?,
        parallel_calls,
        output_tokens_max: members
            .take("max_tokens")?
            .ok_or_else(|| wrong("max_tokens", "is missing"))?,
        temperature: members.take("temperature")?,
        seed: None,
        stop: members.take("stop_sequences")?.unwrap_or_default(),
        response_strict: response.is_some(),
        response: response.map(|format| format.schema),
        extra: members.rest(FROM, &PASSED, &IDLE)?,
    };
    Wanted { ask, streamed, with_usage: true }.checked()
}

/// A content that is text alone.
fn text(content: Content<'_>, place: &str) -> Result<String, ApiError> {
    match content {
        Content::Text(text) => Ok(text),
        Content::Parts(blocks) => {
            let texts = blocks.into_iter().map(|raw| match part::<Block<'_>>(raw, place)? {
                Block { kind, text: Some(text), .. } if kind == "text" => Ok(text),
                _ => Err(wrong(place, "only texts can stand here")),
            });
            Ok(texts.collect::<Result<Vec<_>, _>>()?.join("\n"))
        }
    }
}

fn user_parts(content: Content<'_>, place: &str) -> Result<Vec<UserPart>, ApiError> {
    let blocks = match content {
        Content::Text(text) => return Ok(vec![UserPart::Text { text }]),
        Content::Parts(blocks) => blocks,
    };
    let part = |raw| {
        let block: Block<'_> = part(raw, place)?;
        match (block.kind.as_str(), block.text, block.source, block.tool_use_id) {
            ("text", Some(text), ..) => Ok(UserPart::Text { text }),
            ("image", _, Some(Source { kind, media_type: Some(media), data: Some(data) }), _)
                if kind == "base64" =>
            {
                image(place, &media, &data)
            }
            // SECURITY: the orchestrator fetches nothing that a request names.
            ("image", ..) => Err(wrong(place, "pictures come as Base64 and not by an address")),
            ("tool_result", _, _, Some(id)) => {
                let content = block.content.filter(|raw| raw.get() != "null");
                let content = content.map(|raw| text(Content::read(raw, place)?, place));
                let text = content.transpose()?.unwrap_or_default();
                Ok(UserPart::ToolResult { id, text, is_error: block.is_error })
            }
            _ => Err(wrong(place, "texts, pictures and results of tools can stand here")),
        }
    };
    blocks.into_iter().map(part).collect()
}

fn assistant_parts(content: Content<'_>, place: &str) -> Result<Vec<AssistantPart>, ApiError> {
    let blocks = match content {
        Content::Text(text) => return Ok(vec![AssistantPart::Text { text }]),
        Content::Parts(blocks) => blocks,
    };
    let part = |raw: &RawValue| {
        let block: Block<'_> = part(raw, place)?;
        match (block.kind.as_str(), block.text, block.id, block.name) {
            ("text", Some(text), ..) => Ok(AssistantPart::Text { text }),
            ("tool_use", _, Some(id), Some(name)) => {
                let arguments = block.input.unwrap_or_default();
                Ok(AssistantPart::ToolCall { id, name, arguments })
            }
            ("thinking" | "redacted_thinking", ..) => {
                let raw = self::part(raw, place)?;
                Ok(AssistantPart::Thought { from: FROM.to_owned(), raw })
            }
            _ => Err(wrong(place, "texts, thoughts and calls of tools can stand here")),
        }
    };
    blocks.into_iter().map(part).collect()
}

fn tool(value: Value) -> Result<ToolSpec, ApiError> {
    let own = value.get("type").and_then(Value::as_str).is_none_or(|kind| kind == "custom");
    if !own {
        return Err(wrong("tools", "tools that a provider runs itself can't be used here"));
    }
    let Tool { name, description, input_schema: arguments, strict } =
        Tool::deserialize(value).map_err(|error| wrong("tools", error.to_string()))?;
    Ok(ToolSpec { name, description, arguments, strict })
}

fn choice(choice: Choice) -> Result<ToolChoice, ApiError> {
    match (choice.kind.as_str(), choice.name) {
        ("auto", _) => Ok(ToolChoice::Auto),
        ("none", _) => Ok(ToolChoice::Nothing),
        ("any", _) => Ok(ToolChoice::Any),
        ("tool", Some(name)) => Ok(ToolChoice::Tool(name)),
        _ => Err(wrong("tool_choice", "must be auto, any, none, or tool with a name")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use serde_json::json;
    use wardroom_core::model::Message;

    fn of(value: Value) -> Result<Wanted, ApiError> {
        read(value.to_string().as_bytes())
    }

    #[test]
    fn conversations_with_thoughts_and_results_are_read() {
        let thought = json!({"type": "thinking", "thinking": "Hm", "signature": "EqQB"});
        let wanted = of(json!({
            "model": "fast", "max_tokens": 9, "stream": true, "top_k": 4, "metadata": {"user_id": "x"},
            "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
            "messages": [
                {"role": "user", "content": [{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}]},
                {"role": "assistant", "content": [thought, {"type": "tool_use", "id": "a", "name": "look", "input": {"x": 1}}]},
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "is_error": true, "content": [{"type": "text", "text": "No"}]}]},
            ],
            "tools": [{"name": "look", "input_schema": {"type": "object"}}],
            "tool_choice": {"type": "any", "disable_parallel_tool_use": true},
            "output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}},
        }))
        .unwrap();
        let ask = &wanted.ask;
        assert_eq!((ask.system.as_str(), ask.tool_choice.clone()), ("Be brief.", ToolChoice::Any));
        assert!(!ask.parallel_calls && ask.response.is_some() && wanted.streamed);
        let Some(Message::Assistant { parts }) = ask.messages.get(1) else { unreachable!() };
        assert_eq!(
            parts.first(),
            Some(&AssistantPart::Thought { from: FROM.into(), raw: thought })
        );
        let result = UserPart::ToolResult { id: "a".into(), text: "No".into(), is_error: true };
        assert_eq!(ask.messages.get(2), Some(&Message::User { parts: vec![result] }));
    }

    #[test]
    fn what_would_be_lost_is_refused_by_its_name() {
        let with = |name: &str, value: Value| {
            let mut request = json!({"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "x"}]});
            request.as_object_mut().unwrap().insert(name.to_owned(), value);
            of(request).err().and_then(|error| error.fields.first().map(|one| one.field.clone()))
        };
        assert_eq!(with("metadata", json!({})), None);
        for (name, value) in [
            ("mcp_servers", json!([])),
            ("container", json!("c")),
            ("tools", json!([{"type": "web_search_20250305", "name": "web_search"}])),
            ("tool_choice", json!({"type": "tool"})),
            ("max_tokens", json!(0)),
        ] {
            assert_eq!(with(name, value).unwrap(), name);
        }
        let address = json!([{"role": "user", "content": [{"type": "image", "source": {"type": "url", "url": "http://169.254.169.254/"}}]}]);
        assert_eq!(with("messages", address).unwrap(), "messages[0]");
    }
}
