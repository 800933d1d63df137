//! The state machine of a run: `apply(run, event, now)` gives the next run and what must follow.

use super::{BACKOFF_MIN, End, Outcome, Run, RunState, here};
use crate::{NodeId, OrchestratorId, RunId, Timestamp};

/// Something that happens to a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// It is given to a node.
    Lease {
        /// The node.
        node: NodeId,
        /// Until when the claim holds unless it is renewed.
        until: Timestamp,
    },
    /// The node was heard of: its claim holds longer.
    Renew {
        /// The lease.
        fence: i64,
        /// Until when.
        until: Timestamp,
    },
    /// The node started the program.
    Started {
        /// The lease.
        fence: i64,
        /// When.
        at: Timestamp,
    },
    /// The node reports the end of the attempt.
    Ended {
        /// The lease.
        fence: i64,
        /// When the program started, if it did.
        started_at: Option<Timestamp>,
        /// How it ended.
        outcome: Outcome,
    },
    /// The holder was not heard of until its lease lapsed.
    LeaseLapsed {
        /// The lease.
        fence: i64,
    },
    /// Its node is gone for good: it was removed.
    NodeGone,
    /// A person consents to it.
    Approved,
    /// A person does not consent to it, or nobody did in time.
    Denied {
        /// In a sentence.
        why: String,
    },
    /// A person asks for it to stop.
    Cancel,
    /// The deadline has come. Not for a parent: its children have the same one.
    DeadlinePassed,
    /// The pause before the next attempt is over.
    RetryDue,
    /// A parent: all children are over.
    ChildrenDone {
        /// Children that succeeded.
        succeeded: u32,
        /// Children that did not.
        failed: u32,
        /// Whether all that failed were cancelled.
        cancelled: bool,
    },
    /// A run that is over was submitted anew: it is no dead letter any more.
    Replayed,
    /// An orchestrator carries it on.
    Take {
        /// Which.
        holder: OrchestratorId,
        /// Until when the claim holds unless it is renewed.
        until: Timestamp,
    },
    /// There is nothing to do before somebody answers, or another run is over.
    Paused {
        /// The lease.
        fence: i64,
        /// Where it stands meanwhile; `Running` where it waits for another run.
        state: RunState,
    },
    /// What it waited for is there.
    Woken,
    /// The orchestrator that carried it on has ended.
    HolderGone {
        /// The lease.
        fence: i64,
    },
}

impl Event {
    /// Whether it happens to a run with children: everything else happens to these.
    const fn is_of_parents(&self) -> bool {
        matches!(
            self,
            Self::Approved | Self::Denied { .. } | Self::Cancel | Self::ChildrenDone { .. }
        )
    }

    /// The name in audit records.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Lease { .. } => "run.leased",
            Self::Renew { .. } => "run.lease_renewed",
            Self::Started { .. } => "run.started",
            Self::Ended { .. } => "run.ended",
            Self::LeaseLapsed { .. } => "run.lease_lapsed",
            Self::NodeGone => "run.node_gone",
            Self::Approved => "run.approved",
            Self::Denied { .. } => "run.denied",
            Self::Cancel => "run.cancel",
            Self::DeadlinePassed => "run.deadline_passed",
            Self::RetryDue => "run.retry_due",
            Self::ChildrenDone { .. } => "run.children_done",
            Self::Replayed => "run.replayed",
            Self::Take { .. } => "run.taken",
            Self::Paused { .. } => "run.paused",
            Self::Woken => "run.woken",
            Self::HolderGone { .. } => "run.holder_gone",
        }
    }
}

/// What must follow once the new state is durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Offer it to its node under the new lease.
    Offer(NodeId),
    /// Tell the node to stop it.
    Stop(NodeId),
    /// Somebody may take it.
    Queue,
    /// The parent may be done.
    SettleParent(RunId),
    /// Its children must stop as well.
    StopChildren,
    /// Tell the orchestrator that carries it on to stop.
    Halt,
}

/// The next run and what must follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transition {
    /// The run with its new state and version.
    pub run: Run,
    /// What must follow.
    pub effects: Vec<Effect>,
}

/// Why an event does not apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The run is over.
    #[error("the run is over")]
    Over,
    /// The writer's lease is not the current one.
    #[error("the lease is not the current one")]
    StaleFence,
    /// The event makes no sense in this state.
    #[error("the run's state does not allow this")]
    State,
    /// A stop was already asked for.
    #[error("the run was already asked to stop")]
    AlreadyAsked,
    /// Its time has not come.
    #[error("it is too early")]
    TooEarly,
}

/// Applies `event` to `run` at `now`. Pure: the caller makes the result durable, then follows the effects.
pub fn apply(run: &Run, event: &Event, now: Timestamp) -> Result<Transition, Refusal> {
    let mut next = run.clone();
    next.version += 1;
    if run.state.is_terminal() {
        // Nothing that has happened changes: only the mark that somebody should look at it goes.
        let replayed = *event == Event::Replayed && run.state != RunState::Succeeded;
        next.dead_letter = false;
        return if replayed {
            Ok(Transition { run: next, effects: vec![] })
        } else {
            Err(Refusal::Over)
        };
    }
    if let super::Target::Here {} = run.target {
        let effects = here::apply(&mut next, event, now)?;
        return Ok(Transition { run: next, effects });
    }
    let parent = matches!(run.target, super::Target::AllOf { .. });
    if parent && !event.is_of_parents() {
        return Err(Refusal::State);
    }
    let effects = match event {
        Event::Lease { node, until } => lease(&mut next, *node, *until, now)?,
        Event::Renew { fence, until } => {
            held(run, *fence)?;
            next.lease_until = Some(*until);
            vec![]
        }
        Event::Started { fence, at } => {
            held(run, *fence)?;
            if run.state != RunState::Leased {
                return Err(Refusal::State);
            }
            next.state = RunState::Running;
            next.started_at = run.started_at.or(Some(*at));
            vec![]
        }
        Event::Ended { fence, started_at, outcome } => {
            held(run, *fence)?;
            next.started_at = run.started_at.or(*started_at);
            ended(&mut next, outcome.clone(), now)
        }
        Event::LeaseLapsed { fence } => {
            held(run, *fence)?;
            if run.lease_until.is_some_and(|until| now < until) {
                return Err(Refusal::TooEarly);
            }
            ended(&mut next, lost("the node was not heard of until the run's lease lapsed"), now)
        }
        Event::NodeGone => node_gone(&mut next, now),
        Event::Approved => approved(&mut next, parent)?,
        Event::Denied { .. } if run.state != RunState::AwaitingApproval => {
            return Err(Refusal::State);
        }
        Event::Denied { why } => stopped(&mut next, why, now)?,
        Event::Cancel => stopped(&mut next, "cancelled before it began", now)?,
        Event::DeadlinePassed => {
            if run.deadline.is_none_or(|deadline| now < deadline) {
                return Err(Refusal::TooEarly);
            }
            deadline_passed(&mut next, now)
        }
        Event::RetryDue => due(&mut next, now)?,
        Event::ChildrenDone { succeeded, failed, cancelled } => {
            children_done(&mut next, *succeeded, *failed, *cancelled, now)?
        }
        _ => return Err(Refusal::State),
    };
    Ok(Transition { run: next, effects })
}

fn lost(message: &str) -> Outcome {
    Outcome::without_process(End::Interrupted, message)
}

/// Whether the writer with `fence` holds the run.
fn held(run: &Run, fence: i64) -> Result<(), Refusal> {
    match run.state {
        RunState::Leased | RunState::Running if run.node.is_some() => {
            if run.fence == fence {
                Ok(())
            } else {
                Err(Refusal::StaleFence)
            }
        }
        // A parent has no holder, and a queued run's former holder has lost it.
        _ => Err(Refusal::StaleFence),
    }
}

fn lease(
    next: &mut Run,
    node: NodeId,
    until: Timestamp,
    now: Timestamp,
) -> Result<Vec<Effect>, Refusal> {
    if next.state != RunState::Queued {
        return Err(Refusal::State);
    }
    if next.not_before.is_some_and(|at| now < at) {
        return Err(Refusal::TooEarly);
    }
    next.state = RunState::Leased;
    next.node = Some(node);
    next.fence += 1;
    next.attempt += 1;
    next.lease_until = Some(until);
    Ok(vec![Effect::Offer(node)])
}

/// Takes the run to `state` for good.
pub(super) fn finish(
    next: &mut Run,
    state: RunState,
    outcome: Outcome,
    dead: bool,
    now: Timestamp,
) -> Vec<Effect> {
    next.state = state;
    next.outcome = Some(outcome);
    next.dead_letter = dead;
    next.lease_until = None;
    next.not_before = None;
    next.finished_at = Some(now);
    next.parent.map(Effect::SettleParent).into_iter().collect()
}

/// Whether another attempt may be made after `end`.
fn may_retry(run: &Run, end: &End) -> bool {
    if run.cancel_requested_at.is_some() || run.attempt >= run.retry.attempts_max {
        return false;
    }
    match end {
        // SECURITY: what it did is unknown, so only a declared-harmless command is ever repeated.
        End::Interrupted => run.idempotent,
        End::Exited { .. } | End::Signalled { .. } | End::Limit { .. } | End::NotStarted => true,
        End::Refused { code } => code == "busy",
        End::Cancelled
        | End::DeadlinePassed
        | End::Children { .. }
        | End::Answered
        | End::NoAnswer { .. } => false,
    }
}

fn ended(next: &mut Run, mut outcome: Outcome, now: Timestamp) -> Vec<Effect> {
    let cancelling = next.cancel_requested_at.is_some();
    let past_deadline = next.deadline.is_some_and(|deadline| now >= deadline);
    // The node takes what is left until the deadline for the time that the program may take.
    if past_deadline && matches!(&outcome.end, End::Limit { limit } if limit == "wall") {
        outcome.end = End::DeadlinePassed;
        outcome.message = Some("the deadline passed while it ran, and it was stopped".to_owned());
    }
    if outcome.end == (End::Exited { code: 0 }) {
        return finish(next, RunState::Succeeded, outcome, false, now);
    }
    // A node that was full has not begun the attempt: it does not count.
    if matches!(&outcome.end, End::Refused { code } if code == "busy") && !cancelling {
        next.attempt = next.attempt.saturating_sub(1);
        return retry(next, outcome, now);
    }
    if may_retry(next, &outcome.end) {
        return retry(next, outcome, now);
    }
    let (state, dead) = match &outcome.end {
        // A stop was asked for, and it did not happen at all.
        End::Cancelled | End::NotStarted | End::Refused { .. } if cancelling => {
            (RunState::Cancelled, false)
        }
        End::Cancelled if past_deadline => (RunState::TimedOut, true),
        End::DeadlinePassed => (RunState::TimedOut, true),
        End::Interrupted => (RunState::Interrupted, true),
        End::Limit { limit } if limit == "wall" => (RunState::TimedOut, true),
        End::Exited { .. } | End::Signalled { .. } if next.retry.attempts_max == 1 => {
            (RunState::Failed, false)
        }
        _ => (RunState::Failed, true),
    };
    finish(next, state, outcome, dead, now)
}

fn retry(next: &mut Run, outcome: Outcome, now: Timestamp) -> Vec<Effect> {
    next.state = RunState::Retrying;
    let pause = next.retry.backoff(next.attempt.max(1)).max(BACKOFF_MIN);
    next.not_before = Some(now.plus(pause));
    next.outcome = Some(outcome);
    next.lease_until = None;
    vec![]
}

fn node_gone(next: &mut Run, now: Timestamp) -> Vec<Effect> {
    match next.state {
        RunState::Leased | RunState::Running => {
            ended(next, lost("the node was removed while it held the run"), now)
        }
        _ => {
            let message = match next.target {
                super::Target::Node { .. } => "the node was removed before the run began",
                _ => "every node that could take the run was removed before it began",
            };
            let outcome = Outcome::without_process(End::NotStarted, message);
            finish(next, RunState::Failed, outcome, true, now)
        }
    }
}

fn due(next: &mut Run, now: Timestamp) -> Result<Vec<Effect>, Refusal> {
    if next.state != RunState::Retrying {
        return Err(Refusal::State);
    }
    if next.not_before.is_some_and(|at| now < at) {
        return Err(Refusal::TooEarly);
    }
    next.state = RunState::Queued;
    next.not_before = None;
    Ok(vec![Effect::Queue])
}

fn approved(next: &mut Run, parent: bool) -> Result<Vec<Effect>, Refusal> {
    if next.state != RunState::AwaitingApproval || next.cancel_requested_at.is_some() {
        return Err(Refusal::State);
    }
    next.state = if parent { RunState::Running } else { RunState::Queued };
    Ok(if parent { vec![] } else { vec![Effect::Queue] })
}

/// Asked to stop; `why` is what is said of it where it has not begun.
fn stopped(next: &mut Run, why: &str, now: Timestamp) -> Result<Vec<Effect>, Refusal> {
    if next.cancel_requested_at.is_some() {
        return Err(Refusal::AlreadyAsked);
    }
    next.cancel_requested_at = Some(now);
    if matches!(next.target, super::Target::AllOf { .. }) {
        return Ok(vec![Effect::StopChildren]);
    }
    Ok(match (next.state, next.node) {
        (RunState::Leased | RunState::Running, Some(node)) => vec![Effect::Stop(node)],
        _ => {
            let outcome = Outcome::without_process(End::Cancelled, why);
            finish(next, RunState::Cancelled, outcome, false, now)
        }
    })
}

fn deadline_passed(next: &mut Run, now: Timestamp) -> Vec<Effect> {
    let held_by = match next.state {
        RunState::Leased | RunState::Running => next.node,
        _ => None,
    };
    let message = match (held_by, next.state) {
        (Some(_), _) => {
            "the deadline passed while the node held the run; the node was told to stop it"
        }
        (None, RunState::AwaitingApproval) => "the deadline passed before anybody approved the run",
        (None, _) => "the deadline passed before a node could take the run",
    };
    // The node may be away and must not keep the run open: its later report meets a closed run.
    let outcome = Outcome::without_process(End::DeadlinePassed, message);
    let mut effects = finish(next, RunState::TimedOut, outcome, true, now);
    effects.extend(held_by.map(Effect::Stop));
    effects
}

fn children_done(
    next: &mut Run,
    succeeded: u32,
    failed: u32,
    cancelled: bool,
    now: Timestamp,
) -> Result<Vec<Effect>, Refusal> {
    if !matches!(next.target, super::Target::AllOf { .. }) {
        return Err(Refusal::State);
    }
    let end = End::Children { succeeded, failed };
    let outcome = Outcome { end, message: None, cpu_ms: 0, memory_peak_bytes: 0, output_bytes: 0 };
    let state = match (failed, cancelled) {
        (0, _) => RunState::Succeeded,
        (_, true) => RunState::Cancelled,
        (_, false) => RunState::Failed,
    };
    Ok(finish(next, state, outcome, false, now))
}

#[cfg(test)]
#[path = "machine_tests.rs"]
mod tests;
