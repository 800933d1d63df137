//! What happened in a run, as a conversation.

use super::markdown::Markdown;
use wardroom_wire::agents::{StepCallView, StepView};

/// What happened in a run.
#[derive(Default)]
pub(crate) struct Story {
    /// In order.
    pub(crate) items: Vec<Item>,
    /// What it took.
    pub(crate) used: Used,
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
    /// What it gets values out of, and does nothing else.
    Reads(String),
    /// What it said.
    Said(Box<Said>),
    /// A tool that it called.
    Call(Box<Call>),
    /// Why it stopped without an answer.
    Stopped(String),
}

/// What an agent said.
pub(crate) struct Said {
    /// As it wrote it.
    pub(crate) text: String,
    /// As it looks.
    pub(crate) html: Markdown,
}

impl Said {
    fn item(text: String) -> Item {
        Item::Said(Box::new(Self { html: Markdown::of(&text), text }))
    }
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
    /// By which name the agent knows a result that it was not shown.
    pub(crate) held: Option<String>,
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
    pub(crate) fn waits(&self, what: &str) -> bool {
        self.waits_for.as_deref() == Some(what)
    }

    /// Where it stands, as a state with a colour.
    pub(crate) fn state(&self) -> &'static str {
        match (&self.result, self.waits_for.as_deref()) {
            (Some(_), _) if self.is_error => "failed",
            (Some(_), _) => "done",
            (None, Some("run") | None) => "running",
            (None, Some(_)) => "waiting",
        }
    }
}

impl Story {
    /// Out of the steps of a run.
    pub(crate) fn of(steps: Vec<StepView>) -> Self {
        let mut story = Self::default();
        steps.into_iter().for_each(|step| story.take(step));
        story
    }

    fn take(&mut self, step: StepView) {
        let items = &mut self.items;
        self.used.steps += u64::from(step.kind == "answered" || step.kind == "unanswered");
        self.used.tokens += step.tokens.unwrap_or(0);
        self.used.dollars += step.cost_micros.unwrap_or(0) as f64 / 1e6;
        let text = step.text.clone().unwrap_or_default();
        match step.kind.as_str() {
            "begun" if step.reads => items.push(Item::Reads(text)),
            "begun" => items.push(Item::Asked(text)),
            "answered" => {
                if !text.trim().is_empty() {
                    items.push(Said::item(text));
                }
                self.used.calls += step.calls.len() as u64;
                items.extend(step.calls.into_iter().map(|call| Item::Call(called(call).into())));
            }
            "ended" if step.ended.as_deref() == Some("answered") => {
                // The last thing that it said is its answer.
                if !matches!(items.last(), Some(Item::Said(said)) if said.text == text) {
                    items.push(Said::item(text));
                }
            }
            "ended" => items.push(Item::Stopped(text)),
            _ => happen(items, step, text),
        }
    }
}

fn called(call: StepCallView) -> Call {
    let arguments = serde_json::to_string_pretty(&call.arguments).unwrap_or_default();
    Call {
        id: call.id,
        name: call.name,
        arguments,
        result: None,
        is_error: false,
        held: None,
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
            call.held = step.held;
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
