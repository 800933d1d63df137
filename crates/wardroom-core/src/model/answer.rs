//! An answer, put together out of the pieces in which it comes.

use super::{AssistantPart, Usage};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A piece of an answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Event {
    /// More text.
    Text {
        /// The piece.
        text: String,
    },
    /// More of what it thinks, to be shown.
    Thinking {
        /// The piece.
        text: String,
    },
    /// A thought that is whole.
    Thought {
        /// The provider's kind.
        from: String,
        /// As the provider gave it.
        raw: Value,
    },
    /// A call begins.
    Call {
        /// Which, counting from 0 in the answer.
        index: u32,
        /// Its id.
        id: String,
        /// The tool.
        name: String,
    },
    /// More of a call's arguments, as text of JSON.
    Arguments {
        /// Of which call.
        index: u32,
        /// The piece.
        text: String,
    },
    /// It is over.
    End {
        /// How.
        finish: Finish,
        /// How much was used; absent where the provider did not say.
        usage: Option<Usage>,
    },
}

/// How an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finish {
    /// All is said.
    Stop,
    /// Tools are to be called.
    Calls,
    /// It is as long as it may be.
    Length,
    /// It would not say it.
    Refused,
}

/// Why pieces make no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// It is too long.
    #[error("the answer is longer than {0} bytes")]
    TooLong(usize),
    /// There are too many calls.
    #[error("the answer calls more than {0} tools at once")]
    TooManyCalls(usize),
    /// A call's arguments are no JSON object.
    #[error("the arguments of the call of {0:?} are no JSON object, or go too deep")]
    Arguments(String),
    /// A piece belongs to nothing.
    #[error("a piece of the answer belongs to no call")]
    Stray,
    /// It broke off.
    #[error("the answer broke off")]
    BrokeOff,
}

/// The longest answer, in bytes.
pub const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Calls in one answer.
pub const CALLS_MAX: usize = 64;
/// How deep a call's arguments go: what goes deeper can be written down, and not read again.
const DEPTH_MAX: usize = 64;

struct Call {
    index: u32,
    id: String,
    name: String,
    arguments: String,
}

enum Piece {
    Text(String),
    Thought { from: String, raw: Value },
    Call(usize),
}

/// An answer that is coming.
#[derive(Default)]
pub struct Answer {
    pieces: Vec<Piece>,
    calls: Vec<Call>,
    bytes: usize,
    end: Option<(Finish, Option<Usage>)>,
}

impl Answer {
    /// Takes a piece.
    pub fn take(&mut self, event: Event) -> Result<(), AnswerError> {
        match event {
            Event::Text { text } => {
                self.grow(text.len())?;
                match self.pieces.last_mut() {
                    Some(Piece::Text(whole)) => whole.push_str(&text),
                    _ => self.pieces.push(Piece::Text(text)),
                }
            }
            Event::Thinking { text } => self.grow(text.len())?,
            Event::Thought { from, raw } => {
                self.grow(raw.to_string().len())?;
                self.pieces.push(Piece::Thought { from, raw });
            }
            Event::Call { index, id, name } => {
                self.grow(id.len() + name.len())?;
                if self.calls.len() == CALLS_MAX {
                    return Err(AnswerError::TooManyCalls(CALLS_MAX));
                }
                self.pieces.push(Piece::Call(self.calls.len()));
                self.calls.push(Call { index, id, name, arguments: String::new() });
            }
            Event::Arguments { index, text } => {
                self.grow(text.len())?;
                let call = self.calls.iter_mut().find(|call| call.index == index);
                call.ok_or(AnswerError::Stray)?.arguments.push_str(&text);
            }
            Event::End { finish, usage } => self.end = Some((finish, usage)),
        }
        Ok(())
    }

    fn grow(&mut self, bytes: usize) -> Result<(), AnswerError> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > ANSWER_BYTES_MAX {
            return Err(AnswerError::TooLong(ANSWER_BYTES_MAX));
        }
        Ok(())
    }

    /// The parts, how it ended, and how much was used as far as the provider said.
    pub fn finish(self) -> Result<(Vec<AssistantPart>, Finish, Option<Usage>), AnswerError> {
        let (finish, usage) = self.end.ok_or(AnswerError::BrokeOff)?;
        let mut calls: Vec<Option<Call>> = self.calls.into_iter().map(Some).collect();
        let mut parts = vec![];
        for piece in self.pieces {
            parts.push(match piece {
                Piece::Text(text) => AssistantPart::Text { text },
                Piece::Thought { from, raw } => AssistantPart::Thought { from, raw },
                Piece::Call(at) => {
                    let call =
                        calls.get_mut(at).and_then(Option::take).ok_or(AnswerError::Stray)?;
                    match arguments(&call) {
                        Ok(arguments) => {
                            AssistantPart::ToolCall { id: call.id, name: call.name, arguments }
                        }
                        // It was cut in the middle: nobody could call that.
                        Err(_) if finish == Finish::Length => continue,
                        Err(error) => return Err(error),
                    }
                }
            });
        }
        Ok((parts, finish, usage))
    }
}

/// A call without arguments comes with an empty text from some.
fn arguments(call: &Call) -> Result<Map<String, Value>, AnswerError> {
    if call.arguments.trim().is_empty() {
        return Ok(Map::new());
    }
    let wrong = || AnswerError::Arguments(call.name.clone());
    let arguments: Map<String, Value> =
        serde_json::from_str(&call.arguments).map_err(|_| wrong())?;
    if arguments.values().all(|value| is_shallow(value, DEPTH_MAX)) {
        Ok(arguments)
    } else {
        Err(wrong())
    }
}

fn is_shallow(value: &Value, left: usize) -> bool {
    match value {
        Value::Array(items) => left > 0 && items.iter().all(|item| is_shallow(item, left - 1)),
        Value::Object(members) => {
            left > 0 && members.values().all(|value| is_shallow(value, left - 1))
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use serde_json::json;

    fn text(text: &str) -> Event {
        Event::Text { text: text.to_owned() }
    }

    fn call(index: u32, name: &str) -> Event {
        Event::Call { index, id: format!("c{index}"), name: name.to_owned() }
    }

    fn arguments(index: u32, text: &str) -> Event {
        Event::Arguments { index, text: text.to_owned() }
    }

    fn end(finish: Finish) -> Event {
        Event::End { finish, usage: None }
    }

    fn whole(events: Vec<Event>) -> Result<Vec<AssistantPart>, AnswerError> {
        let mut answer = Answer::default();
        events.into_iter().try_for_each(|event| answer.take(event))?;
        Ok(answer.finish()?.0)
    }

    #[test]
    fn pieces_of_several_calls_are_told_apart() {
        let parts = whole(vec![
            text("I "),
            text("look."),
            call(0, "read"),
            call(1, "list"),
            arguments(1, "{\"a\":"),
            arguments(0, "{\"path\":\"/x\"}"),
            arguments(1, "[1]}"),
            end(Finish::Calls),
        ]);
        let object = |value: Value| value.as_object().unwrap().clone();
        let expected = [
            AssistantPart::Text { text: "I look.".into() },
            AssistantPart::ToolCall {
                id: "c0".into(),
                name: "read".into(),
                arguments: object(json!({"path": "/x"})),
            },
            AssistantPart::ToolCall {
                id: "c1".into(),
                name: "list".into(),
                arguments: object(json!({"a": [1]})),
            },
        ];
        assert_eq!(parts.unwrap(), expected);
        let bare = whole(vec![call(0, "now"), end(Finish::Calls)]).unwrap();
        assert!(
            matches!(&bare[..], [AssistantPart::ToolCall { arguments, .. }] if arguments.is_empty())
        );
    }

    #[test]
    fn what_is_no_answer_is_none() {
        assert_eq!(whole(vec![text("a")]), Err(AnswerError::BrokeOff));
        assert_eq!(whole(vec![arguments(0, "{}")]), Err(AnswerError::Stray));
        for wrong in ["{\"a\":", "[1]", "7", "{} {}"] {
            let events = vec![call(0, "read"), arguments(0, wrong), end(Finish::Calls)];
            assert_eq!(whole(events), Err(AnswerError::Arguments("read".into())), "{wrong}");
        }
        let long = text(&"x".repeat(ANSWER_BYTES_MAX / 2 + 1));
        assert_eq!(whole(vec![long.clone(), long]), Err(AnswerError::TooLong(ANSWER_BYTES_MAX)));
        let many = (0..=CALLS_MAX as u32).map(|n| call(n, "read")).collect();
        assert_eq!(whole(many), Err(AnswerError::TooManyCalls(CALLS_MAX)));
    }
}
