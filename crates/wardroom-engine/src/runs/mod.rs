//! What people do with runs: submit, cancel, replay.

mod cancel;
mod replay;
mod settle;
mod submit;
mod values;

pub use submit::{Asked, FANOUT_MAX, Submission};
pub(crate) use submit::{check_key, lease_record};
pub(crate) use values::SEAL_PARAMETERS;
pub use values::Values;

use std::collections::BTreeMap;
use wardroom_core::{
    audit::{AuditDraft, AuditOutcome},
    run::{End, Outcome, Run},
};

/// In one sentence, how an attempt ended.
pub fn sentence(outcome: &Outcome) -> String {
    if let Some(message) = &outcome.message {
        return message.clone();
    }
    match &outcome.end {
        End::Answered => "the agent answered".to_owned(),
        End::NoAnswer { failure } => format!("no model answered: {failure}"),
        End::Exited { code: 0 } => "the command succeeded".to_owned(),
        End::Exited { code } => format!("the command ended with exit code {code}"),
        End::Signalled { signal } => format!("signal {signal} ended the command"),
        End::Limit { limit } => format!("the command reached its {limit} limit and was stopped"),
        End::Cancelled => "the command was stopped because somebody cancelled the run".to_owned(),
        End::NotStarted => "the command could not be started".to_owned(),
        End::Refused { code } => format!("the node refused the command: {code}"),
        End::Interrupted => {
            "the node went down while it ran; what the command did is unknown".to_owned()
        }
        End::DeadlinePassed => "the deadline passed".to_owned(),
        End::Children { succeeded, failed } => {
            format!("{succeeded} of {} nodes succeeded", succeeded + failed)
        }
    }
}

/// Adds to a record which named secrets are used, by the parameters that they are for.
pub(crate) fn name_secrets(audit: AuditDraft, named: &BTreeMap<String, String>) -> AuditDraft {
    if named.is_empty() {
        return audit;
    }
    let named: Vec<String> =
        named.iter().map(|(parameter, name)| format!("{parameter}={name}")).collect();
    audit.detail("secrets", named.join(" "))
}

/// Adds to a record what became of the run.
pub(crate) fn describe(draft: AuditDraft, run: &Run) -> AuditDraft {
    let mut draft = draft.on(run.id).detail("state", run.state).detail("command", &run.command);
    if let Some(node) = run.node {
        draft = draft.detail("node", node);
    }
    if run.work.is_some() {
        draft = draft.detail("agent", &run.command);
    }
    if let Some(End::Limit { limit }) = run.outcome.as_ref().map(|outcome| &outcome.end) {
        draft = draft.detail("limit", limit);
    }
    if run.fence > 0 {
        draft = draft.detail("fence", run.fence);
    }
    if let (true, Some(outcome)) = (run.state.is_terminal(), &run.outcome) {
        let came_out = match (&outcome.end, run.state) {
            (End::Refused { .. }, _) => AuditOutcome::Refused,
            (_, wardroom_core::run::RunState::Succeeded) => AuditOutcome::Done,
            (_, wardroom_core::run::RunState::Cancelled) => AuditOutcome::Done,
            _ => AuditOutcome::Failed,
        };
        draft = draft.outcome(came_out, sentence(outcome));
    }
    draft
}
