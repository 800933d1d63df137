//! Bodies of the REST API under `/api/v1`. Times are RFC 3339 texts in UTC, ids are prefixed texts.

use crate::link::{CatalogueShape, ReportShape, Stream};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct List<T> {
    /// The items.
    pub items: Vec<T>,
    /// Pass as `after` to go on; absent at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// `GET /api/v1/names`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Names {
    /// By id. Missing are those that are not known, or not to the caller.
    pub names: BTreeMap<String, String>,
}

/// A node in a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct NodeView {
    /// The node.
    pub id: String,
    /// Counts changes; `ETag` is this number in quotes.
    pub version: i64,
    /// Its name.
    pub name: String,
    /// `online`, `stale`, `offline` or `disabled`.
    pub state: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// When it was enrolled.
    pub enrolled_at: String,
    /// When it was last heard of.
    pub seen_at: Option<String>,
    /// What it last said of itself.
    pub report: Option<ReportShape>,
    /// How many commands it offers.
    pub commands: usize,
}

/// A node with what it offers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct NodeDetail {
    /// The node.
    #[serde(flatten)]
    pub node: NodeView,
    /// SHA-256 of its public key, hexadecimal.
    pub key_fingerprint: String,
    /// Its commands; those that the caller may not run are left out.
    pub catalogue: CatalogueShape,
}

/// `PATCH /api/v1/nodes/{id}`, with `If-Match`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NodePatch {
    /// All labels that it shall carry.
    pub labels: BTreeMap<String, String>,
}

/// `POST /api/v1/join-tokens`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct JoinTokenCreate {
    /// Labels that the node will carry.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// For how long, in seconds: 60 to 86,400. 900 when absent.
    #[serde(default)]
    pub expires_in: Option<u64>,
}

/// A new join token; the secret is shown this once.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct NewJoinToken {
    /// The token's record.
    pub token: JoinTokenView,
    /// The text for `wardroom-node join --token`.
    pub secret: String,
    /// The whole command to paste on the machine.
    pub command: String,
}

/// A join token without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JoinTokenView {
    /// The token.
    pub id: String,
    /// `open`, `used`, `revoked` or `expired`.
    pub state: String,
    /// Labels that the node will carry.
    pub labels: BTreeMap<String, String>,
    /// Who made it.
    pub created_by: String,
    /// When it was made.
    pub created_at: String,
    /// When it ends.
    pub expires_at: String,
    /// The node that used it.
    pub used_by: Option<String>,
}

/// `POST /api/v1/runs`. Exactly one of `node` and `labels`. The header `Idempotency-Key` makes a
/// repeated request answer with the first one's run.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RunSubmit {
    /// The command's name.
    pub command: String,
    /// The node's id or name.
    #[serde(default)]
    pub node: Option<String>,
    /// A selector, `key=value,key=value`.
    #[serde(default)]
    pub labels: Option<String>,
    /// With `labels`: run on every node that matches, not on one of them.
    #[serde(default)]
    pub all: bool,
    /// The values: texts, whole numbers, booleans.
    #[serde(default)]
    pub parameters: BTreeMap<String, serde_json::Value>,
    /// Secret parameters that get the value of a named secret: the parameter, and the secret's name.
    #[serde(default)]
    pub secrets: BTreeMap<String, String>,
    /// Must be over within so many seconds: 1 to 604,800.
    #[serde(default)]
    pub deadline_seconds: Option<u64>,
    /// How often to try: 1 to 10. 1 when absent.
    #[serde(default)]
    pub attempts_max: Option<u32>,
    /// Pause before the second attempt, in milliseconds; doubles each time.
    #[serde(default)]
    pub backoff_ms: Option<u64>,
    /// 0 to 9, higher first. 4 when absent.
    #[serde(default)]
    pub priority: Option<u8>,
    /// The service request that it is for.
    #[serde(default)]
    pub request: Option<String>,
}

/// A run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RunView {
    /// The run.
    pub id: String,
    /// Where it stands.
    pub state: String,
    /// Whether nothing more can happen to it.
    pub terminal: bool,
    /// The command's name, or the agent's.
    pub command: String,
    /// The version of the agent's definition, where it is an agent's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_version: Option<i64>,
    /// The conversation that it is a turn of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<String>,
    /// The values; those of secret parameters read `[secret]`.
    pub parameters: BTreeMap<String, serde_json::Value>,
    /// The node that has it or had it last.
    pub node: Option<String>,
    /// The selector, when it was submitted with one.
    pub labels: Option<String>,
    /// Whether it runs on all that the selector matched, with a child per node.
    pub all: bool,
    /// The run that this one is a part of.
    pub parent: Option<String>,
    /// The dead run that this one repeats.
    pub replay_of: Option<String>,
    /// For whom it runs.
    pub submitted_by: String,
    /// The service request that it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// The approval that it waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<String>,
    /// Attempts begun.
    pub attempt: u32,
    /// Attempts allowed.
    pub attempts_max: u32,
    /// 0 to 9.
    pub priority: u8,
    /// Whether the command may be repeated without harm.
    pub idempotent: bool,
    /// Whether it ended in a way that somebody should look at.
    pub dead_letter: bool,
    /// When it must be over.
    pub deadline: Option<String>,
    /// When the next attempt is due.
    pub not_before: Option<String>,
    /// When somebody asked for it to stop.
    pub cancel_requested_at: Option<String>,
    /// When it was submitted.
    pub queued_at: String,
    /// When its program first started.
    pub started_at: Option<String>,
    /// When it was over.
    pub finished_at: Option<String>,
    /// How its last attempt ended.
    pub outcome: Option<OutcomeView>,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct OutcomeView {
    /// `exited`, `signalled`, `limit`, `cancelled`, `not_started`, `refused`, `interrupted`,
    /// `deadline_passed` or `children`; an agent's also `answered` or `no_answer`.
    pub kind: String,
    /// The exit code, when it exited.
    pub exit_code: Option<i32>,
    /// In one sentence.
    pub message: String,
    /// Processor time used, in milliseconds.
    pub cpu_ms: u64,
    /// Most memory that was resident, in bytes.
    pub memory_peak_bytes: u64,
    /// Output bytes.
    pub output_bytes: u64,
}

/// A stretch of a run's output.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct OutputPage {
    /// The pieces, in order.
    pub chunks: Vec<OutputView>,
    /// Pass as `after` to go on.
    pub next: String,
    /// Whether the run is over and all its output was given.
    pub complete: bool,
}

/// A piece of output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OutputView {
    /// The run.
    pub run: String,
    /// The attempt, counted by its lease.
    pub attempt: i64,
    /// Counts from 0 within the attempt.
    pub seq: u32,
    /// Which stream.
    pub stream: Stream,
    /// The bytes, standard base64.
    pub data: String,
}

/// An audit record at its place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AuditView {
    /// Its leaf index.
    pub index: u64,
    /// Its leaf hash, hexadecimal.
    pub leaf: String,
    /// The record.
    pub record: AuditRecordView,
}

/// An audit record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AuditRecordView {
    /// What was asked for or what happened.
    pub action: String,
    /// Who.
    pub actor: String,
    /// From which address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// When.
    pub at: String,
    /// Further facts.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub detail: BTreeMap<String, String>,
    /// Through which door.
    pub door: String,
    /// `done`, `refused` or `failed`.
    pub outcome: String,
    /// The policies that decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// On what.
    pub target: String,
}

/// A receipt: one record's place in the signed log (RFC 9162 §2.1.3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AuditProof {
    /// `wardroom-audit-proof/1`.
    pub format: String,
    /// The record's leaf index.
    pub index: u64,
    /// The record's exact canonical text.
    pub record: String,
    /// The hashes from the leaf's sibling to the root, hexadecimal.
    pub path: Vec<String>,
    /// The signed checkpoint that the path leads to.
    pub checkpoint: String,
    /// The key that signed it, as a C2SP verifier key.
    pub verifier_key: String,
}

/// What a verification of the stored log found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditVerification {
    /// Whether every record is as it was signed.
    pub sound: bool,
    /// Records looked at.
    pub records: u64,
    /// Records that a signed checkpoint covers.
    pub signed: u64,
    /// The first thing that is wrong.
    pub finding: Option<String>,
    /// The last checkpoint, a signed note.
    pub checkpoint: Option<String>,
    /// When it was verified.
    pub at: String,
}

/// `POST /api/v1/policy/explain`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExplainRequest {
    /// A role to ask for; the caller's own where absent.
    #[serde(default)]
    pub role: Option<String>,
    /// The action's name.
    pub action: String,
    /// The resource's id; `wardroom` where absent.
    #[serde(default)]
    pub resource: Option<String>,
    /// Whether the resource belongs to the one who asks.
    #[serde(default)]
    pub own: bool,
}

/// What the policy decides, and by which of its parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Explanation {
    /// Whether it is allowed.
    pub allowed: bool,
    /// The policies that want a person's consent, where it is allowed with that alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub wanted_by: Vec<String>,
    /// The policies that decided.
    pub policies: Vec<String>,
    /// For a denial: policies that speak of this action but did not match.
    pub near: Vec<String>,
    /// The policy's version.
    pub version: String,
}

/// The policy in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PolicyView {
    /// Its version: the first 12 hexadecimal digits of its SHA-256.
    pub version: String,
    /// Its number in the history; 0 for one that is not stored.
    pub number: i64,
    /// `default`, `file` or `stored`.
    pub source: String,
    /// Its Cedar text.
    pub text: String,
}

/// `POST /api/v1/policy/try`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyText {
    /// The Cedar text.
    pub text: String,
}

/// `PUT /api/v1/policy`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyPut {
    /// The Cedar text.
    pub text: String,
    /// What it is about, at most 200 characters.
    #[serde(default)]
    pub note: String,
    /// The number of the policy that it takes the place of.
    pub base: i64,
}

/// What a policy would change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PolicyTrial {
    /// Its version.
    pub version: String,
    /// The changes.
    pub changes: Vec<AccessChange>,
    /// Whether there are more than are told.
    pub more: bool,
    /// Whether nobody could change the policy or let people in any more: it would be refused.
    pub locks_out: bool,
}

/// One change of access.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AccessChange {
    /// Whose access changes, at most ten by name.
    pub who: Vec<String>,
    /// How many they are.
    pub count: usize,
    /// To what action.
    pub action: String,
    /// On what.
    pub resource: String,
    /// Whether it would be allowed from then on, or not any more.
    pub allowed: bool,
    /// Whether it would be, with a person's consent to each.
    #[serde(default)]
    pub consent: bool,
}

/// A policy's place in history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PolicyVersionView {
    /// Counts from 1.
    pub number: i64,
    /// The first 12 hexadecimal digits of its SHA-256.
    pub version: String,
    /// Whether it is the one in force.
    pub in_force: bool,
    /// What its author said of it.
    pub note: String,
    /// Who put it in force.
    pub author: String,
    /// When.
    pub created_at: String,
}

/// `GET /api/v1/overview`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Overview {
    /// Nodes by state.
    pub nodes: BTreeMap<String, u64>,
    /// Runs by state; ended ones of the last 24 hours.
    pub runs: BTreeMap<String, u64>,
    /// Runs by hour over the last 24 hours, oldest first, every hour present.
    pub hours: Vec<HourView>,
    /// Runs that ended without success, newest first.
    pub failures: Vec<RunView>,
    /// The last security events, newest first; empty for those who may not read the audit log.
    pub security: Vec<AuditView>,
}

/// Runs of one hour.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HourView {
    /// The hour's begin.
    pub hour: String,
    /// Runs submitted in it.
    pub runs: u64,
    /// Of these, ended without success.
    pub failed: u64,
}

/// `GET /api/v1/health`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HealthView {
    /// `ok`, `degraded` or `down`.
    pub status: String,
    /// The orchestrator's version.
    pub version: String,
    /// Seconds since it started.
    pub uptime_seconds: u64,
    /// Each part, with its own status and what is known of it.
    pub parts: BTreeMap<String, HealthPart>,
}

/// How one part is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HealthPart {
    /// `ok`, `degraded` or `down`.
    pub status: String,
    /// What is known of it.
    pub detail: BTreeMap<String, String>,
}
