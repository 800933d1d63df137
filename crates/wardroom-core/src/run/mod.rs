//! Runs: one durable execution of a command or an agent for one principal, as a pure state machine.

mod here;
mod machine;
mod work;

pub use machine::{Effect, Event, Refusal, Transition, apply};
pub use work::{AgentWork, Authority, Within};

use crate::{
    CustomerId, NodeId, OrchestratorId, RunId, ServiceRequestId, Timestamp, UserId, node::Selector,
};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr, time::Duration};

/// The most attempts that a retry policy may ask for.
pub const ATTEMPTS_MAX: u32 = 10;
/// The longest pause between attempts.
pub const BACKOFF_MAX: Duration = Duration::from_secs(3600);
/// The shortest, whatever a retry policy says: a node that is full is not asked in a tight loop.
pub const BACKOFF_MIN: Duration = Duration::from_millis(250);
/// Priorities go from 0 to this; a higher one goes first.
pub const PRIORITY_MAX: u8 = 9;
/// The priority where none is asked for.
pub const PRIORITY_DEFAULT: u8 = 4;
/// The longest idempotency key, in bytes.
pub const IDEMPOTENCY_KEY_BYTES_MAX: usize = 128;
/// How long a node that holds a run may be away before the run's outcome counts as unknown.
pub const LEASE: Duration = Duration::from_secs(120);
/// How long an orchestrator that carries a run on may not be heard of before another one does.
pub const LEASE_HERE: Duration = Duration::from_secs(30);
/// How long a run waits for a person or another run.
pub const WAIT_MAX: Duration = Duration::from_secs(7 * 86_400);

/// One execution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// The run.
    pub id: RunId,
    /// Counts changes; an update names the version that it was made from.
    pub version: i64,
    /// For whom it runs.
    pub submitted_by: UserId,
    /// The command's name, or the agent's.
    pub command: String,
    /// What it is about, where it is an agent's.
    pub work: Option<AgentWork>,
    /// Digest of the command's definition that the submitter saw; empty for a parent.
    pub command_digest: String,
    /// The values, sealed under the key ring or the customer's key; opened only to hand them to the node or to somebody
    /// who may read the run.
    pub parameters_sealed: Vec<u8>,
    /// Digest of the values, see [`crate::digest::parameters_digest`].
    pub parameters_digest: String,
    /// Where it should run.
    pub target: Target,
    /// The node that has it or had it last.
    pub node: Option<NodeId>,
    /// The orchestrator that carries it on.
    pub holder: Option<OrchestratorId>,
    /// The run that this one is a part of.
    pub parent: Option<RunId>,
    /// The dead run that this one repeats.
    pub replay_of: Option<RunId>,
    /// The service request that it is for.
    pub request: Option<ServiceRequestId>,
    /// The customer whose request that is.
    pub customer: Option<CustomerId>,
    /// Where it stands.
    pub state: RunState,
    /// Counts leases; every write of a holder names the one that it was given.
    pub fence: i64,
    /// Attempts begun.
    pub attempt: u32,
    /// How often to try.
    pub retry: RetryPolicy,
    /// 0 to [`PRIORITY_MAX`].
    pub priority: u8,
    /// Whether the command may be repeated without harm, as its node declares.
    pub idempotent: bool,
    /// The submitter's own name for this request.
    pub idempotency_key: Option<String>,
    /// SHA-256 over the request that carried the key, hexadecimal.
    pub request_digest: String,
    /// When it must be over.
    pub deadline: Option<Timestamp>,
    /// Not to be leased before.
    pub not_before: Option<Timestamp>,
    /// When the holder's claim lapses if it is not heard of.
    pub lease_until: Option<Timestamp>,
    /// Since when it waits for a person or another run.
    pub waits_since: Option<Timestamp>,
    /// When somebody asked for it to stop.
    pub cancel_requested_at: Option<Timestamp>,
    /// When it was submitted.
    pub queued_at: Timestamp,
    /// When its program first started.
    pub started_at: Option<Timestamp>,
    /// When it reached its terminal state.
    pub finished_at: Option<Timestamp>,
    /// How its last attempt ended.
    pub outcome: Option<Outcome>,
    /// It ended without success in a way that somebody should look at.
    pub dead_letter: bool,
}

impl Run {
    /// A run that waits for its turn, with nothing that a submitter may leave out.
    pub fn queued(
        id: RunId,
        submitted_by: UserId,
        command: impl Into<String>,
        target: Target,
        at: Timestamp,
    ) -> Self {
        Self {
            id,
            version: 1,
            submitted_by,
            command: command.into(),
            work: None,
            command_digest: String::new(),
            parameters_sealed: vec![],
            parameters_digest: String::new(),
            target,
            node: None,
            holder: None,
            parent: None,
            replay_of: None,
            request: None,
            customer: None,
            state: RunState::Queued,
            fence: 0,
            attempt: 0,
            retry: RetryPolicy::default(),
            priority: PRIORITY_DEFAULT,
            idempotent: false,
            idempotency_key: None,
            request_digest: String::new(),
            deadline: None,
            not_before: None,
            lease_until: None,
            waits_since: None,
            cancel_requested_at: None,
            queued_at: at,
            started_at: None,
            finished_at: None,
            outcome: None,
            dead_letter: false,
        }
    }
}

/// Where a run should go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "to", rename_all = "snake_case", deny_unknown_fields)]
pub enum Target {
    /// This node and no other.
    Node {
        /// The node.
        node: NodeId,
    },
    /// Any one of the nodes that the selector matched, see [`Candidate`].
    OneOf {
        /// The selector.
        labels: Selector,
    },
    /// Every node that the selector matches now: a parent run with a child per node.
    AllOf {
        /// The selector.
        labels: Selector,
    },
    /// Nowhere: the orchestrator itself carries it on.
    Here {},
}

/// A node that may take a run of which any one of several is to run it: one on which policy allowed
/// the command when the run was submitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The node.
    pub node: NodeId,
    /// Digest of the command's definition there, as the submitter saw it.
    pub command_digest: String,
    /// Whether it may be repeated without harm, as that node declares.
    pub idempotent: bool,
}

/// How often to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetryPolicy {
    /// Attempts in all, 1 to [`ATTEMPTS_MAX`].
    pub attempts_max: u32,
    /// Pause before the second attempt, in milliseconds; doubles with each further one.
    pub backoff_ms: u64,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { attempts_max: 1, backoff_ms: 1000 }
    }
}

impl RetryPolicy {
    /// The pause after `attempt` attempts.
    pub fn backoff(&self, attempt: u32) -> Duration {
        let factor = 1_u64 << attempt.saturating_sub(1).min(20);
        Duration::from_millis(self.backoff_ms.saturating_mul(factor)).min(BACKOFF_MAX)
    }
}

macro_rules! states {
    ($($(#[$doc:meta])* $variant:ident = $text:literal),+ $(,)?) => {
        /// Where a run stands.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum RunState { $($(#[$doc])* $variant),+ }

        impl RunState {
            /// Every state.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];
            /// The name in the store and on the wire.
            pub const fn as_str(self) -> &'static str { match self { $(Self::$variant => $text),+ } }
        }
    };
}

states! {
    /// Waits for a person's consent.
    AwaitingApproval = "awaiting_approval",
    /// Waits for a person's answer.
    AwaitingInput = "awaiting_input",
    /// Waits for a node.
    Queued = "queued",
    /// Given to a node, which has not said yet that the program started.
    Leased = "leased",
    /// The program runs; for a parent, children are not all over.
    Running = "running",
    /// Waits for its next attempt.
    Retrying = "retrying",
    /// Ended with exit code 0; for a parent, all children did.
    Succeeded = "succeeded",
    /// Ended otherwise by itself, or was refused.
    Failed = "failed",
    /// Stopped because somebody asked.
    Cancelled = "cancelled",
    /// Stopped at its deadline or time limit.
    TimedOut = "timed_out",
    /// Its node was lost and what the command did is unknown.
    Interrupted = "interrupted",
}

impl RunState {
    /// Whether nothing more can happen to the run.
    pub const fn is_terminal(self) -> bool {
        matches!(
            self,
            Self::Succeeded | Self::Failed | Self::Cancelled | Self::TimedOut | Self::Interrupted
        )
    }
}

impl fmt::Display for RunState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that names no state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no run state has the name {0:?}")]
pub struct RunStateError(pub String);

impl FromStr for RunState {
    type Err = RunStateError;
    fn from_str(text: &str) -> Result<Self, RunStateError> {
        Self::ALL
            .iter()
            .copied()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| RunStateError(text.to_owned()))
    }
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// How.
    pub end: End,
    /// For people.
    pub message: Option<String>,
    /// Processor time used, in milliseconds.
    pub cpu_ms: u64,
    /// Most memory that was resident, in bytes.
    pub memory_peak_bytes: u64,
    /// Output bytes.
    pub output_bytes: u64,
}

impl Outcome {
    /// An outcome that no process took part in.
    pub fn without_process(end: End, message: impl Into<String>) -> Self {
        Self {
            end,
            message: Some(message.into()),
            cpu_ms: 0,
            memory_peak_bytes: 0,
            output_bytes: 0,
        }
    }
}

/// The ways an attempt ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum End {
    /// The agent gave its answer.
    Answered,
    /// No model answered the agent.
    NoAnswer {
        /// Why, as [`crate::model::ModelFailureKind`] names it.
        failure: String,
    },
    /// The program ended by itself.
    Exited {
        /// Its exit code.
        code: i32,
    },
    /// A signal ended the program.
    Signalled {
        /// The signal's number.
        signal: i32,
    },
    /// A limit ended it.
    Limit {
        /// Which: `wall`, `cpu`, `memory`, `output`; an agent's as [`crate::steps::Limit`] names them.
        limit: String,
    },
    /// Somebody stopped it.
    Cancelled,
    /// It could not be started.
    NotStarted,
    /// The node refused it, or the model would not say it.
    Refused {
        /// The node's code, `model` for a model.
        code: String,
    },
    /// What it did is unknown.
    Interrupted,
    /// The deadline passed.
    DeadlinePassed,
    /// A parent: how its children ended.
    Children {
        /// Children that succeeded.
        succeeded: u32,
        /// Children that did not.
        failed: u32,
    },
}

/// A piece of output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputChunk {
    /// The attempt that printed it.
    pub fence: i64,
    /// Counts from 0 within an attempt, over both streams.
    pub seq: u32,
    /// Standard error rather than standard output.
    pub stderr: bool,
    /// The bytes; in the store those of a customer's run are sealed under the customer's key.
    pub bytes: Vec<u8>,
}
