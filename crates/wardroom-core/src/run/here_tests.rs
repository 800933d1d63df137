//! What is promised of runs that the orchestrator itself carries on.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::{
    OrchestratorId, RunId, UserId,
    run::{Target, apply},
};
use proptest::prelude::*;
use uuid::Uuid;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

fn holder(number: u128) -> OrchestratorId {
    OrchestratorId::from_uuid(Uuid::from_u128(number))
}

fn queued() -> Run {
    let (id, user) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let (id, user) = (RunId::from_uuid(id), UserId::from_uuid(user));
    Run { deadline: Some(at(100)), ..Run::queued(id, user, "guide", Target::Here {}, at(0)) }
}

fn take(number: u128, until: i64) -> Event {
    Event::Take { holder: holder(number), until: at(until) }
}

fn end(fence: i64, end: End) -> Event {
    Event::Ended { fence, started_at: None, outcome: Outcome::without_process(end, "") }
}

fn step(run: &Run, event: Event, seconds: i64) -> Run {
    apply(run, &event, at(seconds)).unwrap().run
}

#[test]
fn whoever_takes_it_up_goes_on_and_whoever_had_it_can_not() {
    let first = step(&queued(), take(1, 30), 1);
    assert_eq!((first.state, first.fence, first.started_at), (RunState::Running, 1, Some(at(1))));
    let lapsed = Event::LeaseLapsed { fence: 1 };
    assert_eq!(apply(&first, &lapsed, at(29)), Err(Refusal::TooEarly));
    let free = apply(&first, &lapsed, at(30)).unwrap();
    assert_eq!((free.run.state, free.effects), (RunState::Queued, vec![Effect::Queue]));
    let second = step(&free.run, take(2, 60), 31);
    assert_eq!((second.fence, second.started_at), (2, Some(at(1))));
    let late = end(1, End::Answered);
    assert_eq!(apply(&second, &late, at(32)), Err(Refusal::StaleFence));
    assert_eq!(step(&second, end(2, End::Answered), 33).state, RunState::Succeeded);
    let gone = Event::HolderGone { fence: 2 };
    assert_eq!(step(&second, gone, 32).state, RunState::Queued, "at once, where that is known");
}

#[test]
fn the_time_that_a_person_takes_is_not_the_runs() {
    let running = step(&queued(), take(1, 30), 1);
    let paused = Event::Paused { fence: 1, state: RunState::AwaitingInput };
    let waits = step(&running, paused, 10);
    assert_eq!((waits.holder, waits.lease_until, waits.waits_since), (None, None, Some(at(10))));
    assert_eq!(apply(&waits, &Event::DeadlinePassed, at(200)), Err(Refusal::TooEarly));
    let woken = step(&waits, Event::Woken, 50);
    assert_eq!((woken.state, woken.deadline), (RunState::Queued, Some(at(140))));
    let other = step(&running, Event::Paused { fence: 1, state: RunState::Running }, 10);
    assert_eq!(
        step(&other, Event::Woken, 50).deadline,
        Some(at(140)),
        "nor what another run takes"
    );
    let forgotten = step(&waits, Event::DeadlinePassed, 10 + 7 * 86_400);
    assert_eq!(forgotten.state, RunState::TimedOut);
}

#[test]
fn it_stops_where_it_stands() {
    assert_eq!(step(&queued(), Event::Cancel, 1).state, RunState::Cancelled);
    let running = step(&queued(), take(1, 30), 1);
    let asked = apply(&running, &Event::Cancel, at(2)).unwrap();
    assert_eq!(asked.run.state, RunState::Running);
    assert_eq!(asked.effects, [Effect::Halt, Effect::StopChildren]);
    assert_eq!(step(&asked.run, end(1, End::Cancelled), 3).state, RunState::Cancelled);
    // Its holder died meanwhile: nobody goes on.
    let lost = step(&asked.run, Event::HolderGone { fence: 1 }, 3);
    assert_eq!(lost.state, RunState::Cancelled);
    let late = apply(&running, &Event::DeadlinePassed, at(100)).unwrap();
    assert_eq!(late.run.state, RunState::TimedOut);
    assert!(late.effects.contains(&Effect::Halt));
}

fn any_event() -> impl Strategy<Value = Event> {
    let fence = 0..4_i64;
    let state = prop_oneof![
        Just(RunState::AwaitingApproval),
        Just(RunState::AwaitingInput),
        Just(RunState::Running),
        Just(RunState::Leased),
    ];
    let any_end = prop_oneof![
        Just(End::Answered),
        Just(End::Cancelled),
        Just(End::NoAnswer { failure: "unavailable".into() }),
        Just(End::Limit { limit: "steps".into() }),
    ];
    prop_oneof![
        (1..3_u128, 0..200_i64).prop_map(|(number, until)| take(number, until)),
        (fence.clone(), state).prop_map(|(fence, state)| Event::Paused { fence, state }),
        Just(Event::Woken),
        (fence.clone(), any_end).prop_map(|(fence, ended)| end(fence, ended)),
        fence.clone().prop_map(|fence| Event::LeaseLapsed { fence }),
        fence.prop_map(|fence| Event::HolderGone { fence }),
        Just(Event::Cancel),
        Just(Event::DeadlinePassed),
        Just(Event::RetryDue),
        Just(Event::NodeGone),
        Just(Event::Approved),
    ]
}

proptest! {
    #[test]
    fn every_history_keeps_the_promises(
        events in prop::collection::vec((any_event(), 0..300_i64), 0..60),
    ) {
        let mut run = queued();
        let mut now = 0;
        for (event, after) in events {
            now += after;
            let Ok(transition) = apply(&run, &event, at(now)) else { continue };
            let before = std::mem::replace(&mut run, transition.run);
            prop_assert_eq!(run.version, before.version + 1);
            prop_assert!(!before.state.is_terminal(), "what is over stays as it is");
            prop_assert_eq!(run.lease_until.is_some(), run.holder.is_some());
            prop_assert_eq!(run.finished_at.is_some(), run.state.is_terminal());
            prop_assert!(!(run.state.is_terminal() && run.holder.is_some()));
            let taken = before.holder.is_none() && run.holder.is_some();
            prop_assert_eq!(run.fence, before.fence + i64::from(taken), "a fence for each holder");
            let waits = run.holder.is_none()
                && matches!(
                    run.state,
                    RunState::AwaitingApproval | RunState::AwaitingInput | RunState::Running
                );
            prop_assert_eq!(run.waits_since.is_some(), waits);
            prop_assert!(run.deadline >= before.deadline, "its time only grows, by what people take");
            prop_assert!(before.cancel_requested_at.is_none() || run.state != RunState::Queued);
        }
    }
}
