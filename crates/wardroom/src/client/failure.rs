//! What a client command ends with: a documented exit code, what happened, what to do.

use std::process::ExitCode;
use wardroom_wire::error::Problem;

/// The exit codes, as `--help` lists them.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0    done; with --follow and `runs wait`: the run succeeded
  1    the run did not succeed, or a verification found something
  2    the command line or a given file or value is not acceptable
  3    not signed in, or not allowed
  4    no such thing, or none that you may see
  5    the orchestrator can't be reached, or something took too long
  6    it changed meanwhile, or its state does not allow this
  7    anything else that went wrong
  130  left by Ctrl-C";

/// Why a command ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done.
    Ok = 0,
    /// The run did not succeed, or a verification found something.
    Found = 1,
    /// What was asked for is not acceptable.
    Usage = 2,
    /// Not signed in, or not allowed.
    Denied = 3,
    /// No such thing.
    NotFound = 4,
    /// Nobody answers, or not in time.
    Unreachable = 5,
    /// Its state does not allow this.
    Conflict = 6,
    /// Anything else.
    Other = 7,
    /// Ctrl-C.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// A command that did not do what was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// The exit code.
    pub(crate) exit: Exit,
    /// What happened, in one sentence.
    pub(crate) what: String,
    /// What it means and what to do, a line each.
    pub(crate) further: Vec<String>,
    /// Nobody is there to read it.
    pub(crate) silent: bool,
    /// The approval that it waits for.
    pub(crate) approval: Option<String>,
}

impl Failure {
    /// A failure without further advice.
    pub(crate) fn new(exit: Exit, what: impl Into<String>) -> Self {
        Self { exit, what: what.into(), further: vec![], silent: false, approval: None }
    }

    /// Something given is not acceptable.
    pub(crate) fn usage(what: impl Into<String>) -> Self {
        Self::new(Exit::Usage, what)
    }

    /// Something on this machine went wrong.
    pub(crate) fn local(what: impl Into<String>) -> Self {
        Self::new(Exit::Other, what)
    }

    /// Adds what to do.
    #[must_use]
    pub(crate) fn advice(mut self, line: impl Into<String>) -> Self {
        self.further.push(line.into());
        self
    }

    /// What the orchestrator refused.
    pub(crate) fn problem(problem: &Problem) -> Self {
        let exit = exit_of(problem);
        let mut failure =
            Self::new(exit, problem.detail.as_ref().unwrap_or(&problem.title).clone());
        failure.approval.clone_from(&problem.approval);
        for field in &problem.fields {
            failure = failure.advice(format!("{}: {}", field.field, field.reason));
        }
        match problem.code.as_str() {
            "unauthenticated" => {
                failure = failure.advice("The token is missing, has expired or was revoked: `wardroom login` makes a new one.");
            }
            "password_change_required" => {
                failure = failure.advice("Set it with `wardroom account password`.");
            }
            "second_factor_setup_required" => {
                failure = failure.advice("Set it up with `wardroom account totp`.");
            }
            "wrong_host" => {
                failure =
                    failure.advice("Use a --server name that the orchestrator was told it has.");
            }
            "internal" => {
                failure = failure.advice(
                    "Operators find the cause in the orchestrator's log under the request's id.",
                );
            }
            _ => {}
        }
        failure.advice(format!("({}, request {})", problem.code, problem.request_id))
    }
}

impl std::fmt::Display for Failure {
    /// What happened, then what to do, a line each.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.what)?;
        self.further.iter().try_for_each(|line| write!(f, "\n  {line}"))
    }
}

impl std::error::Error for Failure {}

/// The exit code of a problem.
fn exit_of(problem: &Problem) -> Exit {
    match (problem.code.as_str(), problem.status) {
        ("timed_out", _) | (_, 408 | 504) => Exit::Unreachable,
        ("tool_failed" | "model_failed" | "authorization_failed", _) => Exit::Found,
        ("model_refused" | "context_too_long", _) => Exit::Usage,
        ("budget_spent", _) => Exit::Conflict,
        ("no_node" | "unknown_command", _) | (_, 404) => Exit::NotFound,
        (_, 401 | 403) => Exit::Denied,
        (_, 409 | 412) => Exit::Conflict,
        (_, 400 | 413 | 414 | 415 | 422 | 428) => Exit::Usage,
        _ => Exit::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wardroom_wire::error::{ErrorCode, FieldProblem};

    fn problem(code: ErrorCode) -> Problem {
        Problem {
            kind: format!("/docs/errors/{}", code.as_str()),
            title: code.title().to_owned(),
            status: code.status(),
            code: code.as_str().to_owned(),
            detail: None,
            request_id: "req_1".to_owned(),
            fields: vec![FieldProblem { field: "count".into(), reason: "must be 1 to 9".into() }],
            approval: None,
        }
    }

    #[test]
    fn every_error_code_has_its_exit_code() {
        let exits: Vec<String> = ErrorCode::ALL
            .iter()
            .map(|code| {
                format!("{} {}", code.as_str(), Failure::problem(&problem(*code)).exit as u8)
            })
            .collect();
        assert_eq!(
            exits,
            [
                "bad_request 2",
                "invalid_field 2",
                "invalid_parameter 2",
                "node_disabled 6",
                "unauthenticated 3",
                "sign_in_failed 3",
                "forbidden 3",
                "second_factor_required 3",
                "password_change_required 3",
                "second_factor_setup_required 3",
                "fresh_proof_required 3",
                "proof_refused 3",
                "link_refused 3",
                "last_administrator 6",
                "policy_locks_out 6",
                "account_state 6",
                "cross_site 3",
                "wrong_host 7",
                "not_found 4",
                "method_not_allowed 7",
                "conflict 6",
                "idempotency_mismatch 6",
                "name_taken 6",
                "request_state 6",
                "not_ordered 6",
                "limit_reached 6",
                "run_state 6",
                "approval_state 6",
                "approval_required 6",
                "precondition_failed 6",
                "precondition_required 2",
                "too_large 2",
                "unsupported_media_type 2",
                "no_node 4",
                "unknown_command 4",
                "join_token_refused 3",
                "node_refused 3",
                "blocked 3",
                "filtered 3",
                "too_many_requests 7",
                "busy 7",
                "timed_out 5",
                "tool_failed 1",
                "model_failed 1",
                "model_busy 7",
                "model_unavailable 7",
                "model_refused 2",
                "context_too_long 2",
                "budget_spent 6",
                "authorization_failed 1",
                "store_unavailable 7",
                "internal 7",
            ]
        );
    }

    #[test]
    fn a_problem_tells_its_fields_and_its_request() {
        let failure = Failure::problem(&problem(ErrorCode::InvalidParameter));
        assert_eq!(failure.what, "A parameter is not acceptable");
        assert_eq!(
            failure.further,
            ["count: must be 1 to 9", "(invalid_parameter, request req_1)"]
        );
    }
}
