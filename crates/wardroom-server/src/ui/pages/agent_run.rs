//! What an agent did in a run, as a conversation.

use super::{format as f, shell::Shell};
use askama::Template;
use serde_json::Value;
use wardroom_wire::{
    agents::StepView,
    api::{AuditView, RunView},
};

/// An agent's run: what it was asked, said, called and answered.
#[derive(Template)]
#[template(path = "agent_run.html")]
pub(crate) struct AgentRunPage {
    /// The frame.
    pub(crate) shell: Shell,
    /// The run.
    pub(crate) run: RunView,
    /// What happened; `None` where the viewer may not read it.
    pub(crate) items: Option<Vec<Item>>,
    /// Whether there is more of it than is shown.
    pub(crate) cut: bool,
    /// What it took.
    pub(crate) used: Used,
    /// Its audit records, oldest first; `None` where the viewer may not read them.
    pub(crate) records: Option<Vec<AuditView>>,
    /// Whether the viewer may cancel it.
    pub(crate) may_cancel: bool,
    /// Whether the viewer may answer what it asks.
    pub(crate) may_answer: bool,
}

/// What a run took.
#[derive(Debug, Default)]
pub(crate) struct Used {
    /// How often models were asked.
    pub(crate) steps: u64,
    /// How many tools were called.
    pub(crate) calls: u64,
    /// Tokens.
    pub(crate) tokens: u64,
    /// In US dollars.
    pub(crate) dollars: f64,
}

/// A part of the conversation.
pub(crate) enum Item {
    /// What it was asked.
    Asked(String),
    /// What it said.
    Said(String),
    /// A tool that it called.
    Call(Box<Call>),
    /// Why it stopped without an answer.
    Stopped(String),
}

/// A call of a tool.
pub(crate) struct Call {
    /// Its id.
    pub(crate) id: String,
    /// The tool.
    pub(crate) name: String,
    /// With what, as text.
    pub(crate) arguments: String,
    /// What came of it.
    pub(crate) result: Option<String>,
    /// Whether the tool could not do it.
    pub(crate) is_error: bool,
    /// For what it waits: `consent`, `answer`, `doubt`, `run`.
    pub(crate) waits_for: Option<String>,
    /// What the agent asks.
    pub(crate) question: String,
    /// The approval that it waits for.
    pub(crate) approval: Option<String>,
    /// The run that does it.
    pub(crate) run: Option<String>,
}

impl Call {
    fn waits(&self, what: &str) -> bool {
        self.waits_for.as_deref() == Some(what)
    }

    /// Where it stands, as a state with a colour.
    fn state(&self) -> &'static str {
        match (&self.result, self.waits_for.as_deref()) {
            (Some(_), _) if self.is_error => "failed",
            (Some(_), _) => "done",
            (None, Some("run") | None) => "running",
            (None, Some(_)) => "waiting",
        }
    }
}

impl AgentRunPage {
    /// The page of `run`, without what surrounds it.
    pub(crate) fn new(shell: Shell, run: RunView) -> Self {
        let used = Used::default();
        Self {
            shell,
            run,
            items: None,
            cut: false,
            used,
            records: None,
            may_cancel: false,
            may_answer: false,
        }
    }

    fn can_cancel(&self) -> bool {
        self.may_cancel && !self.run.terminal && self.run.cancel_requested_at.is_none()
    }

    /// Takes the steps in.
    pub(crate) fn take(&mut self, steps: Vec<StepView>) {
        let mut items = vec![];
        for step in steps {
            self.used.steps += u64::from(step.kind == "answered" || step.kind == "unanswered");
            self.used.tokens += step.tokens.unwrap_or(0);
            self.used.dollars += step.cost_micros.unwrap_or(0) as f64 / 1e6;
            let text = step.text.clone().unwrap_or_default();
            match step.kind.as_str() {
                "begun" => items.push(Item::Asked(text)),
                "answered" => {
                    if !text.trim().is_empty() {
                        items.push(Item::Said(text));
                    }
                    self.used.calls += step.calls.len() as u64;
                    items
                        .extend(step.calls.into_iter().map(|call| Item::Call(called(call).into())));
                }
                "ended" if step.ended.as_deref() == Some("answered") => {
                    // The last thing that it said is its answer.
                    if !matches!(items.last(), Some(Item::Said(said)) if *said == text) {
                        items.push(Item::Said(text));
                    }
                }
                "ended" => items.push(Item::Stopped(text)),
                _ => happen(&mut items, step, text),
            }
        }
        self.items = Some(items);
    }
}

fn called(call: wardroom_wire::agents::StepCallView) -> Call {
    let arguments = serde_json::to_string_pretty(&call.arguments).unwrap_or_default();
    Call {
        id: call.id,
        name: call.name,
        arguments,
        result: None,
        is_error: false,
        waits_for: None,
        question: String::new(),
        approval: None,
        run: None,
    }
}

/// Something happened to a call: the last of its id.
fn happen(items: &mut [Item], step: StepView, text: String) {
    let is_it =
        |item: &&mut Item| matches!(item, Item::Call(call) if Some(&call.id) == step.call.as_ref());
    let Some(Item::Call(call)) = items.iter_mut().rev().find(is_it) else { return };
    match step.kind.as_str() {
        "returned" => {
            (call.result, call.is_error) = (Some(text), step.is_error == Some(true));
            call.waits_for = None;
        }
        "waits" => {
            call.waits_for = step.waits_for;
            call.question = text;
            call.approval = step.approval;
            call.run = step.run.or(call.run.take());
        }
        "heard" => call.waits_for = None,
        _ => {}
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
