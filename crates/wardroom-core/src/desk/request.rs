//! What a customer asked for, from the order to its end.

use super::check_text;
use crate::{
    AttachmentId, CustomerId, NoteId, ServiceId, ServiceRequestId, Timestamp, UserId,
    field::FieldError, named::named,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The longest note, in characters.
pub const NOTE_CHARS_MAX: usize = 10_000;
/// The longest name of an attachment, in characters.
pub const ATTACHMENT_NAME_CHARS_MAX: usize = 120;
/// Attachments of one request.
pub const ATTACHMENTS_MAX: usize = 50;

named! {
    /// How far a request is.
    RequestState = "pending, scheduled, in_progress, completed, cancelled" {
        /// Waits for somebody to take it up.
        Pending = "pending",
        /// Has its time.
        Scheduled = "scheduled",
        /// Is being worked on.
        InProgress = "in_progress",
        /// Is done.
        Completed = "completed",
        /// Will not be done.
        Cancelled = "cancelled",
    }
}

named! {
    /// How much a request presses.
    Priority = "low, normal, high, urgent" {
        /// When there is time.
        Low = "low",
        /// In its turn.
        Normal = "normal",
        /// Before others.
        High = "high",
        /// Now.
        Urgent = "urgent",
    }
}

impl Priority {
    /// As a number that sorts.
    pub const fn rank(self) -> u8 {
        match self {
            Self::Low => 0,
            Self::Normal => 1,
            Self::High => 2,
            Self::Urgent => 3,
        }
    }

    /// From its number.
    pub fn from_rank(rank: u8) -> Option<Self> {
        Self::ALL.iter().copied().find(|one| one.rank() == rank)
    }
}

impl RequestState {
    /// Whether nothing comes behind it.
    pub const fn is_closed(self) -> bool {
        matches!(self, Self::Completed | Self::Cancelled)
    }

    /// Whether a request may go from here to `next`. What is closed stays closed.
    pub const fn may_become(self, next: Self) -> bool {
        matches!(
            (self, next),
            (Self::Pending, Self::Scheduled | Self::InProgress | Self::Cancelled)
                | (Self::Scheduled, Self::Pending | Self::InProgress | Self::Cancelled)
                | (Self::InProgress, Self::Completed | Self::Cancelled)
        )
    }
}

/// What a customer asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceRequest {
    /// The request.
    pub id: ServiceRequestId,
    /// Counts changes; an update names the version that it was made from.
    pub version: i64,
    /// For whom.
    pub customer: CustomerId,
    /// Who looks after that customer; read with the request, never written with it.
    pub operators: Vec<UserId>,
    /// What.
    pub service: ServiceId,
    /// Who ordered it.
    pub requested_by: UserId,
    /// The form's [`Order`], sealed under the customer's key.
    pub sealed: Vec<u8>,
    /// How far it is.
    pub state: RequestState,
    /// How much it presses.
    pub priority: Priority,
    /// Who works on it.
    pub assignee: Option<UserId>,
    /// When it should be done.
    pub due_at: Option<Timestamp>,
    /// When it begins; with the state `scheduled`.
    pub scheduled_for: Option<Timestamp>,
    /// A command does it: begins and ends by itself.
    pub automatic: bool,
    /// Its command did not succeed: somebody has to look.
    pub attention: bool,
    /// The orderer's own name for the order: one that is repeated answers with the first one's request.
    pub idempotency_key: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// When it was completed or cancelled.
    pub closed_at: Option<Timestamp>,
}

/// What somebody filled in. It is stored sealed, as one value.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// The form's values.
    pub values: BTreeMap<String, serde_json::Value>,
    /// What was asked for, as a digest: by it an order that is repeated is recognised. Empty where it is older.
    #[serde(default)]
    pub asked: String,
}

/// A refused change of state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a request that is {} can't become {}", .from.as_str(), .to.as_str())]
pub struct NotThere {
    /// From.
    pub from: RequestState,
    /// To.
    pub to: RequestState,
}

impl ServiceRequest {
    /// The request in another state. `scheduled_for` goes with the state `scheduled` and with no other.
    pub fn become_state(
        &self,
        to: RequestState,
        scheduled_for: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Self, NotThere> {
        if !self.state.may_become(to) {
            return Err(NotThere { from: self.state, to });
        }
        let mut next = self.touched(now);
        next.state = to;
        next.scheduled_for = if to == RequestState::Scheduled { scheduled_for } else { None };
        next.closed_at = to.is_closed().then_some(now);
        // Whoever brings it on has looked.
        next.attention = false;
        Ok(next)
    }

    /// The same with the next version.
    #[must_use]
    pub fn touched(&self, now: Timestamp) -> Self {
        Self { version: self.version + 1, updated_at: now, ..self.clone() }
    }
}

/// Notes that one request has at most.
pub const NOTES_MAX: u32 = 1000;

/// What somebody said about a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The note.
    pub id: NoteId,
    /// About which request.
    pub request: ServiceRequestId,
    /// Who says it; `None` for the orchestrator itself.
    pub author: Option<UserId>,
    /// Only for those who work on it.
    pub internal: bool,
    /// The text, sealed under the customer's key.
    pub sealed: Vec<u8>,
    /// When.
    pub created_at: Timestamp,
}

/// Checks a note's text and gives it with plain line breaks.
pub fn checked_note(text: &str) -> Result<String, FieldError> {
    let text = text.trim().replace("\r\n", "\n");
    check_text("text", &text, NOTE_CHARS_MAX, false, true)?;
    Ok(text)
}

/// A file that belongs to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// The attachment.
    pub id: AttachmentId,
    /// Of which request.
    pub request: ServiceRequestId,
    /// For whom the request is.
    pub customer: CustomerId,
    /// Its name, sealed under the customer's key.
    pub sealed_name: Vec<u8>,
    /// What it is, by its content.
    pub media_type: String,
    /// How long its content is.
    pub size_bytes: u64,
    /// Who brought it.
    pub uploaded_by: UserId,
    /// When.
    pub created_at: Timestamp,
}

/// Checks an attachment's name. It is a name and no path: what a browser or another system makes of it must
/// stay where it is put.
pub fn checked_attachment_name(name: &str) -> Result<String, FieldError> {
    let name = name.trim();
    check_text("name", name, ATTACHMENT_NAME_CHARS_MAX, false, false)?;
    // Besides separators: what reverses or hides parts of the name when it is shown (Unicode TR 36 §2.10).
    let bad = |c: char| {
        matches!(c, '/' | '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|')
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    if name.starts_with('.') || name.ends_with('.') || name.chars().any(bad) {
        let reason =
            "must be a plain file name: no path, none of / \\ : * ? \" < > |, no dot first or last";
        return Err(FieldError::new("name", reason));
    }
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use RequestState::{Cancelled, Completed, InProgress, Pending, Scheduled};

    #[test]
    fn states_follow_each_other_in_the_agreed_order_only() {
        let allowed = [
            (Pending, Scheduled),
            (Pending, InProgress),
            (Pending, Cancelled),
            (Scheduled, Pending),
            (Scheduled, InProgress),
            (Scheduled, Cancelled),
            (InProgress, Completed),
            (InProgress, Cancelled),
        ];
        for from in RequestState::ALL {
            for to in RequestState::ALL {
                assert_eq!(
                    from.may_become(*to),
                    allowed.contains(&(*from, *to)),
                    "{from:?} {to:?}"
                );
            }
        }
    }

    #[test]
    fn a_name_is_a_name_and_no_path() {
        assert_eq!(checked_attachment_name(" plan 2.pdf ").unwrap(), "plan 2.pdf");
        for bad in
            ["", "..", "../x", "a/b", "a\\b", "C:x", ".env", "x.", "a\u{202e}fdp.exe", "a\nb"]
        {
            assert!(checked_attachment_name(bad).is_err(), "{bad:?}");
        }
        assert!(checked_attachment_name(&"x".repeat(121)).is_err());
    }
}
