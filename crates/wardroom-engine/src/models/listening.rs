//! An answer with a secret in it is none, whatever pieces it comes in: what may be the beginning of one is held back until
//! it is known whether it is.

use super::known::Known;
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc};
use wardroom_core::model::Event;

/// The answer has a secret in it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Carries;

/// Listens to an answer.
pub(super) struct Listening {
    known: Arc<Known>,
    heard: BTreeMap<Part, Heard>,
}

/// A part of an answer that comes in pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Thinking,
    Text,
    Arguments(u32),
}

impl Part {
    fn event(self, text: String) -> Event {
        match self {
            Self::Thinking => Event::Thinking { text },
            Self::Text => Event::Text { text },
            Self::Arguments(index) => Event::Arguments { index, text },
        }
    }
}

/// What was heard of one.
#[derive(Default)]
struct Heard {
    /// Its end; of arguments all of it.
    text: String,
    /// How much of that was passed on, in bytes.
    passed: usize,
}

impl Heard {
    fn pass(&mut self, to: usize) -> Option<String> {
        let more = self.text.get(self.passed..to).filter(|more| !more.is_empty())?;
        let more = more.to_owned();
        self.passed = to;
        Some(more)
    }
}

impl Listening {
    pub(super) fn new(known: Arc<Known>) -> Self {
        Self { known, heard: BTreeMap::new() }
    }

    /// What is passed on of a piece, with what was held back before it.
    pub(super) fn pass(&mut self, event: Event) -> Result<Vec<Event>, Carries> {
        if self.known.is_empty() {
            return Ok(vec![event]);
        }
        match event {
            Event::Text { text } => self.piece(Part::Text, &text),
            Event::Thinking { text } => self.piece(Part::Thinking, &text),
            Event::Arguments { index, text } => self.piece(Part::Arguments(index), &text),
            Event::Call { ref id, ref name, .. }
                if self.known.is_in(id) || self.known.is_in(name) =>
            {
                Err(Carries)
            }
            Event::Thought { ref raw, .. } if self.known.is_within(raw) => Err(Carries),
            // What was said before it stays before it.
            Event::Call { .. } | Event::Thought { .. } => Ok(self.rest(event)),
            Event::End { .. } => {
                let decoded = |heard: &Heard| serde_json::from_str::<Value>(&heard.text).ok();
                let arguments =
                    self.heard.iter().filter(|(part, _)| matches!(part, Part::Arguments(_)));
                // Escapes that say nothing are gone when it is called.
                let mut values = arguments.filter_map(|(_, heard)| decoded(heard));
                if values.any(|value| self.known.is_within(&value)) {
                    return Err(Carries);
                }
                Ok(self.rest(event))
            }
        }
    }

    fn piece(&mut self, part: Part, piece: &str) -> Result<Vec<Event>, Carries> {
        let heard = self.heard.entry(part).or_default();
        let from = heard.text.len().saturating_sub(self.known.longest);
        heard.text.push_str(piece);
        if self.known.is_in(ending(&heard.text, from)) {
            return Err(Carries);
        }
        let to = heard.text.len() - self.known.begins_at_end_of(&heard.text);
        let passed = heard.pass(to);
        if !matches!(part, Part::Arguments(_)) {
            let mut needless =
                heard.passed.min(heard.text.len().saturating_sub(self.known.longest));
            while !heard.text.is_char_boundary(needless) {
                needless -= 1;
            }
            heard.text.drain(..needless);
            heard.passed -= needless;
        }
        Ok(passed.map(|text| part.event(text)).into_iter().collect())
    }

    /// All that was held back, and this behind it.
    fn rest(&mut self, event: Event) -> Vec<Event> {
        let held = self.heard.iter_mut().filter_map(|(part, heard)| {
            let text = heard.pass(heard.text.len())?;
            Some(part.event(text))
        });
        let mut all: Vec<Event> = held.collect();
        all.push(event);
        all
    }
}

/// `text` from about there on.
fn ending(text: &str, mut from: usize) -> &str {
    while !text.is_char_boundary(from) {
        from -= 1;
    }
    text.get(from..).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use wardroom_core::model::Finish;

    const SECRET: &str = "correct-horse-battery-9";

    fn listening() -> Listening {
        Listening::new(Arc::new(Known::of([SECRET]).unwrap()))
    }

    fn text(text: &str) -> Event {
        Event::Text { text: text.to_owned() }
    }

    fn end() -> Event {
        Event::End { finish: Finish::Stop, usage: None }
    }

    /// What gets through, and whether it was stopped.
    fn heard(events: impl IntoIterator<Item = Event>) -> (String, bool) {
        let (mut listening, mut through) = (listening(), String::new());
        for event in events {
            let Ok(passed) = listening.pass(event) else { return (through, true) };
            for event in passed {
                match event {
                    Event::Text { text }
                    | Event::Thinking { text }
                    | Event::Arguments { text, .. } => through.push_str(&text),
                    _ => through.push('|'),
                }
            }
        }
        (through, false)
    }

    #[test]
    fn nothing_of_a_secret_gets_through_in_pieces() {
        let said = format!("Well, it is {SECRET}!");
        for of in [
            text,
            |text: &str| Event::Thinking { text: text.to_owned() },
            |text: &str| Event::Arguments { index: 0, text: text.to_owned() },
        ] {
            let pieces = said.chars().map(|c| of(&c.to_string()));
            let (through, stopped) = heard(pieces);
            // Three letters may be anything.
            assert!(stopped && "Well, it is cor".starts_with(&through), "{through}");
        }
    }

    #[test]
    fn what_only_looks_like_one_gets_through_whole_and_in_order() {
        let call = Event::Call { index: 0, id: "a".into(), name: "look".into() };
        let events = [text("It is correct"), text("-horses"), text(" or correct-h"), call, end()];
        assert_eq!(heard(events), ("It is correct-horses or correct-h||".to_owned(), false));
        let cut = [text("über correct-horse"), end()];
        assert_eq!(heard(cut), ("über correct-horse|".to_owned(), false));
    }

    #[test]
    fn it_is_found_where_it_is_written_otherwise_too() {
        let escaped = r#"{"text": "\u0063orrect-horse-battery-9"}"#;
        let arguments = Event::Arguments { index: 3, text: escaped.to_owned() };
        assert!(heard([arguments, end()]).1);
        assert!(heard([Event::Call { index: 0, id: SECRET.into(), name: "look".into() }]).1);
        let raw = serde_json::json!({"deep": [SECRET]});
        assert!(heard([Event::Thought { from: "anthropic".into(), raw }]).1);
        let of = |index, text: &str| Event::Arguments { index, text: text.to_owned() };
        let (one, two) = SECRET.split_at(9);
        assert!(!heard([of(0, one), of(1, two), end()]).1, "of two calls");
    }
}
