//! What happens to a run that the orchestrator itself carries on: an agent's. Whoever takes it up reads its journal, so it
//! goes on where it stood, whoever held it before.

use super::{
    End, Outcome, Run, RunState, WAIT_MAX,
    machine::{Effect, Event, Refusal, finish},
};
use crate::Timestamp;

/// Applies `event` to `next`, a run that is not over.
pub(super) fn apply(next: &mut Run, event: &Event, now: Timestamp) -> Result<Vec<Effect>, Refusal> {
    Ok(match event {
        Event::Take { holder, until } => {
            if next.state != RunState::Queued {
                return Err(Refusal::State);
            }
            next.state = RunState::Running;
            next.not_before = None;
            next.holder = Some(*holder);
            next.fence += 1;
            next.attempt = 1;
            next.lease_until = Some(*until);
            next.started_at = next.started_at.or(Some(now));
            vec![]
        }
        Event::Paused { fence, state } => {
            held(next, *fence)?;
            let of_person = matches!(state, RunState::AwaitingApproval | RunState::AwaitingInput);
            if next.cancel_requested_at.is_some() || !(of_person || *state == RunState::Running) {
                return Err(Refusal::State);
            }
            let_go(next);
            next.state = *state;
            next.waits_since = Some(now);
            vec![]
        }
        Event::Woken => {
            let waits = matches!(
                next.state,
                RunState::AwaitingApproval | RunState::AwaitingInput | RunState::Running
            );
            if !waits || next.holder.is_some() {
                return Err(Refusal::State);
            }
            if let Some(since) = next.waits_since.take() {
                // The time that a person or another run takes is not its own: these have bounds of their own.
                next.deadline = next.deadline.map(|deadline| deadline.plus(now.since(since)));
            }
            queue(next, now)
        }
        Event::Ended { fence, outcome, .. } => {
            held(next, *fence)?;
            ended(next, outcome.clone(), now)
        }
        Event::LeaseLapsed { fence } => {
            held(next, *fence)?;
            if next.lease_until.is_some_and(|until| now < until) {
                return Err(Refusal::TooEarly);
            }
            lost(next, now)
        }
        Event::HolderGone { fence } => {
            held(next, *fence)?;
            lost(next, now)
        }
        Event::Cancel => {
            if next.cancel_requested_at.is_some() {
                return Err(Refusal::AlreadyAsked);
            }
            next.cancel_requested_at = Some(now);
            if next.holder.is_some() {
                return Ok(vec![Effect::Halt, Effect::StopChildren]);
            }
            cancelled(next, now)
        }
        Event::DeadlinePassed => late(next, now)?,
        _ => return Err(Refusal::State),
    })
}

fn held(run: &Run, fence: i64) -> Result<(), Refusal> {
    if run.holder.is_some() && run.fence == fence { Ok(()) } else { Err(Refusal::StaleFence) }
}

fn let_go(next: &mut Run) {
    next.holder = None;
    next.lease_until = None;
}

/// It stands behind those that wait already.
fn queue(next: &mut Run, now: Timestamp) -> Vec<Effect> {
    next.state = RunState::Queued;
    next.not_before = Some(now);
    vec![Effect::Queue]
}

/// Whoever held it is gone: somebody else goes on.
fn lost(next: &mut Run, now: Timestamp) -> Vec<Effect> {
    let_go(next);
    if next.cancel_requested_at.is_some() { cancelled(next, now) } else { queue(next, now) }
}

fn cancelled(next: &mut Run, now: Timestamp) -> Vec<Effect> {
    ended(next, Outcome::without_process(End::Cancelled, "cancelled"), now)
}

fn late(next: &mut Run, now: Timestamp) -> Result<Vec<Effect>, Refusal> {
    let (due, why) = match next.waits_since {
        Some(since) => {
            (Some(since.plus(WAIT_MAX)), "what it waits for did not come within seven days")
        }
        None => (next.deadline, "its time was over"),
    };
    if due.is_none_or(|due| now < due) {
        return Err(Refusal::TooEarly);
    }
    let halt = next.holder.map(|_| Effect::Halt);
    let mut effects = ended(next, Outcome::without_process(End::DeadlinePassed, why), now);
    effects.extend(halt);
    Ok(effects)
}

fn ended(next: &mut Run, outcome: Outcome, now: Timestamp) -> Vec<Effect> {
    let state = match outcome.end {
        End::Answered => RunState::Succeeded,
        End::Cancelled => RunState::Cancelled,
        End::DeadlinePassed => RunState::TimedOut,
        _ => RunState::Failed,
    };
    let_go(next);
    next.waits_since = None;
    let mut effects = finish(next, state, outcome, false, now);
    if state != RunState::Succeeded {
        effects.push(Effect::StopChildren);
    }
    effects
}

#[cfg(test)]
#[path = "here_tests.rs"]
mod tests;
