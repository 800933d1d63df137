//! Requests of chat completions, as OpenAI's API reference of November 2026 has them.

use super::{
    wanted::{Content, Members, OUTPUT_TOKENS, Wanted, image, part, said, tell},
    wrong,
};
use crate::error::ApiError;
use serde::Deserialize;
use serde_json::{Map, Value, value::RawValue};
use wardroom_core::model::{Ask, AssistantPart, Message, ToolChoice, ToolSpec, UserPart};

/// Members that providers of this API get as they are.
const PASSED: [&str; 9] = [
    "top_p",
    "top_k",
    "min_p",
    "frequency_penalty",
    "presence_penalty",
    "repetition_penalty",
    "logit_bias",
    "reasoning_effort",
    "verbosity",
];
/// Members that say nothing to a model.
const IDLE: [&str; 6] =
    ["user", "metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key"];

#[derive(Deserialize)]
struct StreamOptions {
    include_usage: Option<bool>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Texts {
    One(String),
    Many(Vec<String>),
}

#[derive(Deserialize)]
struct Told<'a> {
    role: String,
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    refusal: Option<String>,
    tool_calls: Option<Vec<Call>>,
    tool_call_id: Option<String>,
}

#[derive(Deserialize)]
struct Part {
    #[serde(rename = "type")]
    kind: String,
    text: Option<String>,
    refusal: Option<String>,
    image_url: Option<ImageUrl>,
}

#[derive(Deserialize)]
struct ImageUrl {
    url: String,
}

#[derive(Deserialize)]
struct Call {
    id: String,
    function: Called,
}

#[derive(Deserialize)]
struct Called {
    name: String,
    #[serde(default)]
    arguments: String,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Tool {
    Function {
        function: Function,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Function {
    name: String,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    parameters: Option<Map<String, Value>>,
    #[serde(default)]
    strict: Option<bool>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Choice {
    Word(String),
    One { function: ChosenFunction },
}

#[derive(Deserialize)]
struct ChosenFunction {
    name: String,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Format {
    Text,
    JsonObject,
    JsonSchema { json_schema: Schema },
}

#[derive(Deserialize)]
struct Schema {
    schema: Option<Map<String, Value>>,
    strict: Option<bool>,
}

/// Reads a request.
pub(super) fn read(body: &[u8]) -> Result<Wanted, ApiError> {
    let mut members = Members::read(body)?;
    members.take::<String>("model")?;
    if members.take::<u32>("n")?.is_some_and(|n| n != 1) {
        return Err(wrong("n", "must be 1: ask several times for several answers"));
    }
    let (mut system, mut messages) = (String::new(), vec![]);
    for (place, told) in members.messages()? {
        add(told, &place, &mut system, &mut messages)?;
    }
    let most = members.take::<u32>("max_completion_tokens")?;
    let most = members.take::<u32>("max_tokens")?.or(most).map(|other| most.unwrap_or(other));
    let (response, response_strict) = match members.take("response_format")? {
        None | Some(Format::Text) => (None, false),
        Some(Format::JsonObject) => {
            let object = [("type".to_owned(), Value::from("object"))].into_iter().collect();
            (Some(object), false)
        }
        Some(Format::JsonSchema { json_schema: Schema { schema, strict } }) => {
            (Some(schema.unwrap_or_default()), strict.unwrap_or(false))
        }
    };
    let options: Option<StreamOptions> = members.take("stream_options")?;
    let streamed = members.take("stream")?.unwrap_or(false);
    let ask = Ask {
        model: String::new(),
        system,
        messages,
        tools: members.tools()?.into_iter().map(tool).collect::<Result<_, _>>()?,
        tool_choice: members.take("tool_choice")?.map_or(Ok(ToolChoice::Auto), choice)?,
        parallel_calls: members.take("parallel_tool_calls")?.unwrap_or(true),
        output_tokens_max: most.unwrap_or(OUTPUT_TOKENS),
        temperature: members.take("temperature")?,
        seed: members.take("seed")?,
        stop: match members.take("stop")? {
            None => vec![],
            Some(Texts::One(text)) => vec![text],
            Some(Texts::Many(texts)) => texts,
        },
        response,
        response_strict,
        extra: members.rest("openai", &PASSED, &IDLE)?,
    };
    let with_usage = options.and_then(|options| options.include_usage).unwrap_or(false);
    Wanted { ask, streamed, with_usage }.checked()
}

fn add(
    told: Told<'_>,
    place: &str,
    system: &mut String,
    messages: &mut Vec<Message>,
) -> Result<(), ApiError> {
    let content = told.content.filter(|raw| raw.get() != "null");
    let content = content.map(|raw| Content::read(raw, place)).transpose()?;
    let there = |content: Option<_>| content.ok_or_else(|| wrong(place, "content is missing"));
    match told.role.as_str() {
        "system" | "developer" => {
            if !system.is_empty() {
                system.push_str("\n\n");
            }
            system.push_str(&text(there(content)?, place)?);
        }
        "user" => tell(messages, user_parts(there(content)?, place)?),
        "tool" => {
            let missing = || wrong(place, "tool_call_id is missing");
            let (id, text) =
                (told.tool_call_id.ok_or_else(missing)?, text(there(content)?, place)?);
            tell(messages, vec![UserPart::ToolResult { id, text, is_error: false }]);
        }
        "assistant" => {
            let words = content.map(|content| text(content, place)).transpose()?.or(told.refusal);
            said(messages, assistant_parts(words, told.tool_calls, place)?);
        }
        _ => return Err(wrong(place, "role must be system, developer, user, assistant or tool")),
    }
    Ok(())
}

fn assistant_parts(
    words: Option<String>,
    calls: Option<Vec<Call>>,
    place: &str,
) -> Result<Vec<AssistantPart>, ApiError> {
    let words = words.filter(|text| !text.is_empty()).map(|text| AssistantPart::Text { text });
    let call = |Call { id, function }: Call| {
        let arguments = match function.arguments.trim() {
            "" => Map::new(),
            text => serde_json::from_str(text).map_err(|_| {
                let name = &function.name;
                wrong(place, format!("the arguments of the call of {name:?} are no JSON object"))
            })?,
        };
        Ok(AssistantPart::ToolCall { id, name: function.name, arguments })
    };
    words.into_iter().map(Ok).chain(calls.unwrap_or_default().into_iter().map(call)).collect()
}

/// A content that is text alone.
fn text(content: Content<'_>, place: &str) -> Result<String, ApiError> {
    match content {
        Content::Text(text) => Ok(text),
        Content::Parts(parts) => parts
            .into_iter()
            .map(|raw| {
                let Part { kind, text, refusal, .. } = part(raw, place)?;
                match kind.as_str() {
                    "text" | "refusal" => Ok(text.or(refusal).unwrap_or_default()),
                    _ => Err(wrong(place, "only texts can stand here")),
                }
            })
            .collect(),
    }
}

fn user_parts(content: Content<'_>, place: &str) -> Result<Vec<UserPart>, ApiError> {
    let parts = match content {
        Content::Text(text) => return Ok(vec![UserPart::Text { text }]),
        Content::Parts(parts) => parts,
    };
    let part = |raw| {
        let Part { kind, text, image_url, .. } = part(raw, place)?;
        match (kind.as_str(), image_url) {
            ("text", _) => Ok(UserPart::Text { text: text.unwrap_or_default() }),
            ("image_url", Some(ImageUrl { url })) => {
                let data = url.strip_prefix("data:").and_then(|data| data.split_once(";base64,"));
                let (kind, data) = data.ok_or_else(|| {
                    // SECURITY: the orchestrator fetches nothing that a request names.
                    wrong(place, "pictures come as data:image/…;base64,… and not by an address")
                })?;
                image(place, kind, data)
            }
            _ => Err(wrong(place, "texts and pictures can stand here")),
        }
    };
    parts.into_iter().map(part).collect()
}

fn tool(tool: Tool) -> Result<ToolSpec, ApiError> {
    let Tool::Function { function } = tool else {
        return Err(wrong("tools", "tools are functions here"));
    };
    let empty = || {
        let object = [("type", Value::from("object")), ("properties", Value::Object(Map::new()))];
        object.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    };
    Ok(ToolSpec {
        name: function.name,
        description: function.description.unwrap_or_default(),
        arguments: function.parameters.unwrap_or_else(empty),
        strict: function.strict.unwrap_or(false),
    })
}

fn choice(choice: Choice) -> Result<ToolChoice, ApiError> {
    Ok(match choice {
        Choice::One { function: ChosenFunction { name } } => ToolChoice::Tool(name),
        Choice::Word(word) => match word.as_str() {
            "auto" => ToolChoice::Auto,
            "none" => ToolChoice::Nothing,
            "required" => ToolChoice::Any,
            _ => return Err(wrong("tool_choice", "must be auto, none, required or a function")),
        },
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use serde_json::json;

    fn of(value: Value) -> Result<Wanted, ApiError> {
        read(value.to_string().as_bytes())
    }

    #[test]
    fn conversations_with_tools_and_pictures_are_read() {
        let wanted = of(json!({
            "model": "fast",
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "developer", "content": [{"type": "text", "text": "Be kind."}]},
                {"role": "user", "content": [
                    {"type": "text", "text": "What is it?"},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
                ]},
                {"role": "assistant", "content": null, "tool_calls": [
                    {"id": "a", "type": "function", "function": {"name": "look", "arguments": "{\"x\":1}"}},
                    {"id": "b", "type": "function", "function": {"name": "look", "arguments": ""}},
                ]},
                {"role": "tool", "tool_call_id": "a", "content": "A boat"},
                {"role": "tool", "tool_call_id": "b", "content": "A sail"},
                {"role": "user", "content": "And?"},
            ],
            "tools": [{"type": "function", "function": {"name": "look", "strict": true, "parameters": {"type": "object"}}}],
            "tool_choice": {"type": "function", "function": {"name": "look"}},
            "max_completion_tokens": 50, "max_tokens": 9, "stop": "END", "stream": true,
            "stream_options": {"include_usage": true}, "top_p": 0.5, "user": "x", "logprobs": null,
            "response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}, "strict": true}},
        }))
        .unwrap();
        let ask = &wanted.ask;
        assert_eq!(ask.system, "Be brief.\n\nBe kind.");
        assert_eq!(ask.messages.len(), 3, "results and words behind them are one message");
        let Some(Message::User { parts }) = ask.messages.get(2) else { unreachable!() };
        assert_eq!(parts.len(), 3);
        assert_eq!((ask.output_tokens_max, wanted.with_usage, wanted.streamed), (50, true, true));
        assert_eq!(
            (ask.tool_choice.clone(), ask.response_strict),
            (ToolChoice::Tool("look".into()), true)
        );
        let extra = ask.extra.as_ref().unwrap();
        assert_eq!((extra.api.as_str(), extra.members.len()), ("openai", 1));
    }

    #[test]
    fn what_would_be_lost_is_refused_by_its_name() {
        let with = |name: &str, value: Value| {
            let mut request = json!({"model": "m", "messages": [{"role": "user", "content": "x"}]});
            request.as_object_mut().unwrap().insert(name.to_owned(), value);
            of(request).err().map(|error| {
                error.fields.first().map(|one| (one.field.clone(), one.reason.clone())).unwrap()
            })
        };
        assert_eq!(with("user", json!("ann")), None);
        for (name, value) in [
            ("n", json!(2)),
            ("logprobs", json!(true)),
            ("modalities", json!(["audio"])),
            ("something", json!(1)),
            ("tool_choice", json!("maybe")),
        ] {
            assert_eq!(with(name, value).unwrap().0, name);
        }
        let address = json!([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://169.254.169.254/"}}]}]);
        assert!(with("messages", address).unwrap().1.contains("not by an address"));
        assert_eq!(with("messages", json!([])).unwrap().0, "messages");
        assert_eq!(with("max_tokens", json!(0)).unwrap().0, "max_tokens");
    }
}
