//! One audit record and its canonical form.

use crate::{Action, Origin, PersonId, Principal, Timestamp, UserId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The longest text of one detail, in bytes; longer ones are cut with an ellipsis.
pub const DETAIL_BYTES_MAX: usize = 512;

/// How an action came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditOutcome {
    /// It was done.
    Done,
    /// Policy, a limit or a check refused it.
    Refused,
    /// It was allowed and went wrong.
    Failed,
}

impl AuditOutcome {
    /// The name in records and on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

/// A record as it is hashed. The canonical form is its JSON with the keys in the order of this
/// struct (alphabetical), absent fields left out, no white space and only strings as values, which
/// makes it identical to RFC 8785.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditRecord {
    /// What was asked for or what happened.
    pub action: String,
    /// Who: a principal's text form.
    pub actor: String,
    /// From which address; sealed where a person acted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// When.
    pub at: Timestamp,
    /// Further facts; never a secret or a parameter's value.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub detail: BTreeMap<String, String>,
    /// Through which door.
    pub door: String,
    /// How it came out.
    pub outcome: AuditOutcome,
    /// The policies that decided, comma-separated, `@` and the policy's version behind them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// Why, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The request, as logs name it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// On what: an id or a name.
    pub target: String,
}

/// What stands before a personal text that is sealed under its person's key: base64url of the sealed bytes
/// follows. The record is hashed as it stands, so the log stays whole when the key is destroyed.
pub const SEALED_PREFIX: &str = "sealed:";

/// A personal text of a record, before it is sealed under its person's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonalDetail {
    /// Whose it is.
    pub person: PersonId,
    /// The detail's key; `address` for the record's address.
    pub key: String,
    /// The text.
    pub value: String,
}

/// A record that is about to be written with its change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditDraft {
    /// The record, without what is personal.
    pub record: AuditRecord,
    /// What is personal: whoever commits the change seals it and puts it into the record. What is not
    /// sealed is not written.
    pub personal: Vec<PersonalDetail>,
}

impl AuditDraft {
    /// Something that a principal asked for and that was done.
    pub fn action(action: Action, principal: &Principal, origin: &Origin, at: Timestamp) -> Self {
        Self::event(action.as_str(), principal, origin, at)
    }

    /// Something that happened; `name` is dotted like an action's.
    pub fn event(name: &str, principal: &Principal, origin: &Origin, at: Timestamp) -> Self {
        let address = origin.address.map(|address| address.to_string());
        let (address, personal) = match (principal.user(), address) {
            (Some(user), Some(value)) => {
                let key = "address".to_owned();
                (None, vec![PersonalDetail { person: user.into(), key, value }])
            }
            (_, address) => (address, vec![]),
        };
        let record = AuditRecord {
            action: name.to_owned(),
            actor: principal.to_string(),
            address,
            at,
            detail: BTreeMap::new(),
            door: origin.door.as_str().to_owned(),
            outcome: AuditOutcome::Done,
            policy: None,
            reason: None,
            request: origin.request.map(|id| id.to_string()),
            target: "wardroom".to_owned(),
        };
        Self { record, personal }
    }

    /// By `user`, who has only just proved who they are.
    #[must_use]
    pub fn by(mut self, user: UserId) -> Self {
        self.record.actor = user.to_string();
        if let Some(value) = self.record.address.take() {
            let key = "address".to_owned();
            self.personal.push(PersonalDetail { person: user.into(), key, value });
        }
        self
    }

    /// A further fact that tells about a person: it is written sealed under their key.
    #[must_use]
    pub fn personal(
        mut self,
        person: impl Into<PersonId>,
        key: &str,
        value: impl ToString,
    ) -> Self {
        let value = cut(value.to_string());
        self.personal.push(PersonalDetail { person: person.into(), key: key.to_owned(), value });
        self
    }

    /// On what.
    #[must_use]
    pub fn on(mut self, target: impl ToString) -> Self {
        self.record.target = cut(target.to_string());
        self
    }

    /// How it came out, and why.
    #[must_use]
    pub fn outcome(mut self, outcome: AuditOutcome, reason: impl Into<String>) -> Self {
        self.record.outcome = outcome;
        self.record.reason = Some(cut(reason.into()));
        self
    }

    /// The policies that decided.
    #[must_use]
    pub fn policy(mut self, policies: &[String], version: &str) -> Self {
        self.record.policy = Some(format!("{}@{version}", policies.join(",")));
        self
    }

    /// A further fact.
    #[must_use]
    pub fn detail(mut self, key: &str, value: impl ToString) -> Self {
        self.record.detail.insert(key.to_owned(), cut(value.to_string()));
        self
    }
}

impl AuditRecord {
    /// The canonical bytes, as text.
    pub fn canonical(&self) -> String {
        // Only strings, maps of strings and fixed keys: serialising can't fail.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// Keeps a text within [`DETAIL_BYTES_MAX`].
fn cut(mut text: String) -> String {
    if text.len() > DETAIL_BYTES_MAX {
        let end = (0..=DETAIL_BYTES_MAX - 3).rev().find(|&at| text.is_char_boundary(at));
        text.truncate(end.unwrap_or(0));
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn canonical_form_has_sorted_keys_and_leaves_out_what_is_absent() {
        let draft = AuditDraft::action(
            Action::RunSubmit,
            &Principal::System,
            &Origin::INTERNAL,
            Timestamp::from_micros(0),
        )
        .on("run_1")
        .detail("b", "2\n")
        .detail("a", "é");
        let text = draft.record.canonical();
        assert_eq!(
            text,
            r#"{"action":"run.submit","actor":"system","at":"1970-01-01T00:00:00.000000Z","detail":{"a":"é","b":"2\n"},"door":"internal","outcome":"done","target":"run_1"}"#
        );
        let parsed: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::to_string(&parsed).unwrap(), text, "key order is the sorted one");
        assert_eq!(serde_json::from_str::<AuditRecord>(&text).unwrap(), draft.record);
    }

    #[test]
    fn long_details_are_cut_at_a_character() {
        let draft =
            AuditDraft::event("x", &Principal::System, &Origin::INTERNAL, Timestamp::default())
                .detail("k", "é".repeat(600));
        let value = draft.record.detail.get("k").unwrap();
        assert!(value.len() <= DETAIL_BYTES_MAX && value.ends_with('…'));
    }
}
