//! The storage ports. A store keeps what a [`Change`] says and answers questions; it decides nothing.

mod agents;
mod approvals;
mod desk;
mod journal;
mod memories;
mod models;
mod oauth;
mod threads;
mod tools;
mod watch;
pub use agents::Agents;
pub use approvals::{ApprovalFilter, Approvals};
pub use desk::{Desk, RequestFilter};
pub use journal::{JOURNAL_BYTES_MAX, Journals};
pub use memories::Memories;
pub use models::{ModelCallFilter, ModelLedger};
pub use oauth::Oauth;
pub use threads::{ThreadKey, Threads};
pub use tools::{CallFilter, Tools};
pub use watch::Watch;

use crate::{
    ApiTokenId, BudgetId, CustomerId, JoinTokenId, NodeId, PersonId, Role, RunId, ServiceRequestId,
    SessionId, Timestamp, UserId,
    audit::{AuditCheckpoint, AuditEntry, AuditOutcome, merkle::Hash},
    block::Block,
    change::Change,
    identity::{
        ApiToken, Factor, JoinToken, Pass, SealedKey, SecretHash, Session, User, UserState,
    },
    node::Node,
    page::{Page, PageRequest},
    person::{BlindIndex, PersonKey},
    policy::StoredPolicy,
    run::{Candidate, OutputChunk, Run, RunState},
    sealed::{Personal, Sealed},
    secret::{NamedSecret, SecretVersion},
};
use async_trait::async_trait;
use std::ops::Range;

/// Why a store could not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The thing changed since it was read, or is not in the state that the write needs.
    #[error("{0} changed since it was read")]
    Conflict(&'static str),
    /// Something unique is there already.
    #[error("{0} is taken")]
    Duplicate(&'static str),
    /// A budget has not as much left.
    #[error("the budget {0} has not as much left")]
    Spent(BudgetId),
    /// The database can't be used now; the text says why and what to do.
    #[error("{0}")]
    Unavailable(String),
    /// Two transactions got in each other's way; the same one again comes through.
    #[error("the database gave way to another transaction: {0}. Try again")]
    Transient(String),
    /// The database is full; the text says what to do.
    #[error("{0}")]
    Full(String),
    /// What is stored makes no sense: it was altered from outside or is damaged.
    #[error("the stored {what} can't be read: {reason}")]
    Corrupt {
        /// What.
        what: &'static str,
        /// Why.
        reason: String,
    },
    /// Anything else, with the driver's words.
    #[error("the database answered: {0}")]
    Other(String),
}

/// What a store gives.
pub type StoreResult<T> = Result<T, StoreError>;

/// Commits changes.
#[async_trait]
pub trait Commit: Send + Sync {
    /// Commits `change`; when this returns `Ok`, it survives a crash.
    async fn commit(&self, change: Change) -> StoreResult<()>;
}

/// Reads accounts and what proves them.
#[async_trait]
pub trait Identities: Send + Sync {
    /// An account by its id.
    async fn lookup_user(&self, id: UserId) -> StoreResult<Option<User>>;
    /// An account by its sign-in name.
    async fn lookup_user_by_name(&self, name: BlindIndex) -> StoreResult<Option<User>>;
    /// An account by its e-mail address.
    async fn lookup_user_by_email(&self, email: BlindIndex) -> StoreResult<Option<User>>;
    /// The account that is somebody's at an issuer outside.
    async fn lookup_user_outside(&self, subject: BlindIndex) -> StoreResult<Option<User>>;
    /// Whether an account is somebody's at an issuer outside.
    async fn is_outside(&self, user: UserId) -> StoreResult<bool>;
    /// Accounts, newest first.
    async fn list_users(
        &self,
        filter: &UserFilter,
        page: PageRequest<UserId>,
    ) -> StoreResult<Page<User, UserId>>;
    /// Accounts from before names were sealed, with their names.
    async fn list_unsealed_users(&self, limit: u32) -> StoreResult<Vec<(User, String)>>;
    /// Hashes of passwords that a user had, newest first.
    async fn list_passwords(&self, user: UserId) -> StoreResult<Vec<String>>;
    /// A session, with its user, by its secret's hash. Ended ones are found as well.
    async fn lookup_session(&self, hash: SecretHash) -> StoreResult<Option<(Session, User)>>;
    /// A session, with its user, by its id. Ended ones are found as well.
    async fn lookup_session_by_id(&self, id: SessionId) -> StoreResult<Option<(Session, User)>>;
    /// The session of which `hash` was a secret before.
    async fn lookup_spent(&self, hash: SecretHash) -> StoreResult<Option<(Session, User)>>;
    /// A user's sessions that have not ended at `now`, newest first; all of them.
    async fn list_sessions(&self, user: UserId, now: Timestamp) -> StoreResult<Vec<Session>>;
    /// A token, with its user, by its secret's hash. Ended ones are found as well.
    async fn lookup_api_token(&self, hash: SecretHash) -> StoreResult<Option<(ApiToken, User)>>;
    /// A token, with its user, by its id. Ended ones are found as well.
    async fn lookup_api_token_by_id(&self, id: ApiTokenId)
    -> StoreResult<Option<(ApiToken, User)>>;
    /// A user's tokens, newest first.
    async fn list_api_tokens(
        &self,
        user: UserId,
        page: PageRequest<ApiTokenId>,
    ) -> StoreResult<Page<ApiToken, ApiTokenId>>;
    /// A single-use link, with its user, by its secret's hash. Ended ones are found until they are forgotten.
    async fn lookup_pass(&self, hash: SecretHash) -> StoreResult<Option<(Pass, User)>>;
    /// A user's second factors, oldest first; all of them.
    async fn list_factors(&self, user: UserId) -> StoreResult<Vec<Factor>>;
    /// A second factor by its handle.
    async fn lookup_factor(&self, handle: SecretHash) -> StoreResult<Option<Factor>>;
    /// Networks that are turned away, or were within a day before `now`, newest first; at most `limit`.
    async fn list_blocks(&self, now: Timestamp, limit: u32) -> StoreResult<Vec<Block>>;
    /// The newest policy.
    async fn last_policy(&self) -> StoreResult<Option<StoredPolicy>>;
    /// Policies, newest first.
    async fn list_policies(&self, page: PageRequest<i64>) -> StoreResult<Page<StoredPolicy, i64>>;
    /// Every secret, by name.
    async fn list_secrets(&self) -> StoreResult<Vec<NamedSecret>>;
    /// A secret by its name.
    async fn lookup_secret(&self, name: &str) -> StoreResult<Option<NamedSecret>>;
    /// The version of a secret that is used.
    async fn lookup_secret_version(&self, name: &str) -> StoreResult<Option<SecretVersion>>;
    /// Values that are sealed under another key of the ring than this one, with what they are; at most `limit`.
    async fn list_sealed_otherwise(
        &self,
        key: u32,
        limit: u32,
    ) -> StoreResult<Vec<(Sealed, Vec<u8>)>>;
    /// How many there are.
    async fn count_sealed_otherwise(&self, key: u32) -> StoreResult<u64>;
    /// Values that are sealed for people under a key of a generation before this one, with what they are; at most
    /// `limit` of each kind, and of files' contents few.
    async fn list_personal_before(
        &self,
        generation: u32,
        limit: u32,
    ) -> StoreResult<Vec<(Personal, Vec<u8>)>>;
    /// How many there are.
    async fn count_personal_before(&self, generation: u32) -> StoreResult<u64>;
    /// A sealed key by its name.
    async fn lookup_sealed_key(&self, name: &str) -> StoreResult<Option<SealedKey>>;
    /// All of them, by name: a dozen.
    async fn list_sealed_keys(&self) -> StoreResult<Vec<SealedKey>>;
}

/// Which accounts are wanted. An empty filter wants all but the erased ones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserFilter {
    /// Of this role.
    pub role: Option<Role>,
    /// In this state.
    pub state: Option<UserState>,
    /// Of this customer.
    pub customer: Option<CustomerId>,
}

/// Keeps people's keys, apart from everything else: a copy of the data is worth nothing without them, and a
/// key that was removed is in no copy. Each write is durable when it returns, and by itself.
#[async_trait]
pub trait PersonKeys: Send + Sync {
    /// Adds keys, all or none.
    async fn add_person_keys(&self, keys: &[PersonKey]) -> StoreResult<()>;
    /// Adds keys of another generation for people who have keys; who has none any more gets none.
    async fn renew_person_keys(&self, keys: &[PersonKey]) -> StoreResult<()>;
    /// Every generation of a person's key, oldest first; none when it was destroyed.
    async fn list_person_keys(&self, person: PersonId) -> StoreResult<Vec<PersonKey>>;
    /// Keys by person and generation, behind `after`.
    async fn walk_person_keys(
        &self,
        after: Option<(PersonId, u32)>,
        limit: u32,
    ) -> StoreResult<Vec<PersonKey>>;
    /// Keys that are wrapped by another key of the ring than this one; at most `limit`.
    async fn list_wrapped_otherwise(&self, key: u32, limit: u32) -> StoreResult<Vec<PersonKey>>;
    /// How many there are.
    async fn count_wrapped_otherwise(&self, key: u32) -> StoreResult<u64>;
    /// Keeps a key under another wrapping. Nothing happens where it was destroyed meanwhile.
    async fn rewrap_person_key(&self, key: &PersonKey) -> StoreResult<()>;
    /// People all of whose keys are of generations before this one; at most `limit`.
    async fn list_people_before(&self, generation: u32, limit: u32) -> StoreResult<Vec<PersonId>>;
    /// How many there are.
    async fn count_people_before(&self, generation: u32) -> StoreResult<u64>;
    /// Destroys all of a person's keys.
    async fn destroy_person_keys(&self, person: PersonId) -> StoreResult<()>;
}

/// Reads nodes and join tokens.
#[async_trait]
pub trait Nodes: Send + Sync {
    /// A node by its id.
    async fn lookup_node(&self, id: NodeId) -> StoreResult<Option<Node>>;
    /// A node by its name.
    async fn lookup_node_by_name(&self, name: &str) -> StoreResult<Option<Node>>;
    /// Nodes by name.
    async fn list_nodes(&self, page: PageRequest<String>) -> StoreResult<Page<Node, String>>;
    /// A join token by its id.
    async fn lookup_join_token(&self, id: JoinTokenId) -> StoreResult<Option<JoinToken>>;
    /// Join tokens, newest first.
    async fn list_join_tokens(
        &self,
        page: PageRequest<JoinTokenId>,
    ) -> StoreResult<Page<JoinToken, JoinTokenId>>;
}

/// Which runs are wanted. An empty filter wants all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunFilter {
    /// In this state.
    pub state: Option<RunState>,
    /// On this node.
    pub node: Option<NodeId>,
    /// Of this command.
    pub command: Option<String>,
    /// Of this submitter.
    pub submitted_by: Option<UserId>,
    /// Children of this run.
    pub parent: Option<RunId>,
    /// For this service request.
    pub request: Option<ServiceRequestId>,
    /// Dead letters only.
    pub dead_letter: bool,
    /// No children.
    pub top_level: bool,
}

/// Output chunks that one answer has at most.
pub const OUTPUT_CHUNKS_MAX: usize = 256;

/// How much output there is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Extent {
    /// Chunks.
    pub chunks: u32,
    /// Bytes in them.
    pub bytes: u64,
}

/// Runs of one hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HourCount {
    /// The hour's begin.
    pub hour: Timestamp,
    /// Runs submitted in it.
    pub runs: u64,
    /// Of these, ended other than in success or by cancellation.
    pub failed: u64,
}

/// Reads runs.
#[async_trait]
pub trait Runs: Send + Sync {
    /// A run by its id.
    async fn lookup_run(&self, id: RunId) -> StoreResult<Option<Run>>;
    /// A run by its submitter's own name for the request.
    async fn lookup_run_by_key(&self, user: UserId, key: &str) -> StoreResult<Option<Run>>;
    /// Runs, newest first.
    async fn list_runs(
        &self,
        filter: &RunFilter,
        page: PageRequest<RunId>,
    ) -> StoreResult<Page<Run, RunId>>;
    /// The run that repeats `run`.
    async fn lookup_replay(&self, run: RunId) -> StoreResult<Option<Run>>;
    /// `node` as a candidate of `run`.
    async fn lookup_candidate(&self, run: RunId, node: NodeId) -> StoreResult<Option<Candidate>>;
    /// The nodes that may take `run`, where it is for one of several.
    async fn list_candidates(&self, run: RunId) -> StoreResult<Vec<NodeId>>;
    /// The nodes for which queued runs wait that may begin at `now`. As many as there are such nodes.
    async fn list_awaited_nodes(&self, now: Timestamp) -> StoreResult<Vec<NodeId>>;
    /// Queued runs that `node` may take now, by priority, then age: its own, and those of which it is a
    /// candidate.
    async fn list_queued(&self, node: NodeId, now: Timestamp, limit: u32) -> StoreResult<Vec<Run>>;
    /// Runs that `node` holds.
    async fn list_held(&self, node: NodeId) -> StoreResult<Vec<Run>>;
    /// Runs on which time has something to say at `now`: lease lapsed by `lapsed_by`, deadline passed,
    /// retry due; and parents whose children are all over.
    async fn list_due(
        &self,
        now: Timestamp,
        lapsed_by: Timestamp,
        limit: u32,
    ) -> StoreResult<Vec<Run>>;
    /// Not yet ended runs that no node can end any more, because theirs was removed.
    async fn list_orphaned(&self, limit: u32) -> StoreResult<Vec<Run>>;
    /// Not yet ended runs which nobody asked to stop and nobody wants any more: their request was cancelled, their
    /// customer erased (parts of other runs left out), or the agent's run is over that they are a part of.
    async fn list_unwanted(&self, limit: u32) -> StoreResult<Vec<Run>>;
    /// Not yet ended runs that somebody asked to stop.
    async fn list_stopping(&self, limit: u32) -> StoreResult<Vec<Run>>;
    /// How many children of `parent` are in each state.
    async fn count_children(&self, parent: RunId) -> StoreResult<Vec<(RunState, u32)>>;
    /// Runs per hour since `since`, oldest hour first; hours without runs are left out.
    async fn count_runs_by_hour(&self, since: Timestamp) -> StoreResult<Vec<HourCount>>;
    /// How many runs are in each state; terminal ones only since `since`.
    async fn count_runs_by_state(&self, since: Timestamp) -> StoreResult<Vec<(RunState, u64)>>;
    /// Output of a run from position `(fence, seq)` on, in order, at most [`OUTPUT_CHUNKS_MAX`] chunks and
    /// `bytes_max` (but at least one chunk when there is one), as it is stored.
    async fn list_output(
        &self,
        run: RunId,
        from: (i64, u32),
        bytes_max: u64,
    ) -> StoreResult<Vec<OutputChunk>>;
    /// How much output of an attempt is stored; what sealing adds is counted.
    async fn output_extent(&self, run: RunId, fence: i64) -> StoreResult<Extent>;
}

/// Which audit records are wanted. An empty filter wants all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// This action, or with a `.` at the end all actions that begin so.
    pub action: Option<String>,
    /// By this actor.
    pub actor: Option<String>,
    /// On this target.
    pub target: Option<String>,
    /// With this outcome.
    pub outcome: Option<AuditOutcome>,
    /// Not before.
    pub from: Option<Timestamp>,
    /// Before.
    pub to: Option<Timestamp>,
    /// With this text somewhere in the record.
    pub text: Option<String>,
}

/// Reads the audit log. Records that are committed but not sequenced yet are not seen.
#[async_trait]
pub trait AuditLog: Send + Sync {
    /// How many records are sequenced, and their root.
    async fn audit_head(&self) -> StoreResult<(u64, Hash)>;
    /// Records, newest first.
    async fn list_audit(
        &self,
        filter: &AuditFilter,
        page: PageRequest<u64>,
    ) -> StoreResult<Page<AuditEntry, u64>>;
    /// Records of a stretch, oldest first; at most 10,000.
    async fn read_audit(&self, range: Range<u64>) -> StoreResult<Vec<AuditEntry>>;
    /// The root over a stretch that is a subtree of the log.
    async fn audit_subtree(&self, range: Range<u64>) -> StoreResult<Hash>;
    /// The smallest checkpoint that covers at least `size` records.
    async fn lookup_checkpoint(&self, size: u64) -> StoreResult<Option<AuditCheckpoint>>;
    /// The largest checkpoint.
    async fn last_checkpoint(&self) -> StoreResult<Option<AuditCheckpoint>>;
    /// Checkpoints by size, from `size` on.
    async fn list_checkpoints(&self, size: u64, limit: u32) -> StoreResult<Vec<AuditCheckpoint>>;
    /// Gives committed records their place, if this process leads; how many it placed. On an engine
    /// that sequences at commit there is nothing to do.
    async fn sequence_audit(&self) -> StoreResult<u64>;
}

/// How the database is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreHealth {
    /// `sqlite` or `postgres`.
    pub engine: &'static str,
    /// The engine's version.
    pub version: String,
    /// The schema's version.
    pub schema: i64,
    /// Bytes on disk, where known.
    pub size_bytes: Option<u64>,
    /// Records that wait for their place in the audit log.
    pub audit_pending: u64,
    /// Whether who is connected owns the tables or may do anything; nothing where there are no roles.
    pub privileged: Option<bool>,
}

/// Tells how the database is.
#[async_trait]
pub trait Health: Send + Sync {
    /// Asks the database; an error means that it can't be used.
    async fn health(&self) -> StoreResult<StoreHealth>;
}

/// Everything that can be asked.
pub trait Reads:
    Identities
    + Oauth
    + PersonKeys
    + Nodes
    + Runs
    + Tools
    + Agents
    + ModelLedger
    + Journals
    + Threads
    + Memories
    + Approvals
    + Desk
    + Watch
    + AuditLog
    + Health
    + 'static
{
}

impl<
    T: Identities
        + Oauth
        + PersonKeys
        + Nodes
        + Runs
        + Tools
        + Agents
        + ModelLedger
        + Journals
        + Threads
        + Memories
        + Approvals
        + Desk
        + Watch
        + AuditLog
        + Health
        + 'static,
> Reads for T
{
}

/// All of it.
pub trait Store: Reads + Commit {}

impl<T: Reads + Commit> Store for T {}
