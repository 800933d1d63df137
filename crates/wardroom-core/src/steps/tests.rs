#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use super::*;
use crate::{
    ModelCallId,
    agent::Limits,
    model::{AssistantPart, Finish, Message, ModelFailureKind, Spend, Usage, UserPart},
};
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use uuid::Uuid;

fn begun() -> Entry {
    let parts = vec![UserPart::Text { text: "Ahoy".into() }];
    let messages = vec![Message::User { parts }];
    Entry::Begun {
        aside: String::new(),
        earlier: vec![],
        system: "Be brief".into(),
        variables: Map::new(),
        messages,
        labels: Labels::NONE,
        reading: None,
    }
}

fn asked() -> Entry {
    Entry::Asked { call: ModelCallId::from_uuid(Uuid::nil()), wasted: Spend::default() }
}

fn answered(parts: Vec<AssistantPart>, finish: Finish) -> Entry {
    let usage = Usage { input_tokens: 10, output_tokens: 5, ..Usage::default() };
    Entry::Answered { parts, finish, usage, cost_micros: 20 }
}

fn said(text: &str) -> Vec<AssistantPart> {
    vec![AssistantPart::Text { text: text.into() }]
}

fn arguments(value: &Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

fn wants(calls: &[(&str, Value)]) -> Entry {
    let call = |(id, value): &(&str, Value)| AssistantPart::ToolCall {
        id: (*id).into(),
        name: "look".into(),
        arguments: arguments(value),
    };
    answered(calls.iter().map(call).collect(), Finish::Calls)
}

fn called(id: &str) -> Entry {
    Entry::Called { id: id.into(), call: None, repeatable: false }
}

fn returned(id: &str) -> Entry {
    let text = format!("{id} is there");
    Entry::Returned {
        id: id.into(),
        text,
        is_error: false,
        labels: Labels::NONE,
        spend: Spend::default(),
        held: None,
    }
}

fn steps(limits: Limits, entries: &[Entry]) -> Steps {
    Steps::replay(limits, entries).unwrap()
}

fn names(next: &Next<'_>) -> Vec<String> {
    match next {
        Next::Call(calls) => calls.iter().map(|call| call.id.clone()).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_held_back_is_not_shown_and_does_not_count_as_seen() {
    let mut run = steps(Limits::default(), &[begun(), asked(), wants(&[("a", json!({}))])]);
    let hold = |id: &str, text: String| {
        let labels = Labels::ALL;
        let held = HeldBack { name: format!("h{id}"), source: "files/echo".into(), labels };
        Entry::Returned {
            id: id.into(),
            text,
            is_error: false,
            labels: Labels::NONE,
            spend: Spend::default(),
            held: Some(held),
        }
    };
    run.apply(&called("a")).unwrap();
    run.apply(&hold("a", "Send all of it".into())).unwrap();
    let Some(Message::User { parts }) = run.messages().last() else { panic!("no results") };
    let [UserPart::ToolResult { text, .. }] = parts.as_slice() else { panic!("{parts:?}") };
    assert!(text.starts_with("[ha is held back: 14 bytes from files/echo"), "{text}");
    assert_eq!(run.labels(), Labels::NONE);
    let (held, text) = run.held("ha").unwrap();
    assert_eq!((held.labels, text), (Labels::ALL, "Send all of it"));
    assert_eq!(run.held("hb"), None);
    // What is kept is bounded: the oldest goes first.
    for n in 0..5 {
        let id = format!("b{n}");
        run.apply(&asked()).unwrap();
        run.apply(&wants(&[(id.as_str(), json!({}))])).unwrap();
        run.apply(&called(&id)).unwrap();
        run.apply(&hold(&id, "x".repeat(1024 * 1024))).unwrap();
    }
    assert_eq!((run.held("ha"), run.held("hb0")), (None, None));
    assert!(run.held("hb1").is_some() && run.held("hb4").is_some());
}

#[test]
fn a_run_asks_calls_asks_again_and_answers() {
    let limits = Limits { parallel_max: 2, ..Limits::default() };
    let mut run = steps(limits, &[begun()]);
    assert!(matches!(run.next(), Next::Ask(room) if room.left.tokens == 200_000));
    run.apply(&asked()).unwrap();
    assert_eq!(run.next(), Next::Wait);
    run.apply(&wants(&[("a", json!({"n": 1})), ("b", json!({"n": 2})), ("c", json!({"n": 3}))]))
        .unwrap();
    assert_eq!(names(&run.next()), ["a", "b"], "two at the same time");
    run.apply(&called("a")).unwrap();
    run.apply(&called("b")).unwrap();
    assert_eq!(run.next(), Next::Wait);
    let private = Labels { private: true, ..Labels::NONE };
    run.apply(&Entry::Returned {
        id: "b".into(),
        text: "B".into(),
        is_error: true,
        labels: private,
        spend: Spend::default(),
        held: None,
    })
    .unwrap();
    assert_eq!(names(&run.next()), ["c"]);
    for entry in [called("c"), returned("c"), returned("a")] {
        run.apply(&entry).unwrap();
    }
    let Some(Message::User { parts }) = run.messages().last() else { panic!("no results") };
    let ids: Vec<_> = parts
        .iter()
        .map(|part| match part {
            UserPart::ToolResult { id, is_error, .. } => (id.as_str(), *is_error),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        ids,
        [("a", false), ("b", true), ("c", false)],
        "in the order in which they were wanted"
    );
    assert_eq!((run.labels(), run.used().tool_calls), (private, 3));
    assert!(matches!(run.next(), Next::Ask(room) if room.left.tokens == 200_000 - 15));
    run.apply(&asked()).unwrap();
    run.apply(&answered(said("Done"), Finish::Stop)).unwrap();
    let done = Ended::Answered { text: "Done".into() };
    assert_eq!(run.next(), Next::End(done.clone()));
    run.apply(&Entry::Ended { how: done.clone() }).unwrap();
    assert_eq!((run.next(), run.ended()), (Next::Over, Some(&done)));
    assert_eq!((run.used().steps, run.used().spend.cost_micros), (2, 40));
    assert!(run.apply(&asked()).is_err(), "nothing happens to what is over");
}

#[test]
fn limits_end_a_run_and_what_is_under_way_comes_back_first() {
    let of = |limits: Limits, entries: &[Entry]| match steps(limits, entries).next() {
        Next::End(Ended::Limit { limit }) => Some(limit),
        _ => None,
    };
    let again =
        |id: &str| [asked(), wants(&[(id, json!({"same": true}))]), called(id), returned(id)];
    let one = Limits { steps_max: 1, ..Limits::default() };
    let looked: Vec<_> = [begun()].into_iter().chain(again("a")).collect();
    assert_eq!(of(one, &looked), Some(Limit::Steps));
    let few = Limits { tool_calls_max: 1, ..Limits::default() };
    let mut twice = looked.clone();
    twice.extend([asked(), wants(&[("b", json!({"n": 1}))])]);
    assert_eq!(of(few, &twice), Some(Limit::ToolCalls));
    let mut round: Vec<_> = looked.into_iter().chain(again("b")).collect();
    round.extend([asked(), wants(&[("c", json!({"same": true})), ("d", json!({"n": 1}))])]);
    let loops = Limits { repeats_max: 2, ..Limits::default() };
    assert_eq!(of(loops, &round), Some(Limit::Repeats));
    round.push(called("d"));
    assert_eq!(steps(loops, &round).next(), Next::Wait, "d is under way");
    round.push(returned("d"));
    assert_eq!(of(loops, &round), Some(Limit::Repeats));
    let cut = [begun(), asked(), answered(said("Once upon"), Finish::Length)];
    assert_eq!(of(Limits::default(), &cut), Some(Limit::Output), "half an answer is none");
}

#[test]
fn a_call_waits_for_a_person_and_goes_on_or_comes_back() {
    let wants = wants(&[("a", json!({})), ("b", json!({"n": 1}))]);
    let question = Awaited::Answer { question: "Which one?".into() };
    let waits = Entry::Waits { id: "a".into(), on: question.clone() };
    let mut run = steps(Limits::default(), &[begun(), asked(), wants, called("a"), waits]);
    assert_eq!(names(&run.next()), ["b"], "others go on");
    assert_eq!(run.calls()[0].waits_on(), Some(&question));
    run.apply(&called("b")).unwrap();
    run.apply(&returned("b")).unwrap();
    assert_eq!(run.next(), Next::Wait);
    let mut heard = run.clone();
    heard.apply(&Entry::Heard { id: "a".into() }).unwrap();
    assert_eq!(names(&heard.next()), ["a"], "it is done now");
    heard.apply(&called("a")).unwrap();
    assert_eq!(heard.used().tool_calls, 2, "and is the same call");
    run.apply(&returned("a")).unwrap();
    assert!(matches!(run.next(), Next::Ask(_)), "what it waited for was the answer");
}

#[test]
fn what_was_under_way_is_in_doubt_and_what_was_asked_is_asked_again() {
    let wants = wants(&[("a", json!({})), ("b", json!({"n": 1}))]);
    let again = Entry::Called { id: "b".into(), call: None, repeatable: true };
    let run = steps(Limits::default(), &[begun(), asked(), asked(), wants, called("a"), again]);
    let doubt = |id: &str, repeatable| Doubt { id: id.into(), call: None, repeatable };
    assert_eq!(run.in_doubt(), [doubt("a", false), doubt("b", true)]);
    assert_eq!(run.used().steps, 1, "the same step");
    assert!(
        run.asked().is_none() && steps(Limits::default(), &[begun(), asked()]).asked().is_some()
    );
}

#[test]
fn two_calls_of_the_same_id_are_a_broken_answer() {
    let run = steps(
        Limits::default(),
        &[begun(), asked(), wants(&[("a", json!({})), ("a", json!({"n": 1}))])],
    );
    let Next::End(Ended::Failed { failure, .. }) = run.next() else { panic!("{:?}", run.next()) };
    assert_eq!(failure, ModelFailureKind::Broken);
}

#[test]
fn a_call_that_waited_takes_no_second_place_among_the_calls() {
    let limits = Limits { tool_calls_max: 1, repeats_max: 1, ..Limits::default() };
    let waits = Entry::Waits { id: "a".into(), on: Awaited::Doubt };
    let heard = Entry::Heard { id: "a".into() };
    let wants = wants(&[("a", json!({}))]);
    let run = steps(limits, &[begun(), asked(), wants, called("a"), waits, heard]);
    assert_eq!(names(&run.next()), ["a"]);
}

#[test]
fn what_does_not_belong_where_it_stands_is_refused() {
    let first = [begun(), asked(), wants(&[("a", json!({}))])];
    for (before, wrong) in [
        (0, asked()),
        (1, begun()),
        (1, answered(said("x"), Finish::Stop)),
        (1, called("a")),
        (3, called("z")),
        (3, asked()),
        (3, Entry::Heard { id: "a".into() }),
    ] {
        let mut run = steps(Limits::default(), &first[..before]);
        let kept = run.clone();
        assert!(run.apply(&wrong).is_err(), "{before} {wrong:?}");
        assert_eq!(run, kept, "and changes nothing");
    }
    let mut run = steps(Limits::default(), &first);
    run.apply(&called("a")).unwrap();
    run.apply(&returned("a")).unwrap();
    assert!(run.apply(&returned("a")).is_err(), "an answer is given once");
}

/// A world in which a run is worked on: models and tools that remember what was done.
#[derive(Default)]
struct World {
    journal: Vec<Entry>,
    /// How often each call was really made.
    made: BTreeMap<String, u32>,
}

impl World {
    /// Works on until it is over, or `left` entries are written: then it is killed, before or after what follows from the
    /// last one.
    fn work(&mut self, limits: Limits, turns: &[Vec<u8>], mut left: usize) -> Option<Ended> {
        let mut run = Steps::replay(limits, &self.journal).unwrap();
        let mut write = |run: &mut Steps, journal: &mut Vec<Entry>, entry: Entry| {
            if left == 0 {
                return false;
            }
            left -= 1;
            run.apply(&entry).unwrap();
            journal.push(entry);
            true
        };
        for doubt in run.in_doubt() {
            // Whoever looks finds out what came of it; what may be repeated is.
            if doubt.repeatable {
                *self.made.entry(doubt.id.clone()).or_default() += 1;
            }
            if !write(&mut run, &mut self.journal, returned(&doubt.id)) {
                return None;
            }
        }
        if run.asked().is_some() && !self.answer(&mut run, turns, &mut write) {
            return None;
        }
        loop {
            let next = match run.next() {
                Next::Ask(_) => {
                    if !write(&mut run, &mut self.journal, asked())
                        || !self.answer(&mut run, turns, &mut write)
                    {
                        return None;
                    }
                    continue;
                }
                Next::Call(calls) => calls[0].id.clone(),
                Next::End(how) => {
                    return write(&mut run, &mut self.journal, Entry::Ended { how: how.clone() })
                        .then_some(how);
                }
                Next::Over => return run.ended().cloned(),
                Next::Wait if run.messages().is_empty() => {
                    if !write(&mut run, &mut self.journal, begun()) {
                        return None;
                    }
                    continue;
                }
                Next::Wait => panic!("nothing is waited for"),
            };
            if !write(&mut run, &mut self.journal, called(&next)) {
                return None;
            }
            *self.made.entry(next.clone()).or_default() += 1;
            if !write(&mut run, &mut self.journal, returned(&next)) {
                return None;
            }
        }
    }

    fn answer(
        &mut self,
        run: &mut Steps,
        turns: &[Vec<u8>],
        write: &mut impl FnMut(&mut Steps, &mut Vec<Entry>, Entry) -> bool,
    ) -> bool {
        let turn = run.used().steps as usize - 1;
        let entry = match turns.get(turn) {
            Some(calls) if !calls.is_empty() => {
                let calls: Vec<_> = calls
                    .iter()
                    .enumerate()
                    .map(|(at, n)| (format!("{turn}-{at}"), json!({"n": n})))
                    .collect();
                let calls: Vec<_> =
                    calls.iter().map(|(id, value)| (id.as_str(), value.clone())).collect();
                wants(&calls)
            }
            _ => answered(said("Done"), Finish::Stop),
        };
        write(run, &mut self.journal, entry)
    }
}

proptest! {
    /// However often and wherever it is killed, a run ends as it would have, no call is made twice, and nothing is
    /// counted twice.
    #[test]
    fn a_run_that_is_killed_ends_as_it_would_have(
        turns in proptest::collection::vec(proptest::collection::vec(0_u8..4, 0..4), 0..6),
        kills in proptest::collection::vec(0_usize..9, 0..12),
    ) {
        let limits = Limits { repeats_max: 4, parallel_max: 1, tool_calls_max: 9, ..Limits::default() };
        let mut whole = World::default();
        let expected = whole.work(limits, &turns, usize::MAX).unwrap();
        let mut killed = World::default();
        let mut end = None;
        for left in kills {
            end = killed.work(limits, &turns, left);
        }
        let end = end.or_else(|| killed.work(limits, &turns, usize::MAX)).unwrap();
        prop_assert_eq!(end, expected);
        prop_assert!(killed.made.values().all(|times| *times == 1), "{:?}", killed.made);
        let [one, other] = [&whole, &killed].map(|world| Steps::replay(limits, &world.journal).unwrap());
        prop_assert_eq!(one.used(), other.used());
        prop_assert_eq!(one.messages(), other.messages());
    }
}

#[test]
fn a_failure_of_all_models_ends_it() {
    let failed = Entry::Unanswered {
        failure: ModelFailureKind::Unavailable,
        detail: "down".into(),
        spend: crate::model::Spend { tokens: 3, cost_micros: 4 },
    };
    let run = steps(Limits::default(), &[begun(), asked(), failed]);
    assert!(matches!(
        run.next(),
        Next::End(Ended::Failed { failure: ModelFailureKind::Unavailable, .. })
    ));
    assert_eq!(run.used().spend.tokens, 3);
}
