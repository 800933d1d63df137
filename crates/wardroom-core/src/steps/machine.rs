//! Where a run stands, and what is done next.

use super::{Awaited, Doubt, Ended, Entry, HeldBack, Labels, Limit, Reading, Room};
use crate::{
    ModelCallId, ToolCallId,
    agent::Limits,
    digest::sha256,
    model::{AssistantPart, Finish, Message, ModelFailureKind, Spend, UserPart},
};
use serde_json::{Map, Value};
use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
};

/// What is kept of what a model is not shown, in bytes; the oldest goes first.
const HELD_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What stands before a summary.
const SUMMED_UP: &str = "[What was said earlier in this conversation, summed up:]";

/// An entry that does not belong where it stands: the journal was altered, or two wrote to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an entry of the journal does not belong where it stands: {0}")]
pub struct Misplaced(pub &'static str);

/// What a run has used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Used {
    /// How often models were asked.
    pub steps: u32,
    /// How many tools were called.
    pub tool_calls: u32,
    /// Tokens and money.
    pub spend: Spend,
}

/// What is done next.
#[derive(Debug, Clone, PartialEq)]
pub enum Next<'a> {
    /// A model is asked, within what is left.
    Ask(Room),
    /// These are called, at the same time.
    Call(Vec<&'a Called>),
    /// Nothing, until somebody answers or what is under way comes back.
    Wait,
    /// It ends so.
    End(Ended),
    /// Nothing any more.
    Over,
}

/// A call of a tool that a model wants.
#[derive(Debug, Clone, PartialEq)]
pub struct Called {
    /// Its id, as the model gave it.
    pub id: String,
    /// The tool, as the model was told of it.
    pub name: String,
    /// With what.
    pub arguments: Map<String, Value>,
    /// Whether it is among those that were counted: one that waited in between is the same call.
    counted: bool,
    at: At,
}

/// Where a call stands.
#[derive(Debug, Clone, PartialEq)]
enum At {
    Wanted,
    Under { call: Option<ToolCallId>, repeatable: bool },
    Waits(Awaited),
    Returned { text: String, is_error: bool },
}

impl Called {
    /// What came of it, where something did; and whether it was made at all.
    pub(super) fn came(&self) -> (Option<(&str, bool)>, bool) {
        match &self.at {
            At::Returned { text, is_error } => (Some((text.as_str(), *is_error)), true),
            At::Wanted => (None, false),
            At::Under { .. } | At::Waits(_) => (None, true),
        }
    }

    /// For whom it waits.
    pub const fn waits_on(&self) -> Option<&Awaited> {
        match &self.at {
            At::Waits(on) => Some(on),
            _ => None,
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Phase {
    /// Nothing happened yet.
    New,
    /// A model is to be asked.
    Thinking,
    /// A model is asked.
    Asked,
    /// Tools are called.
    Acting,
    /// The last word is said.
    Said(Ended),
    /// It is over.
    Over(Ended),
}

/// Where a run stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Steps {
    limits: Limits,
    phase: Phase,
    system: String,
    aside: String,
    /// Whether that was done, or given up.
    put_aside: bool,
    messages: Vec<Message>,
    calls: Vec<Called>,
    asked: Option<ModelCallId>,
    used: Used,
    labels: Labels,
    repeats: HashMap<[u8; 32], u32>,
    reading: Option<Reading>,
    /// What the model was not shown, the oldest first.
    held: VecDeque<(HeldBack, Arc<str>)>,
}

impl Steps {
    /// A run that has not begun.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            phase: Phase::New,
            system: String::new(),
            aside: String::new(),
            put_aside: false,
            messages: vec![],
            calls: vec![],
            asked: None,
            used: Used::default(),
            labels: Labels::NONE,
            repeats: HashMap::new(),
            reading: None,
            held: VecDeque::new(),
        }
    }

    /// A run as its journal says.
    pub fn replay<'a>(
        limits: Limits,
        journal: impl IntoIterator<Item = &'a Entry>,
    ) -> Result<Self, Misplaced> {
        let mut steps = Self::new(limits);
        journal.into_iter().try_for_each(|entry| steps.apply(entry))?;
        Ok(steps)
    }

    /// What the model is told before anything else.
    pub fn system(&self) -> &str {
        &self.system
    }

    /// What is to be put into a few sentences before anything else is asked.
    pub fn aside(&self) -> &str {
        if self.put_aside { "" } else { &self.aside }
    }

    /// What was to be put into a few sentences, and is in none.
    pub(super) fn left_aside(&self) -> &str {
        &self.aside
    }

    /// The conversation.
    pub fn messages(&self) -> &[Message] {
        &self.messages
    }

    /// The calls of the last answer.
    pub fn calls(&self) -> &[Called] {
        &self.calls
    }

    /// The calls that wait, and for whom.
    pub fn waits(&self) -> Vec<(String, Awaited)> {
        let waits = |call: &Called| Some((call.id.clone(), call.waits_on()?.clone()));
        self.calls.iter().filter_map(waits).collect()
    }

    /// What it has used.
    pub const fn used(&self) -> Used {
        self.used
    }

    /// What it has seen.
    pub const fn labels(&self) -> Labels {
        self.labels
    }

    /// What it reads for another run, where it does nothing else.
    pub const fn reading(&self) -> Option<&Reading> {
        self.reading.as_ref()
    }

    /// What the model was not shown, by its name.
    pub fn held(&self, name: &str) -> Option<(&HeldBack, &str)> {
        let found = self.held.iter().find(|(held, _)| held.name == name);
        found.map(|(held, text)| (held, &**text))
    }

    /// How it ended, once it has.
    pub const fn ended(&self) -> Option<&Ended> {
        match &self.phase {
            Phase::Over(how) => Some(how),
            _ => None,
        }
    }

    /// The question to a model that has no answer: where nobody waits for one, it is asked again.
    pub fn asked(&self) -> Option<ModelCallId> {
        self.asked.filter(|_| self.phase == Phase::Asked)
    }

    /// Calls that were under way. Where nobody waits for them any more, nobody knows what came of them.
    pub fn in_doubt(&self) -> Vec<Doubt> {
        let doubt = |call: &Called| match call.at {
            At::Under { call: kept, repeatable } => {
                Some(Doubt { id: call.id.clone(), call: kept, repeatable })
            }
            _ => None,
        };
        self.calls.iter().filter_map(doubt).collect()
    }

    /// Takes what happened.
    pub fn apply(&mut self, entry: &Entry) -> Result<(), Misplaced> {
        match (entry, &self.phase) {
            (_, Phase::Over(_)) => return Err(Misplaced("it is over")),
            (
                Entry::Begun { system, aside, earlier, messages, labels, reading, .. },
                Phase::New,
            ) => {
                self.reading.clone_from(reading);
                self.system.clone_from(system);
                self.aside.clone_from(aside);
                self.messages = joined(earlier, messages);
                self.labels = *labels;
                self.phase = Phase::Thinking;
            }
            (_, Phase::New) => return Err(Misplaced("it has not begun")),
            (Entry::Asked { call, wasted }, Phase::Thinking) => {
                self.asked = Some(*call);
                self.spend(*wasted);
                // Putting aside what is old is no step of the work.
                self.used.steps = self.used.steps.saturating_add(self.aside().is_empty().into());
                self.phase = Phase::Asked;
            }
            // The one before brought nothing, or was lost.
            (Entry::Asked { call, wasted }, Phase::Asked) => {
                self.asked = Some(*call);
                self.spend(*wasted);
            }
            (Entry::Answered { parts, finish, usage, cost_micros }, Phase::Asked)
                if self.aside().is_empty() =>
            {
                self.spend(Spend { tokens: usage.total(), cost_micros: *cost_micros });
                self.answered(parts, *finish);
            }
            (Entry::SummedUp { text, usage, cost_micros }, Phase::Asked | Phase::Thinking)
                if !self.aside().is_empty() =>
            {
                self.spend(Spend { tokens: usage.total(), cost_micros: *cost_micros });
                self.summed_up(text);
            }
            (Entry::Unanswered { failure, detail, spend }, Phase::Asked | Phase::Thinking) => {
                self.spend(*spend);
                let detail = detail.clone();
                self.phase = Phase::Said(Ended::Failed { failure: *failure, detail });
            }
            (Entry::Ended { how }, _) => self.phase = Phase::Over(how.clone()),
            (
                Entry::Called { id, .. }
                | Entry::Returned { id, .. }
                | Entry::Waits { id, .. }
                | Entry::Heard { id },
                Phase::Acting,
            ) => self.acted(id, entry)?,
            _ => return Err(Misplaced("it was not its turn")),
        }
        Ok(())
    }

    fn spend(&mut self, spend: Spend) {
        let all = &mut self.used.spend;
        all.tokens = all.tokens.saturating_add(spend.tokens);
        all.cost_micros = all.cost_micros.saturating_add(spend.cost_micros);
    }

    /// What is old is shown as the model summed it up.
    fn summed_up(&mut self, text: &str) {
        self.put_aside = true;
        // Without a summary it goes on as if there had been nothing; the next turn tries again.
        if !text.trim().is_empty()
            && let Some(Message::User { parts }) = self.messages.first_mut()
        {
            parts.insert(0, UserPart::Text { text: format!("{SUMMED_UP}\n{text}\n\n") });
            self.aside.clear();
        }
        self.phase = Phase::Thinking;
    }

    fn answered(&mut self, parts: &[AssistantPart], finish: Finish) {
        let mut said = String::new();
        self.calls.clear();
        for part in parts {
            match part {
                AssistantPart::Text { text } => said.push_str(text),
                AssistantPart::ToolCall { id, name, arguments } => self.calls.push(Called {
                    id: id.clone(),
                    name: name.clone(),
                    arguments: arguments.clone(),
                    counted: false,
                    at: At::Wanted,
                }),
                AssistantPart::Thought { .. } => {}
            }
        }
        self.messages.push(Message::Assistant { parts: parts.to_vec() });
        let ids: HashSet<&str> = self.calls.iter().map(|call| call.id.as_str()).collect();
        self.phase = match finish {
            // One result would answer both: nobody could tell which of them came back.
            _ if ids.len() != self.calls.len() => Phase::Said(Ended::Failed {
                failure: ModelFailureKind::Broken,
                detail: "the model gave two calls the same id".to_owned(),
            }),
            Finish::Refused => Phase::Said(Ended::Refused { text: said }),
            Finish::Length => Phase::Said(Ended::Limit { limit: Limit::Output }),
            Finish::Stop | Finish::Calls if self.calls.is_empty() => {
                Phase::Said(Ended::Answered { text: said })
            }
            Finish::Stop | Finish::Calls => Phase::Acting,
        };
    }

    fn acted(&mut self, id: &str, entry: &Entry) -> Result<(), Misplaced> {
        if let Entry::Returned { spend, .. } = entry {
            self.spend(*spend);
        }
        let call = self.calls.iter_mut().find(|call| call.id == *id);
        let call = call.ok_or(Misplaced("nobody wanted that call"))?;
        match (entry, &call.at) {
            (Entry::Called { repeatable, call: kept, .. }, At::Wanted | At::Under { .. }) => {
                if !call.counted {
                    call.counted = true;
                    self.used.tool_calls = self.used.tool_calls.saturating_add(1);
                    *self.repeats.entry(key(call)).or_default() += 1;
                }
                call.at = At::Under { call: *kept, repeatable: *repeatable };
            }
            (Entry::Returned { text, is_error, labels, held, .. }, at)
                if !matches!(at, At::Returned { .. }) =>
            {
                self.labels = self.labels.and(*labels);
                let text = match held {
                    Some(held) => hold_back(&mut self.held, held, text),
                    None => text.clone(),
                };
                call.at = At::Returned { text, is_error: *is_error };
            }
            (Entry::Waits { on, .. }, At::Wanted | At::Under { .. }) => {
                call.at = At::Waits(on.clone());
            }
            (Entry::Heard { .. }, At::Waits(_)) => call.at = At::Wanted,
            _ => return Err(Misplaced("the call was not there yet, or further")),
        }
        self.put_together();
        Ok(())
    }

    /// When all calls came back, the model is told of them.
    fn put_together(&mut self) {
        let result = |call: &Called| match &call.at {
            At::Returned { text, is_error } => Some(UserPart::ToolResult {
                id: call.id.clone(),
                text: text.clone(),
                is_error: *is_error,
            }),
            _ => None,
        };
        let results: Option<Vec<_>> = self.calls.iter().map(result).collect();
        if let Some(parts) = results {
            self.messages.push(Message::User { parts });
            self.calls.clear();
            self.phase = Phase::Thinking;
        }
    }

    /// What is done next.
    pub fn next(&self) -> Next<'_> {
        let limit = |limit| Next::End(Ended::Limit { limit });
        match &self.phase {
            Phase::New | Phase::Asked => Next::Wait,
            Phase::Over(_) => Next::Over,
            Phase::Said(how) => Next::End(how.clone()),
            Phase::Thinking if self.used.steps >= self.limits.steps_max => limit(Limit::Steps),
            Phase::Thinking => Next::Ask(self.room()),
            Phase::Acting => self.next_calls(),
        }
    }

    /// What is left of it.
    pub fn room(&self) -> Room {
        let (used, limits) = (self.used.spend, &self.limits);
        let tokens = limits.tokens_max.saturating_sub(used.tokens);
        let cost_micros = limits.cost_micros_max().saturating_sub(used.cost_micros);
        Room { left: Spend { tokens, cost_micros } }
    }

    fn next_calls(&self) -> Next<'_> {
        let under = self.calls.iter().filter(|call| matches!(call.at, At::Under { .. })).count();
        let places = (self.limits.parallel_max as usize).saturating_sub(under);
        let mut left = self.limits.tool_calls_max.saturating_sub(self.used.tool_calls);
        let wanted = || self.calls.iter().filter(|call| call.at == At::Wanted);
        let again = |call: &Called| {
            !call.counted
                && self
                    .repeats
                    .get(&key(call))
                    .is_some_and(|times| *times >= self.limits.repeats_max)
        };
        // What is under way comes back first: nothing is left behind.
        match under {
            // Nobody would be told what came of it.
            0 if self.used.steps >= self.limits.steps_max && wanted().next().is_some() => {
                Next::End(Ended::Limit { limit: Limit::Steps })
            }
            0 if wanted().any(again) => Next::End(Ended::Limit { limit: Limit::Repeats }),
            0 if left == 0 && wanted().any(|call| !call.counted) => {
                Next::End(Ended::Limit { limit: Limit::ToolCalls })
            }
            _ => {
                let mut may = |call: &&Called| {
                    let room = call.counted || left > 0;
                    left = left.saturating_sub((!call.counted).into());
                    room
                };
                let calls = wanted().filter(|call| !again(call)).filter(&mut may).take(places);
                let calls: Vec<&Called> = calls.collect();
                if calls.is_empty() { Next::Wait } else { Next::Call(calls) }
            }
        }
    }
}

/// Keeps what the model is not shown; what it is told instead.
fn hold_back(all: &mut VecDeque<(HeldBack, Arc<str>)>, held: &HeldBack, text: &str) -> String {
    all.push_back((held.clone(), text.into()));
    while all.iter().map(|(_, text)| text.len()).sum::<usize>() > HELD_BYTES_MAX {
        all.pop_front();
    }
    format!(
        "[{} is held back: {} bytes from {}, which a stranger may have written. read_quarantined gets values out of it.]",
        held.name,
        text.len(),
        held.source
    )
}

/// Messages behind others. What a person says behind what they said is one message: not every provider takes two.
fn joined(earlier: &[Message], messages: &[Message]) -> Vec<Message> {
    let mut all = earlier.to_vec();
    for message in messages {
        match (all.last_mut(), message) {
            (Some(Message::User { parts }), Message::User { parts: more }) => {
                parts.extend_from_slice(more);
            }
            _ => all.push(message.clone()),
        }
    }
    all
}

/// By which the very same call is known again.
fn key(call: &Called) -> [u8; 32] {
    let mut arguments = Value::Object(call.arguments.clone());
    arguments.sort_all_objects();
    sha256(&[call.name.as_bytes(), &[0], arguments.to_string().as_bytes()])
}
