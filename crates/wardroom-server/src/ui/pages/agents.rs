//! AI agents: which there are, and how one is defined.

use super::{agent_run::AgentStartForm, difference::FileDifference, format as f, shell::Shell};
use askama::Template;
use serde_json::Value;
use wardroom_wire::{
    agents::{AgentDetail, AgentVersionView, AgentView},
    api::List,
};

/// What a new definition begins with.
pub(crate) const SAMPLE: &str = "\
name: guide
description: What it is for, in a sentence
model:
  provider: local
  name: qwen3
instructions: |
  You help {{person}}. Today is {{today}}.
tools: {}
limits: {steps_max: 20, cost_usd_max: 0.25}
";

/// The agents by name.
#[derive(Template)]
#[template(path = "agents.html")]
pub(crate) struct AgentsPage {
    /// The frame.
    pub(crate) shell: Shell,
    /// The agents.
    pub(crate) list: List<AgentView>,
}

impl AgentsPage {
    fn next(&self) -> Option<String> {
        self.list.next.as_deref().map(|after| f::query(&[("after", after)]))
    }
}

/// One agent, or a new one.
#[derive(Template)]
#[template(path = "agent.html")]
pub(crate) struct AgentPage {
    /// The frame.
    pub(crate) shell: Shell,
    /// The agent as it is in force; nothing for a new one.
    pub(crate) detail: Option<AgentDetail>,
    /// What the form holds.
    pub(crate) text: String,
    /// What is said of it.
    pub(crate) note: String,
    /// What is wrong with it, one line per mistake.
    pub(crate) mistakes: Vec<String>,
    /// The digest of the file that the text was made from.
    pub(crate) base: String,
    /// Whether somebody else put a version in force meanwhile.
    pub(crate) overtaken: bool,
    /// What it would change, where that was asked.
    pub(crate) difference: Option<FileDifference>,
    /// The versions, newest first.
    pub(crate) versions: List<AgentVersionView>,
    /// The form by which it is let work, where the viewer may.
    pub(crate) start: Option<AgentStartForm>,
    /// Whether the viewer may define it.
    pub(crate) may_update: bool,
    /// Whether the viewer may forget it.
    pub(crate) may_remove: bool,
}

impl AgentPage {
    /// Whether its runs are turns of conversations.
    fn talks(&self) -> bool {
        let mode = self.detail.as_ref().map(|detail| detail.agent.mode.as_str());
        mode == Some(wardroom_core::agent::Mode::Continuous.as_str())
    }

    fn rows(&self) -> usize {
        self.text.lines().count().clamp(16, 40)
    }

    fn number(&self) -> i64 {
        self.detail.as_ref().map_or(0, |detail| detail.agent.version.number)
    }

    fn older(&self) -> Option<String> {
        self.versions.next.as_deref().map(|after| f::query(&[("after", after)]))
    }

    /// What the agent may ask for, each with its kind.
    fn tools(&self) -> Vec<(&'static str, String)> {
        let tools = self.detail.as_ref().and_then(|detail| detail.definition.get("tools"));
        let kinds = [
            ("servers", "tool", "tool"),
            ("commands", "command", "command"),
            ("agents", "agent", "agent"),
            ("built_in", "name", "built in"),
        ];
        let mut found = vec![];
        for (list, member, kind) in kinds {
            let items = tools.and_then(|tools| tools.get(list)?.as_array());
            let names = items.into_iter().flatten().filter_map(|item| item.get(member)?.as_str());
            found.extend(names.map(|name| (kind, name.to_owned())));
        }
        found
    }

    /// A limit of the agent, as a text.
    fn limit(&self, name: &str) -> String {
        let limit =
            self.detail.as_ref().and_then(|detail| detail.definition.get("limits")?.get(name));
        match limit {
            Some(Value::Number(number)) => match number.as_u64() {
                Some(whole) => f::count(whole),
                None => number.as_f64().map(|part| part.to_string()).unwrap_or_default(),
            },
            _ => String::new(),
        }
    }
}
