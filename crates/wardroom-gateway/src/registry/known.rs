//! A tool that a person accepted, ready to be listed and called.

use super::{digest::digest, mirrored::Mirrored, schema::Shape, warnings::warnings};
use crate::rpc::Object;
use serde_json::Value;
use wardroom_core::tool::{
    Hints,
    toolbox::{DEFINITION_BYTES_MAX, Definition, SeenTool, TOOL_NAME_CHARS_MAX, Tool, ToolState},
};

/// A tool that may be called.
#[derive(Debug)]
pub struct KnownTool {
    /// Its name.
    pub name: String,
    /// As its server described it when it was accepted.
    pub definition: Object,
    /// The digest of that.
    pub digest: [u8; 32],
    /// What it does, as was accepted.
    pub hints: Hints,
    /// What its arguments must be; or why nobody can tell.
    pub input: Result<Shape, String>,
    /// What its structured answer must be, where that is said.
    pub output: Option<Result<Shape, String>>,
    /// Arguments that are told in headers.
    pub mirrored: Mirrored,
}

impl KnownTool {
    /// A tool that was accepted as it is; nothing of any other.
    pub(super) fn of(tool: &Tool) -> Option<Self> {
        if tool.state() != ToolState::Accepted {
            return None;
        }
        let accepted = &tool.accepted.as_ref()?.definition;
        let text = &accepted.text;
        let value: Value = serde_json::from_str(text).ok()?;
        let schema = value.get("inputSchema").cloned().unwrap_or(Value::Null);
        Some(Self {
            name: tool.name.clone(),
            definition: Object::parse(text)?,
            digest: accepted.digest,
            hints: hints(&value),
            input: input(&schema),
            output: value.get("outputSchema").map(Shape::compile),
            mirrored: Mirrored::of(&schema).unwrap_or_default(),
        })
    }
}

fn input(schema: &Value) -> Result<Shape, String> {
    if schema.get("type").and_then(Value::as_str) != Some("object") {
        return Err("its inputSchema is not that of an object".to_owned());
    }
    Mirrored::of(schema)?;
    Shape::compile(schema)
}

/// What the annotations say; what they don't, is assumed the worse way (MCP, «ToolAnnotations»).
fn hints(definition: &Value) -> Hints {
    let said = |name: &str| definition.get("annotations")?.get(name)?.as_bool();
    let worst = Hints::default();
    let read_only = said("readOnlyHint").unwrap_or(worst.read_only);
    Hints {
        read_only,
        destructive: !read_only && said("destructiveHint").unwrap_or(worst.destructive),
        idempotent: read_only || said("idempotentHint").unwrap_or(worst.idempotent),
        open_world: said("openWorldHint").unwrap_or(worst.open_world),
    }
}

/// A tool as its server describes it; why it is no tool.
pub(super) fn seen(definition: &Object) -> Result<SeenTool, String> {
    let name = definition.text("name").unwrap_or_default();
    let sound = |c: char| !c.is_control() && !c.is_whitespace() && c != '/';
    let chars = name.chars().count();
    if chars == 0 || chars > TOOL_NAME_CHARS_MAX || !name.chars().all(sound) {
        return Err(format!("{name:?} is no name of a tool"));
    }
    let text = definition.raw().get().to_owned();
    if text.len() > DEFINITION_BYTES_MAX {
        return Err(format!(
            "the definition of {name:?} is longer than {DEFINITION_BYTES_MAX} bytes"
        ));
    }
    let value: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    let schema = value.get("inputSchema").cloned().unwrap_or(Value::Null);
    let mut found = warnings(&name, &value);
    let output = value.get("outputSchema").map(Shape::compile);
    let broken = [input(&schema).err(), output.and_then(Result::err)];
    found.extend(broken.into_iter().flatten().map(|why| format!("it can't be called: {why}")));
    Ok(SeenTool { name, definition: Definition { digest: digest(&value), text }, warnings: found })
}

/// The digest of a definition without its name, by which a renamed tool is known.
pub(super) fn nameless_digest(text: &str) -> Option<[u8; 32]> {
    let mut value: Value = serde_json::from_str(text).ok()?;
    let members = value.as_object_mut()?;
    members.remove("name");
    members.remove("title");
    Some(digest(&value))
}
