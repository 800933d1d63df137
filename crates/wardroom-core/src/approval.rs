//! A person's consent to one exact thing that somebody else is about to do: asked for by policy, good once.

use crate::{
    Action, ApprovalId, Door, OauthClientId, RunId, Timestamp, ToolServerId, UserId,
    audit::AuditDraft,
    named::named,
    person::BlindIndex,
    store::{StoreError, StoreResult},
};
use async_trait::async_trait;
use serde_json::value::RawValue;
use std::time::Duration;
use uuid::Uuid;

/// The longest that a decision's reason may be, in characters.
pub const REASON_CHARS_MAX: usize = 500;
/// The most approvals of one account that wait for a decision.
pub const WAITING_PER_USER_MAX: u32 = 100;

named! {
    /// Where an approval stands.
    ApprovalState = "waiting, approved, denied, used, expired" {
        /// Nobody has decided.
        Waiting = "waiting",
        /// It may be done, once.
        Approved = "approved",
        /// It may not be done.
        Denied = "denied",
        /// It was done.
        Used = "used",
        /// Nobody decided in time, or what was approved was not done in time.
        Expired = "expired",
    }
}

/// What policy wants before something is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The policies that want it.
    pub policies: Vec<String>,
    /// The version of the policy.
    pub version: String,
    /// The program of others that acts in the asker's name.
    pub client: Option<OauthClientId>,
    /// By which way in.
    pub door: Door,
    /// The account under whose rights it is done, where that is another one: a service's author.
    pub author: Option<UserId>,
    /// The agent's run that acts in the asker's name. Consent that one was given is no other's, and not the person's own.
    pub agent_run: Option<RunId>,
}

/// What a person decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Whether it may be done.
    pub approved: bool,
    /// Who.
    pub by: UserId,
    /// When.
    pub at: Timestamp,
    /// Why, sealed under the key of who asked; empty where nothing was said.
    pub reason: Vec<u8>,
    /// The receipt: a note that the orchestrator signed.
    pub receipt: String,
}

/// What an approval was used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Use {
    /// The call or run.
    pub by: Uuid,
    /// When.
    pub at: Timestamp,
}

/// A consent that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// Its id.
    pub id: ApprovalId,
    /// What is about to be done.
    pub action: Action,
    /// To what: a tool as `server/name`, or a command by its name.
    pub target: String,
    /// The run that waits for it.
    pub run: Option<RunId>,
    /// In whose name.
    pub user: UserId,
    /// The program of others that acts in that name.
    pub client: Option<OauthClientId>,
    /// The account under whose rights it is done, where that is another one: a service's author.
    pub author: Option<UserId>,
    /// The agent's run that asks.
    pub agent_run: Option<RunId>,
    /// By which way in.
    pub door: Door,
    /// Tells the very same request from all others: who, by which program, what, and with which arguments.
    pub binding: BlindIndex,
    /// The arguments, sealed under the key of who asked; empty where the run has them.
    pub arguments: Vec<u8>,
    /// SHA-256 over a random salt and the arguments.
    pub arguments_digest: String,
    /// The policies that want it.
    pub policies: Vec<String>,
    /// The version of the policy. With another one the approval is worth nothing.
    pub policy_version: String,
    /// When it was asked for.
    pub asked_at: Timestamp,
    /// Until when it can be decided and used.
    pub expires_at: Timestamp,
    /// What a person decided.
    pub verdict: Option<Verdict>,
    /// What it was used for.
    pub used: Option<Use>,
}

impl Approval {
    /// Where it stands.
    pub fn state(&self, now: Timestamp) -> ApprovalState {
        match (&self.verdict, &self.used) {
            (_, Some(_)) => ApprovalState::Used,
            (Some(verdict), None) if !verdict.approved => ApprovalState::Denied,
            _ if now >= self.expires_at => ApprovalState::Expired,
            (Some(_), None) => ApprovalState::Approved,
            (None, None) => ApprovalState::Waiting,
        }
    }
}

/// One write to approvals.
#[derive(Debug, Clone)]
pub enum ApprovalWrite {
    /// Consent is asked for.
    Ask(Box<Approval>),
    /// A person decided: fails where it was decided before, or its time is over.
    Decide {
        /// Which.
        id: ApprovalId,
        /// What.
        verdict: Verdict,
    },
    /// It is used: fails unless it was approved, was not used before, and its time is not over.
    Use {
        /// Which.
        id: ApprovalId,
        /// For what.
        used: Use,
    },
    /// Whoever asked does not want it any more. Nothing happens where it was used.
    Withdraw {
        /// Which.
        id: ApprovalId,
        /// When.
        at: Timestamp,
    },
    /// What nobody waits for any more, because its run is over, can't be decided any more either.
    WithdrawOfEnded(Timestamp),
    /// The parts of a run that wait with it may begin.
    QueueParts(RunId),
    /// Those that were asked for before this time are forgotten, but for those whose time is not over.
    Forget(Timestamp),
}

/// A call for which consent is asked.
#[derive(Debug, Clone)]
pub struct CallAsked<'a> {
    /// In whose name.
    pub user: UserId,
    /// What policy wants.
    pub wanted: &'a Wanted,
    /// The tool, as `server/name`.
    pub target: &'a str,
    /// Of which server, and as it was registered: another one may have the name or the address later.
    pub server: (ToolServerId, i64),
    /// The digest of the tool's description: consent is to what it said of itself.
    pub tool: [u8; 32],
    /// The arguments, as they were written.
    pub arguments: &'a RawValue,
}

/// Why consent can't be asked for.
#[derive(Debug, thiserror::Error)]
pub enum ConsentError {
    /// Too much of this account's waits already.
    #[error(
        "{WAITING_PER_USER_MAX} things of this account wait for a person already: let some be decided first"
    )]
    TooMany,
    /// The store can't.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The arguments can't be sealed.
    #[error("the arguments can't be sealed: {0}")]
    Seal(String),
}

/// Asks people for consent.
#[async_trait]
pub trait Consents: Send + Sync {
    /// The approval of exactly this call: the one that is open, or a new one.
    async fn ask(&self, asked: &CallAsked<'_>, audit: AuditDraft)
    -> Result<Approval, ConsentError>;
    /// Waits until an approval is decided or its time is over, at most so long; where it stands then.
    async fn wait(&self, id: ApprovalId, most: Duration) -> StoreResult<Option<Approval>>;
    /// Ends one that whoever asked does not want any more.
    async fn withdraw(&self, id: ApprovalId) -> StoreResult<()>;
    /// Why it was decided so, where something was said.
    async fn reason(&self, approval: &Approval) -> Option<String>;
}
