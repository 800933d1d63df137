//! One tool server.

use super::{
    super::{format as f, shell::Shell},
    map::state_of,
};
use askama::Template;
use wardroom_wire::tools::{ShownShape, ToolServerView, ToolUsageView, ToolView, WayShape};

/// One tool server: how it is, what it offers, how its tools do.
#[derive(Template)]
#[template(path = "tool_server.html")]
pub(crate) struct ToolServerPage {
    /// The frame.
    pub(crate) shell: Shell,
    /// The server.
    pub(crate) server: ToolServerView,
    /// Its tools.
    pub(crate) tools: Vec<ToolView>,
    /// How its tools were used within a day.
    pub(crate) usage: Vec<ToolUsageView>,
    /// What went wrong with what was asked for.
    pub(crate) problem: Option<String>,
}

impl ToolServerPage {
    fn state(&self) -> &str {
        state_of(&self.server)
    }

    fn used(&self, tool: &str) -> Option<&ToolUsageView> {
        self.usage.iter().find(|usage| usage.tool.as_deref() == Some(tool))
    }

    fn path_of(&self, tool: &str) -> String {
        let query = f::query(&[("tool", tool)]);
        format!("/gateway/servers/{}/tool{query}", self.server.name)
    }

    fn about(tool: &ToolView) -> String {
        let definition = tool.definition.as_ref();
        let text = definition.and_then(|definition| definition["description"].as_str());
        text.unwrap_or_default().chars().take(160).collect()
    }
}
