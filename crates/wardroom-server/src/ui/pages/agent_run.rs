//! What an agent did in a run, as a conversation.

use super::{
    format as f,
    shell::Shell,
    story::{Item, Story},
};
use askama::Template;
use serde_json::Value;
use wardroom_wire::api::{AuditView, RunView};

/// An agent's run: what it was asked, said, called and answered.
#[derive(Template)]
#[template(path = "agent_run.html")]
pub(crate) struct AgentRunPage {
    /// The frame.
    pub(crate) shell: Shell,
    /// The run.
    pub(crate) run: RunView,
    /// What happened; `None` where the viewer may not read it.
    pub(crate) story: Option<Story>,
    /// Whether there is more of it than is shown.
    pub(crate) cut: bool,
    /// Its audit records, oldest first; `None` where the viewer may not read them.
    pub(crate) records: Option<Vec<AuditView>>,
    /// Whether the viewer may cancel it.
    pub(crate) may_cancel: bool,
    /// Whether the viewer may answer what it asks.
    pub(crate) may_answer: bool,
}

impl AgentRunPage {
    /// The page of `run`, without what surrounds it.
    pub(crate) fn new(shell: Shell, run: RunView) -> Self {
        Self {
            shell,
            run,
            story: None,
            cut: false,
            records: None,
            may_cancel: false,
            may_answer: false,
        }
    }

    fn can_cancel(&self) -> bool {
        self.may_cancel && !self.run.terminal && self.run.cancel_requested_at.is_none()
    }
}

/// The form by which an agent is let work.
pub(crate) struct AgentStartForm {
    /// Its variables.
    pub(crate) variables: Vec<VariableField>,
    /// Makes a form that is sent twice one request.
    pub(crate) key: String,
}

/// A variable in a form.
pub(crate) struct VariableField {
    /// Its name.
    pub(crate) name: String,
    /// `string`, `integer`, `number` or `boolean`.
    pub(crate) kind: String,
    /// What it is.
    pub(crate) description: String,
    /// What holds where nothing is given.
    pub(crate) default: Option<String>,
    /// What it may be, where that is bounded.
    pub(crate) choices: Vec<String>,
}

impl AgentStartForm {
    /// The form of an agent that is defined so.
    pub(crate) fn new(definition: &Value, key: String) -> Self {
        let variables = definition.get("variables").and_then(Value::as_object);
        let field = |(name, variable): (&String, &Value)| {
            let text = |member: &str| {
                let text = variable.get(member).and_then(Value::as_str);
                text.unwrap_or_default().to_owned()
            };
            let choices = variable.get("choices").and_then(Value::as_array);
            let mut choices: Vec<String> = choices
                .into_iter()
                .flatten()
                .filter_map(|choice| choice.as_str().map(ToOwned::to_owned))
                .collect();
            let kind = text("type");
            if kind == "boolean" {
                choices = vec!["true".to_owned(), "false".to_owned()];
            }
            VariableField {
                name: name.clone(),
                kind,
                description: text("description"),
                default: variable.get("default").map(f::value),
                choices,
            }
        };
        Self { variables: variables.into_iter().flatten().map(field).collect(), key }
    }

    /// What was typed, as the variable's type; a text where it is none of that.
    pub(crate) fn value(&self, name: &str, typed: &str) -> Value {
        let field = self.variables.iter().find(|field| field.name == name);
        let is_text = field.is_none_or(|field| field.kind == "string");
        match serde_json::from_str::<Value>(typed.trim()) {
            Ok(value) if !is_text => value,
            _ => Value::String(typed.to_owned()),
        }
    }
}
