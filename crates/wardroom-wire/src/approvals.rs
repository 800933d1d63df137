//! What people are asked to consent to.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// Something that policy wants a person's consent for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ApprovalView {
    /// Its id.
    pub id: String,
    /// `waiting`, `approved`, `denied`, `used` or `expired`.
    pub state: String,
    /// What is about to be done: `tool.call` or `run.submit`.
    pub action: String,
    /// To what: a tool as `server/name`, or a command by its name.
    pub target: String,
    /// The run that waits.
    pub run: Option<String>,
    /// In whose name: the account's id.
    pub user: String,
    /// The program of others that acts in that name.
    pub client: Option<String>,
    /// The agent's run that acts in that name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_run: Option<String>,
    /// By which way in it was asked.
    pub door: String,
    /// The policies that want it.
    pub policies: Vec<String>,
    /// The version of the policy. With another one the consent is worth nothing.
    pub policy_version: String,
    /// When it was asked for.
    pub asked_at: String,
    /// Until when it can be decided and used.
    pub expires_at: String,
    /// Who decided: the account's id.
    pub decided_by: Option<String>,
    /// When.
    pub decided_at: Option<String>,
    /// The call or run that it was used for.
    pub used_by: Option<String>,
    /// When it was used.
    pub used_at: Option<String>,
}

/// The same with all that a person looks at before they decide.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ApprovalDetail {
    /// The approval.
    #[serde(flatten)]
    pub approval: ApprovalView,
    /// The arguments, what looks like a secret left out. Absent where a run has them, or whoever asked was erased.
    pub arguments: Option<Value>,
    /// SHA-256 over a random salt and the arguments: what is consented to, and what the audit log has.
    pub arguments_digest: String,
    /// Why it was decided so.
    pub reason: Option<String>,
    /// The signed note that tells of the decision; the audit log's key verifies it.
    pub receipt: Option<String>,
}

/// `POST /api/v1/approvals/{id}/approve` and `…/deny`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApprovalDecision {
    /// Why, for whoever asked and for the record: at most 500 characters.
    #[serde(default)]
    pub reason: String,
}
