//! What is signed when a person decides: everything that the consent is bound to.

use wardroom_core::{Timestamp, UserId, approval::Approval, audit::AuditDraft};

/// The first line of every receipt.
const TITLE: &str = "wardroom approval";

/// The lines of a receipt, as names and values. The audit record has the same, so that the one can be held against the
/// other.
fn lines(
    approval: &Approval,
    approved: bool,
    by: UserId,
    at: Timestamp,
) -> Vec<(&'static str, String)> {
    let none = || "-".to_owned();
    vec![
        ("approval", approval.id.to_string()),
        ("decision", if approved { "approved" } else { "denied" }.to_owned()),
        ("by", by.to_string()),
        ("at", at.to_string()),
        ("of", approval.action.to_string()),
        ("target", approval.target.clone()),
        ("user", approval.user.to_string()),
        ("client", approval.client.map_or_else(none, |client| client.to_string())),
        ("agent_run", approval.agent_run.map_or_else(none, |run| run.to_string())),
        ("run", approval.run.map_or_else(none, |run| run.to_string())),
        ("arguments", approval.arguments_digest.clone()),
        ("policy_version", approval.policy_version.clone()),
        ("expires_at", approval.expires_at.to_string()),
    ]
}

/// The text that is signed.
pub(super) fn text(approval: &Approval, approved: bool, by: UserId, at: Timestamp) -> String {
    let mut text = format!("{TITLE}\n");
    for (name, value) in lines(approval, approved, by, at) {
        // What is in a target was named elsewhere: no line of it becomes one of the receipt's.
        let value: String = value.chars().filter(|c| !c.is_control()).collect();
        text.push_str(&format!("{name} {value}\n"));
    }
    text
}

/// Adds to a record what the receipt says, and its signature.
pub(super) fn describe(
    mut audit: AuditDraft,
    approval: &Approval,
    (approved, by, at): (bool, UserId, Timestamp),
    note: &str,
) -> AuditDraft {
    for (name, value) in lines(approval, approved, by, at) {
        audit = audit.detail(name, value);
    }
    let signature = note.trim_end().rsplit(' ').next().unwrap_or_default();
    audit.on(&approval.target).detail("signature", signature)
}
