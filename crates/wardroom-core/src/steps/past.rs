//! What a turn of a conversation shows of those before it.

use super::{Labels, Steps};
use crate::{
    agent::{Conversation, History},
    model::{AssistantPart, Message, UserPart},
};
use std::collections::HashSet;

/// The most that is put into a few sentences, in bytes; what is older is left out.
const ASIDE_BYTES_MAX: usize = 64 * 1024;
/// The most that is shown of earlier turns, in bytes: with what is said it is one entry of the journal.
const EARLIER_BYTES_MAX: usize = 2 * 1024 * 1024;
/// What is told of a call that was under way when its run ended.
const UNKNOWN: &str = "the run ended before anything came back: nobody knows what came of it";
/// What is told of a call that was wanted when its run ended.
const NOT_MADE: &str = "the run ended before it was made";

/// The turns before one.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Past {
    /// What is too old to be shown, to be put into a few sentences.
    pub aside: String,
    /// What is shown.
    pub earlier: Vec<Message>,
    /// What was seen in them.
    pub labels: Labels,
}

impl Past {
    /// What follows on a run that is over: as much as `conversation` shows.
    pub fn of(last: &Steps, conversation: &Conversation) -> Self {
        let mut messages: Vec<Message> = last.messages().iter().filter_map(lasting).collect();
        put_results(&mut messages, last);
        let most = conversation.messages_max as usize;
        let whole = messages.len() <= most && size(&messages) <= EARLIER_BYTES_MAX;
        let (aside, earlier) = match conversation.history {
            _ if whole => (last.left_aside().to_owned(), messages),
            History::Window => (String::new(), cut(&messages, most).1),
            // Half of the room is left, so that not every turn begins with a summary.
            History::Summary => {
                let (old, shown) = cut(&messages, most.div_ceil(2));
                (ends_of(format!("{}{}", last.left_aside(), transcript(old))), shown)
            }
        };
        let aside = if conversation.history == History::Summary { aside } else { String::new() };
        Self { aside, earlier, labels: last.labels() }
    }
}

/// A message without what only the run that it was said in has use for.
fn lasting(message: &Message) -> Option<Message> {
    let Message::Assistant { parts } = message else { return Some(message.clone()) };
    let thought = |part: &&AssistantPart| !matches!(part, AssistantPart::Thought { .. });
    let parts: Vec<_> = parts.iter().filter(thought).cloned().collect();
    (!parts.is_empty()).then_some(Message::Assistant { parts })
}

/// Says what came of the last calls of a run that ended among them: no provider takes calls without results, and what was
/// done must not be done again because nobody told.
fn put_results(messages: &mut Vec<Message>, last: &Steps) {
    let Some(Message::Assistant { parts }) = messages.last_mut() else { return };
    let calls = parts.iter().filter_map(|part| match part {
        AssistantPart::ToolCall { id, .. } => Some(id.clone()),
        _ => None,
    });
    let ids: Vec<String> = calls.collect();
    if ids.is_empty() {
        return;
    }
    let distinct = ids.iter().collect::<HashSet<_>>().len() == ids.len();
    let known = |id: &String| last.calls().iter().find(|call| call.id == *id);
    // Two of one id could not be told apart, and were not made.
    if !distinct || !ids.iter().all(|id| known(id).is_some()) {
        parts.retain(|part| !matches!(part, AssistantPart::ToolCall { .. }));
        if parts.is_empty() {
            messages.pop();
        }
        return;
    }
    let result = |id: String| {
        let (text, is_error) = match known(&id).map(super::Called::came) {
            Some((Some((text, is_error)), _)) => (text.to_owned(), is_error),
            Some((None, true)) => (UNKNOWN.to_owned(), true),
            _ => (NOT_MADE.to_owned(), true),
        };
        UserPart::ToolResult { id, text, is_error }
    };
    let parts = ids.into_iter().map(result).collect();
    messages.push(Message::User { parts });
}

/// Whether somebody says something in it: a turn begins there.
fn opens(message: &Message) -> bool {
    let Message::User { parts } = message else { return false };
    parts.iter().any(|part| !matches!(part, UserPart::ToolResult { .. }))
}

/// A message with which what is shown begins: results of calls that are not shown are not shown either.
fn opening(message: &Message) -> Message {
    match message {
        Message::User { parts } => {
            let said = |part: &&UserPart| !matches!(part, UserPart::ToolResult { .. });
            Message::User { parts: parts.iter().filter(said).cloned().collect() }
        }
        Message::Assistant { .. } => message.clone(),
    }
}

/// How long messages are, in bytes, as far as that matters.
fn size(messages: &[Message]) -> usize {
    messages.iter().map(length).sum()
}

fn length(message: &Message) -> usize {
    let of_user = |part: &UserPart| match part {
        UserPart::Text { text } => text.len(),
        UserPart::Image { data, .. } => data.len(),
        UserPart::ToolResult { text, .. } => text.len(),
    };
    let of_assistant = |part: &AssistantPart| match part {
        AssistantPart::Text { text } => text.len(),
        AssistantPart::ToolCall { arguments, .. } => {
            arguments.iter().map(|(name, value)| name.len() + value.to_string().len()).sum()
        }
        AssistantPart::Thought { .. } => 0,
    };
    match message {
        Message::User { parts } => parts.iter().map(of_user).sum(),
        Message::Assistant { parts } => parts.iter().map(of_assistant).sum(),
    }
}

/// What is older, and whole turns of at most `most` messages and [`EARLIER_BYTES_MAX`]. Of a last turn that is longer, its
/// first and last words.
fn cut(messages: &[Message], most: usize) -> (&[Message], Vec<Message>) {
    let mut bytes = 0;
    let fits = messages.iter().rev().take(most).take_while(|message| {
        bytes += length(message);
        bytes <= EARLIER_BYTES_MAX
    });
    let at_least = messages.len() - fits.count();
    let from = (at_least..messages.len()).find(|at| messages.get(*at).is_some_and(opens));
    let last_turn = || messages.iter().rposition(opens).unwrap_or(messages.len());
    let (old, shown) = messages.split_at(from.unwrap_or_else(last_turn));
    let Some((first, rest)) = shown.split_first() else { return (old, vec![]) };
    let mut kept = vec![opening(first)];
    if from.is_some() {
        kept.extend_from_slice(rest);
        return (old, kept);
    }
    if let Some(last @ Message::Assistant { parts }) = rest.last()
        && parts.iter().all(|part| part.text().is_some())
    {
        kept.push(last.clone());
    }
    // Either may be too long by itself.
    kept.retain(|message| length(message) <= EARLIER_BYTES_MAX / 2);
    if !kept.first().is_some_and(opens) {
        kept.clear();
    }
    (old, kept)
}

/// The end of a text that is too long to be summed up.
fn ends_of(mut text: String) -> String {
    let mut from = text.len().saturating_sub(ASIDE_BYTES_MAX);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    text.split_off(from)
}

/// Messages as one text.
fn transcript(messages: &[Message]) -> String {
    let mut text = String::new();
    for message in messages {
        match message {
            Message::User { parts } => {
                for part in parts {
                    match part {
                        UserPart::Text { text: said } => line(&mut text, "person", said),
                        UserPart::ToolResult { text: brought, .. } => {
                            line(&mut text, "tool", brought);
                        }
                        UserPart::Image { .. } => line(&mut text, "person", "[a picture]"),
                    }
                }
            }
            Message::Assistant { parts } => {
                for part in parts {
                    match part {
                        AssistantPart::Text { text: said } => line(&mut text, "assistant", said),
                        AssistantPart::ToolCall { name, .. } => {
                            line(&mut text, "assistant", &format!("[calls {name}]"));
                        }
                        AssistantPart::Thought { .. } => {}
                    }
                }
            }
        }
    }
    text
}

/// What somebody said. SECURITY: further lines are indented, so that nothing that is said looks as if another one said it.
fn line(text: &mut String, who: &str, said: &str) {
    text.push_str(who);
    text.push_str(": ");
    text.push_str(&said.replace('\n', "\n  "));
    text.push('\n');
}
