//! Requests of chat completions, as OpenAI's API reference of November 2026 has them.

use super::{
    wanted::{OUTPUT_TOKENS, Wanted, image, rest, said, tell},
    wrong,
};
use crate::error::ApiError;
use serde::Deserialize;
use serde_json::{Map, Value};
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
struct Request {
    model: String,
    messages: Vec<Told>,
    #[serde(default)]
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
    max_tokens: Option<u32>,
    max_completion_tokens: Option<u32>,
    temperature: Option<f64>,
    seed: Option<i64>,
    stop: Option<Texts>,
    tools: Option<Vec<Tool>>,
    tool_choice: Option<Choice>,
    parallel_tool_calls: Option<bool>,
    response_format: Option<Format>,
    n: Option<u32>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

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
#[serde(tag = "role", rename_all = "snake_case")]
enum Told {
    System { content: Content },
    Developer { content: Content },
    User { content: Content },
    Assistant { content: Option<Content>, refusal: Option<String>, tool_calls: Option<Vec<Call>> },
    Tool { content: Content, tool_call_id: String },
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Parts(Vec<Part>),
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Part {
    Text {
        text: String,
    },
    Refusal {
        refusal: String,
    },
    ImageUrl {
        image_url: ImageUrl,
    },
    #[serde(other)]
    Other,
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
    let request: Request =
        serde_json::from_slice(body).map_err(|error| wrong("body", error.to_string()))?;
    if request.n.is_some_and(|n| n != 1) {
        return Err(wrong("n", "must be 1: ask several times for several answers"));
    }
    let (mut system, mut messages) = (String::new(), vec![]);
    for (index, one) in request.messages.into_iter().enumerate() {
        add(one, &format!("messages[{index}]"), &mut system, &mut messages)?;
    }
    let most = request.max_completion_tokens.or(request.max_tokens);
    let (response, response_strict) = match request.response_format {
        None | Some(Format::Text) => (None, false),
        Some(Format::JsonObject) => {
            let object = [("type".to_owned(), Value::from("object"))].into_iter().collect();
            (Some(object), false)
        }
        Some(Format::JsonSchema { json_schema: Schema { schema, strict } }) => {
            (Some(schema.unwrap_or_default()), strict.unwrap_or(false))
        }
    };
    let ask = Ask {
        model: String::new(),
        system,
        messages,
        tools: request.tools.unwrap_or_default().into_iter().map(tool).collect::<Result<_, _>>()?,
        tool_choice: request.tool_choice.map_or(Ok(ToolChoice::Auto), choice)?,
        parallel_calls: request.parallel_tool_calls.unwrap_or(true),
        output_tokens_max: most.unwrap_or(OUTPUT_TOKENS),
        temperature: request.temperature,
        seed: request.seed,
        stop: match request.stop {
            None => vec![],
            Some(Texts::One(text)) => vec![text],
            Some(Texts::Many(texts)) => texts,
        },
        response,
        response_strict,
        extra: rest(request.rest, "openai", &PASSED, &IDLE)?,
    };
    let with_usage = request.stream_options.and_then(|options| options.include_usage);
    let wanted = Wanted {
        model: request.model,
        ask,
        streamed: request.stream.unwrap_or(false),
        with_usage: with_usage.unwrap_or(false),
    };
    wanted.checked()
}

fn add(
    told: Told,
    place: &str,
    system: &mut String,
    messages: &mut Vec<Message>,
) -> Result<(), ApiError> {
    match told {
        Told::System { content } | Told::Developer { content } => {
            if !system.is_empty() {
                system.push_str("\n\n");
            }
            system.push_str(&text(content, place)?);
        }
        Told::User { content } => tell(messages, user_parts(content, place)?),
        Told::Tool { content, tool_call_id: id } => {
            let text = text(content, place)?;
            tell(messages, vec![UserPart::ToolResult { id, text, is_error: false }]);
        }
        Told::Assistant { content, refusal, tool_calls } => {
            let mut parts = vec![];
            let words = content.map(|content| text(content, place)).transpose()?.or(refusal);
            if let Some(text) = words.filter(|text| !text.is_empty()) {
                parts.push(AssistantPart::Text { text });
            }
            for Call { id, function } in tool_calls.unwrap_or_default() {
                let arguments = match function.arguments.trim() {
                    "" => Map::new(),
                    text => serde_json::from_str(text).map_err(|_| {
                        wrong(
                            place,
                            format!(
                                "the arguments of the call of {:?} are no JSON object",
                                function.name
                            ),
                        )
                    })?,
                };
                parts.push(AssistantPart::ToolCall { id, name: function.name, arguments });
            }
            said(messages, parts);
        }
    }
    Ok(())
}

/// A content that is text alone.
fn text(content: Content, place: &str) -> Result<String, ApiError> {
    match content {
        Content::Text(text) => Ok(text),
        Content::Parts(parts) => parts
            .into_iter()
            .map(|part| match part {
                Part::Text { text } | Part::Refusal { refusal: text } => Ok(text),
                Part::ImageUrl { .. } | Part::Other => {
                    Err(wrong(place, "only texts can stand here"))
                }
            })
            .collect(),
    }
}

fn user_parts(content: Content, place: &str) -> Result<Vec<UserPart>, ApiError> {
    let parts = match content {
        Content::Text(text) => return Ok(vec![UserPart::Text { text }]),
        Content::Parts(parts) => parts,
    };
    let part = |part| match part {
        Part::Text { text } | Part::Refusal { refusal: text } => Ok(UserPart::Text { text }),
        Part::ImageUrl { image_url: ImageUrl { url } } => {
            let data = url.strip_prefix("data:").and_then(|data| data.split_once(";base64,"));
            let (kind, data) = data.ok_or_else(|| {
                // SECURITY: the orchestrator fetches nothing that a request names.
                wrong(place, "pictures come as data:image/…;base64,… and not by an address")
            })?;
            image(place, kind, data)
        }
        Part::Other => Err(wrong(place, "texts and pictures can stand here")),
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
