//! The state machine against what it promises, over random histories.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use super::*;
use crate::{
    UserId,
    run::{RetryPolicy, Target},
};
use proptest::prelude::*;
use std::time::Duration;
use uuid::Uuid;

fn node(number: u128) -> NodeId {
    NodeId::from_uuid(Uuid::from_u128(number))
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

fn queued(idempotent: bool, attempts_max: u32) -> Run {
    let (id, user) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let (id, user) = (RunId::from_uuid(id), UserId::from_uuid(user));
    Run {
        retry: RetryPolicy { attempts_max, backoff_ms: 1000 },
        idempotent,
        ..Run::queued(id, user, "c", Target::Node { node: node(3) }, at(0))
    }
}

fn step(run: &Run, event: Event, seconds: i64) -> Run {
    apply(run, &event, at(seconds)).unwrap().run
}

fn lease(run: &Run, seconds: i64) -> Run {
    step(run, Event::Lease { node: node(3), until: at(seconds + 100) }, seconds)
}

fn end(fence: i64, end: End) -> Event {
    Event::Ended { fence, started_at: None, outcome: Outcome::without_process(end, "") }
}

#[test]
fn the_plain_way() {
    let leased = lease(&queued(false, 1), 1);
    assert_eq!((leased.state, leased.fence, leased.attempt), (RunState::Leased, 1, 1));
    let running = step(&leased, Event::Started { fence: 1, at: at(2) }, 2);
    let done = step(&running, end(1, End::Exited { code: 0 }), 3);
    assert_eq!(
        (done.state, done.started_at, done.lease_until),
        (RunState::Succeeded, Some(at(2)), None)
    );
    assert_eq!(apply(&done, &Event::Cancel, at(4)), Err(Refusal::Over));
}

#[test]
fn an_unknown_outcome_is_repeated_only_where_that_is_harmless() {
    let harmful = step(&lease(&queued(false, 5), 1), end(1, End::Interrupted), 2);
    assert_eq!((harmful.state, harmful.dead_letter), (RunState::Interrupted, true));
    let harmless = step(&lease(&queued(true, 5), 1), end(1, End::Interrupted), 2);
    assert_eq!((harmless.state, harmless.not_before), (RunState::Retrying, Some(at(3))));
    let again =
        step(&step(&harmless, Event::RetryDue, 3), Event::Lease { node: node(3), until: at(9) }, 4);
    assert_eq!((again.fence, again.attempt), (2, 2));
    // The first holder comes back with its result: it lost the run.
    assert_eq!(apply(&again, &end(1, End::Exited { code: 0 }), at(5)), Err(Refusal::StaleFence));
}

#[test]
fn a_lapsed_lease_counts_as_unknown_and_not_a_moment_earlier() {
    let leased = lease(&queued(false, 1), 1);
    assert_eq!(apply(&leased, &Event::LeaseLapsed { fence: 1 }, at(100)), Err(Refusal::TooEarly));
    assert_eq!(step(&leased, Event::LeaseLapsed { fence: 1 }, 101).state, RunState::Interrupted);
}

#[test]
fn cancelling_ends_a_queued_run_at_once_and_a_held_one_with_its_node() {
    assert_eq!(step(&queued(false, 1), Event::Cancel, 1).state, RunState::Cancelled);
    let leased = lease(&queued(false, 3), 1);
    let asked = apply(&leased, &Event::Cancel, at(2)).unwrap();
    assert_eq!((asked.run.state, asked.effects), (RunState::Leased, vec![Effect::Stop(node(3))]));
    assert_eq!(apply(&asked.run, &Event::Cancel, at(3)), Err(Refusal::AlreadyAsked));
    assert_eq!(step(&asked.run, end(1, End::Cancelled), 3).state, RunState::Cancelled);
    // It ended by itself before the stop came: that is what is recorded, and it is not repeated.
    assert_eq!(step(&asked.run, end(1, End::Exited { code: 1 }), 3).state, RunState::Failed);
}

#[test]
fn what_did_not_happen_after_a_stop_was_cancelled() {
    let asked = step(&lease(&queued(false, 3), 1), Event::Cancel, 2);
    let busy = End::Refused { code: "busy".into() };
    for ended in [busy, End::NotStarted, End::Refused { code: "bad_parameter".into() }] {
        let run = step(&asked, end(1, ended), 3);
        assert_eq!((run.state, run.dead_letter), (RunState::Cancelled, false));
    }
    // What it did is unknown: that it was to be stopped does not make it known.
    let run = step(&asked, end(1, End::Interrupted), 3);
    assert_eq!((run.state, run.dead_letter), (RunState::Interrupted, true));
}

#[test]
fn a_replay_takes_the_mark_off_and_nothing_else() {
    let dead = step(&lease(&queued(false, 1), 1), end(1, End::NotStarted), 2);
    assert!(dead.dead_letter);
    let laid = step(&dead, Event::Replayed, 3);
    assert_eq!(laid, Run { dead_letter: false, version: dead.version + 1, ..dead });
    let done = step(&lease(&queued(false, 1), 1), end(1, End::Exited { code: 0 }), 2);
    assert_eq!(apply(&done, &Event::Replayed, at(3)), Err(Refusal::Over));
    assert_eq!(apply(&queued(false, 1), &Event::Replayed, at(3)), Err(Refusal::State));
}

#[test]
fn a_parent_ends_with_its_children_and_not_by_the_clock() {
    let target = Target::AllOf { labels: "a=b".parse().unwrap() };
    let state = RunState::Running;
    let parent = Run { target, state, deadline: Some(at(10)), ..queued(false, 1) };
    assert_eq!(apply(&parent, &Event::DeadlinePassed, at(20)), Err(Refusal::State));
    let asked = apply(&parent, &Event::Cancel, at(2)).unwrap();
    assert_eq!((asked.run.state, asked.effects), (state, vec![Effect::StopChildren]));
    let done = |failed, cancelled| Event::ChildrenDone { succeeded: 1, failed, cancelled };
    assert_eq!(step(&asked.run, done(1, true), 3).state, RunState::Cancelled);
    assert_eq!(step(&parent, done(1, false), 3).state, RunState::Failed);
    assert_eq!(step(&parent, done(0, false), 3).state, RunState::Succeeded);
    assert_eq!(apply(&queued(false, 1), &done(0, false), at(3)), Err(Refusal::State));
}

#[test]
fn a_full_node_is_not_asked_in_a_tight_loop() {
    let mut run = queued(false, 1);
    run.retry.backoff_ms = 0;
    let busy = step(&lease(&run, 1), end(1, End::Refused { code: "busy".into() }), 2);
    assert_eq!(busy.not_before, Some(at(2).plus(super::super::BACKOFF_MIN)));
}

#[test]
fn a_full_node_costs_no_attempt() {
    let busy = step(&lease(&queued(false, 1), 1), end(1, End::Refused { code: "busy".into() }), 2);
    assert_eq!((busy.state, busy.attempt), (RunState::Retrying, 0));
    let refused = step(
        &lease(&queued(false, 3), 1),
        end(1, End::Refused { code: "bad_parameter".into() }),
        2,
    );
    assert_eq!((refused.state, refused.dead_letter), (RunState::Failed, true));
}

#[test]
fn a_deadline_ends_a_run_wherever_it_is() {
    let mut run = queued(false, 1);
    run.deadline = Some(at(10));
    assert_eq!(apply(&run, &Event::DeadlinePassed, at(9)), Err(Refusal::TooEarly));
    assert_eq!(step(&run, Event::DeadlinePassed, 10).state, RunState::TimedOut);
    let held = apply(&lease(&run, 1), &Event::DeadlinePassed, at(10)).unwrap();
    assert_eq!((held.run.state, held.effects), (RunState::TimedOut, vec![Effect::Stop(node(3))]));
}

#[test]
fn a_program_that_was_stopped_for_the_deadline_says_so_and_is_not_tried_again() {
    let run = Run { deadline: Some(at(10)), ..queued(true, 5) };
    let wall = || End::Limit { limit: "wall".into() };
    let late = step(&lease(&run, 1), end(1, wall()), 10);
    assert_eq!((late.state, late.outcome.unwrap().end), (RunState::TimedOut, End::DeadlinePassed));
    let early = step(&lease(&run, 1), end(1, wall()), 9);
    assert_eq!(early.state, RunState::Retrying);
}

#[test]
fn backoff_doubles_to_a_bound() {
    let retry = RetryPolicy { attempts_max: 10, backoff_ms: 1000 };
    assert_eq!(retry.backoff(1), Duration::from_secs(1));
    assert_eq!(retry.backoff(3), Duration::from_secs(4));
    assert_eq!(retry.backoff(30), super::super::BACKOFF_MAX);
}

#[test]
fn what_waits_for_consent_begins_only_with_it() {
    let waits = Run { state: RunState::AwaitingApproval, ..queued(true, 3) };
    let no = |run: &Run, event: Event| apply(run, &event, at(1)).unwrap_err();
    assert_eq!(no(&waits, Event::Lease { node: node(3), until: at(9) }), Refusal::State);
    let begun = apply(&waits, &Event::Approved, at(1)).unwrap();
    assert_eq!((begun.run.state, begun.effects), (RunState::Queued, vec![Effect::Queue]));
    assert_eq!(no(&begun.run, Event::Approved), Refusal::State);
    assert_eq!(no(&begun.run, Event::Denied { why: String::new() }), Refusal::State);
    let denied = step(&waits, Event::Denied { why: "no".into() }, 1);
    assert_eq!(denied.state, RunState::Cancelled);
    assert_eq!(denied.outcome.unwrap().message.as_deref(), Some("no"));
    assert_eq!(no(&step(&waits, Event::Cancel, 1), Event::Approved), Refusal::Over);
    let timed = Run { deadline: Some(at(1)), ..waits.clone() };
    assert_eq!(step(&timed, Event::DeadlinePassed, 1).state, RunState::TimedOut);
    let parent = Run { target: Target::AllOf { labels: "a=b".parse().unwrap() }, ..waits };
    assert_eq!(step(&parent, Event::Approved, 1).state, RunState::Running);
    let stopped = apply(&parent, &Event::Denied { why: String::new() }, at(1)).unwrap();
    assert_eq!(stopped.effects, [Effect::StopChildren]);
    assert_eq!(no(&stopped.run, Event::Approved), Refusal::State, "it was asked to stop");
}

fn any_event() -> impl Strategy<Value = Event> {
    let fence = 0..4_i64;
    let any_end = prop_oneof![
        (0..3).prop_map(|code| End::Exited { code }),
        Just(End::Interrupted),
        Just(End::Cancelled),
        Just(End::Limit { limit: "wall".into() }),
        Just(End::Refused { code: "busy".into() }),
        Just(End::NotStarted),
    ];
    prop_oneof![
        (1..3_u128, 0..200_i64)
            .prop_map(|(n, until)| Event::Lease { node: node(n), until: at(until) }),
        (fence.clone(), 0..200_i64)
            .prop_map(|(fence, until)| Event::Renew { fence, until: at(until) }),
        fence.clone().prop_map(|fence| Event::Started { fence, at: at(1) }),
        (fence.clone(), any_end).prop_map(|(fence, ended)| end(fence, ended)),
        fence.prop_map(|fence| Event::LeaseLapsed { fence }),
        Just(Event::NodeGone),
        Just(Event::Approved),
        Just(Event::Denied { why: String::new() }),
        Just(Event::Cancel),
        Just(Event::DeadlinePassed),
        Just(Event::RetryDue),
        Just(Event::Replayed),
        (0..2_u32, 0..2_u32).prop_map(|(succeeded, failed)| Event::ChildrenDone {
            succeeded,
            failed,
            cancelled: failed > 0,
        }),
    ]
}

proptest! {
    #[test]
    fn every_history_keeps_the_promises(
        events in prop::collection::vec((any_event(), 0..300_i64), 0..60),
        idempotent: bool,
        attempts_max in 1..4_u32,
        deadline in prop::option::of(0..300_i64),
        parent: bool,
        waits: bool,
    ) {
        let mut run = Run { deadline: deadline.map(at), ..queued(idempotent, attempts_max) };
        if parent {
            run.state = RunState::Running;
            run.target = Target::AllOf { labels: "a=b".parse().unwrap() };
        }
        if waits {
            run.state = RunState::AwaitingApproval;
        }
        for (event, now) in events {
            let before = run.clone();
            let Ok(transition) = apply(&run, &event, at(now)) else { continue };
            run = transition.run;
            if before.state.is_terminal() {
                let laid = Run { dead_letter: false, version: before.version + 1, ..before.clone() };
                prop_assert_eq!(&run, &laid, "nothing but the mark changes on a run that is over");
            }
            prop_assert_eq!(run.version, before.version + 1);
            prop_assert!(run.fence >= before.fence && run.attempt <= attempts_max);
            let held = !parent && matches!(run.state, RunState::Leased | RunState::Running);
            prop_assert_eq!(run.lease_until.is_some(), held, "a lease exactly while a node holds it");
            prop_assert_eq!(run.finished_at.is_some(), run.state.is_terminal());
            prop_assert!(!run.dead_letter || run.state.is_terminal());
            if run.state == RunState::Retrying && !matches!(run.outcome.as_ref().unwrap().end, End::Refused { .. }) {
                let unknown = run.outcome.as_ref().unwrap().end == End::Interrupted;
                prop_assert!(!unknown || idempotent, "an unknown outcome is never silently repeated");
            }
        }
    }
}
