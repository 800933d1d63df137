//! One tool.

use super::super::{
    difference::DifferenceLine,
    format as f,
    order::{Entry, OrderForm},
    shell::Shell,
};
use askama::Template;
use serde_json::Value;
use wardroom_wire::tools::{ToolCallResult, ToolUsageView, ToolView};

/// What came of trying a tool out.
pub(crate) enum Tried {
    /// It answered.
    Answer(ToolCallResult),
    /// A person has to approve it first: the approval's id.
    Waits(String),
    /// It was not called, or failed: why.
    Problem(String),
}

/// One tool: how it is described, what changed since somebody accepted it, a form to try it out.
#[derive(Template)]
#[template(path = "tool.html")]
pub(crate) struct ToolPage {
    /// The frame.
    pub(crate) shell: Shell,
    /// The tool.
    pub(crate) tool: ToolView,
    /// Its description, with what changed.
    pub(crate) lines: Vec<DifferenceLine>,
    /// The form, where the viewer may call it.
    pub(crate) form: Option<OrderForm>,
    /// What came of it.
    pub(crate) tried: Option<Tried>,
    /// How it was used within a day.
    pub(crate) usage: Option<ToolUsageView>,
    /// Whether the viewer may accept it.
    pub(crate) may_accept: bool,
}

impl ToolPage {
    fn about(&self) -> &str {
        let definition = self.tool.definition.as_ref();
        definition.and_then(|definition| definition["description"].as_str()).unwrap_or_default()
    }

    fn hints(&self) -> Vec<&'static str> {
        let hints = self.tool.definition.as_ref().map(|definition| &definition["annotations"]);
        let says = |name: &str| hints.is_some_and(|hints| hints[name] == true);
        [
            ("readOnlyHint", "reads only"),
            ("destructiveHint", "may destroy"),
            ("idempotentHint", "repeatable"),
            ("openWorldHint", "reaches outside"),
        ]
        .into_iter()
        .filter_map(|(name, words)| says(name).then_some(words))
        .collect()
    }

    /// The answer's texts, and what is no text by its kind.
    fn blocks(result: &ToolCallResult) -> Vec<String> {
        let member = |name: &str| result.result.get(name);
        let blocks = member("content").and_then(Value::as_array);
        let blocks = blocks.into_iter().flatten().map(|block| match block["text"].as_str() {
            Some(text) if block["type"] == "text" => text.to_owned(),
            _ => format!("[{}]", block["type"].as_str().unwrap_or("something else")),
        });
        let mut blocks: Vec<String> = blocks.collect();
        let structured = member("structuredContent").map(serde_json::to_string_pretty);
        blocks.extend(structured.and_then(Result::ok));
        blocks
    }
}
