//! A provider that asks no model: its answers stand in a file. For first steps, demonstrations and tests.

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{Mutex, PoisonError},
    time::Duration,
};
use wardroom_core::{
    agent::fill,
    model::{
        Ask, Event, Finish, Message, ModelFailure, ModelFailureKind as Kind, ModelProvider, Pieces,
        Question, Usage, UserPart,
    },
};

/// The longest script, in bytes, and the most answers in it.
const SCRIPT_BYTES_MAX: usize = 1024 * 1024;
const ANSWERS_MAX: usize = 10_000;
/// The longest that an answer may wait.
const WAIT_MAX: Duration = Duration::from_secs(3600);
/// Questions whose count is kept, so that one that comes again is counted once.
const KEYS_MAX: usize = 100_000;
/// Bytes of a text that make one token here.
const BYTES_PER_TOKEN: usize = 4;
/// Characters that a piece of an answer has.
const PIECE_CHARS: usize = 24;

/// Answers, the first that fits is given.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    answers: Vec<Answer>,
}

/// An answer, and when it is given.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    /// To this model; with `*` at its end to all whose names begin so.
    model: Option<String>,
    /// Where these words stand in what a person said last, in whatever case.
    said: Option<String>,
    /// Where these words stand in what it was told before the conversation.
    system: Option<String>,
    /// Where these words stand in what the tools gave back last.
    result: Option<String>,
    /// Where it was given this many answers of tools since a person said something.
    results: Option<usize>,
    /// What it says.
    #[serde(default)]
    text: String,
    /// What it calls.
    #[serde(default)]
    calls: Vec<Call>,
    /// Why it gives no answer, in place of one.
    fail: Option<Kind>,
    /// How long it takes to begin, in milliseconds.
    #[serde(default)]
    wait_ms: u64,
    /// How long it takes from piece to piece, in milliseconds.
    #[serde(default)]
    pace_ms: u64,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Call {
    tool: String,
    #[serde(default)]
    arguments: Map<String, Value>,
}

/// Why a script can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ScriptError(String);

/// What a scripted provider counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counted {
    /// Questions, each once.
    pub questions: u64,
    /// What their answers took.
    pub usage: Usage,
}

/// A scripted provider.
pub struct Script {
    answers: Vec<Answer>,
    counted: Mutex<(Counted, HashMap<String, Usage>)>,
}

impl Script {
    /// Reads a script: YAML with a list `answers`.
    pub fn read(text: &str) -> Result<Self, ScriptError> {
        if text.len() > SCRIPT_BYTES_MAX {
            return Err(ScriptError(format!("it is longer than {SCRIPT_BYTES_MAX} bytes")));
        }
        let script: Text = serde_saphyr::from_str(text)
            .map_err(|error| ScriptError(error.without_snippet().to_string()))?;
        if script.answers.len() > ANSWERS_MAX {
            return Err(ScriptError(format!("it has more than {ANSWERS_MAX} answers")));
        }
        Ok(Self { answers: script.answers, counted: Mutex::default() })
    }

    /// What it counted until now.
    pub fn counted(&self) -> Counted {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner).0
    }

    fn count(&self, key: &str, usage: Usage) {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let (sum, keys) = &mut *counted;
        if keys.len() >= KEYS_MAX {
            keys.clear();
        }
        if keys.insert(key.to_owned(), usage).is_none() {
            sum.questions += 1;
            sum.usage += usage;
        }
    }
}

/// What of a question answers are chosen by.
struct Heard<'a> {
    /// What a person said last.
    said: &'a str,
    /// What tools gave back since.
    results: Vec<&'a str>,
}

fn heard(ask: &Ask) -> Heard<'_> {
    let mut heard = Heard { said: "", results: vec![] };
    for message in &ask.messages {
        let Message::User { parts } = message else { continue };
        for part in parts {
            match part {
                UserPart::Text { text } => heard = Heard { said: text, results: vec![] },
                UserPart::ToolResult { text, .. } => heard.results.push(text),
                UserPart::Image { .. } => {}
            }
        }
    }
    heard
}

impl Answer {
    fn fits(&self, ask: &Ask, heard: &Heard<'_>) -> bool {
        let within = |text: &str, words: &Option<String>| {
            let words = words.as_ref().map(|words| words.to_lowercase());
            words.is_none_or(|words| text.to_lowercase().contains(&words))
        };
        let model = self.model.as_deref().is_none_or(|model| match model.strip_suffix('*') {
            Some(beginning) => ask.model.starts_with(beginning),
            None => ask.model == model,
        });
        model
            && within(heard.said, &self.said)
            && within(&ask.system, &self.system)
            && self.results.is_none_or(|results| heard.results.len() == results)
            && within(heard.results.last().copied().unwrap_or_default(), &self.result)
    }
}

fn tokens(bytes: usize) -> u64 {
    bytes.div_ceil(BYTES_PER_TOKEN) as u64
}

/// The pieces of an answer, with `said` and `result` in their places.
fn pieces(answer: &Answer, ask: &Ask, heard: &Heard<'_>) -> Result<VecDeque<Event>, ModelFailure> {
    let last = heard.results.last().copied().unwrap_or_default();
    let values: BTreeMap<String, Value> = [("said", heard.said), ("result", last)]
        .map(|(name, text)| (name.to_owned(), text.into()))
        .into();
    let wrong = |error: wardroom_core::agent::TemplateError| {
        ModelFailure::new(Kind::Invalid, format!("the script: {error}"))
    };
    let text = fill(&answer.text, &values).map_err(wrong)?;
    let mut events = VecDeque::new();
    let chars: Vec<char> = text.chars().collect();
    for piece in chars.chunks(PIECE_CHARS) {
        events.push_back(Event::Text { text: piece.iter().collect() });
    }
    let mut bytes = text.len();
    let turn = ask.messages.len();
    for (index, call) in answer.calls.iter().enumerate() {
        let arguments = Value::Object(call.arguments.clone()).to_string();
        // Within JSON, what is put in is a part of a text.
        let quoted = values.iter().map(|(name, value)| {
            let text = value.to_string();
            let inner = text.get(1..text.len().saturating_sub(1)).unwrap_or_default().to_owned();
            (name.clone(), Value::String(inner))
        });
        let text = fill(&arguments, &quoted.collect()).map_err(wrong)?;
        bytes += text.len() + call.tool.len();
        let index = u32::try_from(index).unwrap_or(u32::MAX);
        let id = format!("call_{turn}_{index}");
        events.push_back(Event::Call { index, id, name: call.tool.clone() });
        events.push_back(Event::Arguments { index, text });
    }
    let asked = serde_json::to_string(&ask.messages).map_or(0, |text| text.len());
    let usage = Usage {
        input_tokens: tokens(asked + ask.system.len()),
        output_tokens: tokens(bytes).min(ask.output_tokens_max.into()),
        ..Usage::default()
    };
    let finish = if answer.calls.is_empty() { Finish::Stop } else { Finish::Calls };
    events.push_back(Event::End { finish, usage: Some(usage) });
    Ok(events)
}

#[async_trait]
impl ModelProvider for Script {
    async fn ask(&self, question: Question<'_>) -> Result<Box<dyn Pieces>, ModelFailure> {
        let heard = heard(question.ask);
        let answer = self.answers.iter().find(|answer| answer.fits(question.ask, &heard));
        let answer = answer.ok_or_else(|| {
            ModelFailure::new(Kind::Invalid, "the script has no answer to this question")
        })?;
        if answer.wait_ms > 0 {
            tokio::time::sleep(Duration::from_millis(answer.wait_ms).min(WAIT_MAX)).await;
        }
        if let Some(kind) = answer.fail {
            return Err(ModelFailure::new(kind, "the script says so"));
        }
        let events = pieces(answer, question.ask, &heard)?;
        if let Some(Event::End { usage: Some(usage), .. }) = events.back() {
            self.count(question.key, *usage);
        }
        let pace = Duration::from_millis(answer.pace_ms).min(WAIT_MAX);
        Ok(Box::new(Scripted { events, pace }))
    }
}

struct Scripted {
    events: VecDeque<Event>,
    pace: Duration,
}

#[async_trait]
impl Pieces for Scripted {
    async fn next(&mut self) -> Result<Event, ModelFailure> {
        if !self.pace.is_zero() {
            tokio::time::sleep(self.pace).await;
        }
        self.events.pop_front().ok_or_else(|| super::broken("it is over"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use wardroom_core::model::{Answer as Whole, AssistantPart};

    const SCRIPT: &str = r#"
answers:
  - said: weather
    results: 0
    calls:
      - tool: tides
        arguments: {place: "{{said}}", days: 2}
  - results: 1
    text: "It says: {{result}}"
  - model: "down*"
    fail: unavailable
  - text: Hello.
"#;

    fn asked(model: &str, parts: Vec<UserPart>) -> Ask {
        Ask {
            model: model.to_owned(),
            messages: vec![Message::User { parts }],
            output_tokens_max: 100,
            ..Ask::default()
        }
    }

    fn said(text: &str) -> UserPart {
        UserPart::Text { text: text.to_owned() }
    }

    async fn answer(
        script: &Script,
        ask: &Ask,
        key: &str,
    ) -> Result<(Vec<AssistantPart>, Finish, Option<Usage>), ModelFailure> {
        let mut pieces = script.ask(Question { ask, key }).await?;
        let mut whole = Whole::default();
        loop {
            let event = pieces.next().await?;
            let over = matches!(event, Event::End { .. });
            whole.take(event).unwrap();
            if over {
                return Ok(whole.finish().unwrap());
            }
        }
    }

    #[tokio::test]
    async fn the_first_answer_that_fits_is_given_with_what_was_said_in_it() {
        let script = Script::read(SCRIPT).unwrap();
        let question = asked("any", vec![said("the \"WEATHER\"?")]);
        let (parts, finish, _) = answer(&script, &question, "1").await.unwrap();
        assert_eq!(finish, Finish::Calls);
        let AssistantPart::ToolCall { name, arguments, .. } = parts.first().unwrap() else {
            unreachable!()
        };
        let place = arguments.get("place").and_then(Value::as_str).unwrap();
        assert_eq!((name.as_str(), place), ("tides", "the \"WEATHER\"?"));
        let result = UserPart::ToolResult { id: "x".into(), text: "4 C".into(), is_error: false };
        let next = asked("any", vec![said("weather"), result]);
        let (parts, _, _) = answer(&script, &next, "2").await.unwrap();
        assert_eq!(parts, [AssistantPart::Text { text: "It says: 4 C".into() }]);
        let down = asked("down-1", vec![said("hi")]);
        assert_eq!(answer(&script, &down, "3").await.unwrap_err().kind, Kind::Unavailable);
    }

    #[tokio::test]
    async fn a_question_that_comes_again_is_counted_once() {
        let script = Script::read(SCRIPT).unwrap();
        let question = asked("any", vec![said("hi")]);
        let first = answer(&script, &question, "a").await.unwrap().2.unwrap();
        let again = answer(&script, &question, "a").await.unwrap().2.unwrap();
        assert_eq!(first, again);
        assert_eq!(script.counted(), Counted { questions: 1, usage: first });
        answer(&script, &question, "b").await.unwrap();
        assert_eq!(script.counted().questions, 2);
    }

    #[test]
    fn scripts_that_are_none_are_told_of() {
        for (text, told) in [
            (
                "answers:
  - txt: x
",
                "txt",
            ),
            (
                "answers:
  - fail: never
",
                "rate_limited",
            ),
            (
                "answer: []
",
                "answer",
            ),
        ] {
            let error = Script::read(text).err().unwrap().to_string();
            assert!(error.contains(told), "{error}");
        }
    }
}
