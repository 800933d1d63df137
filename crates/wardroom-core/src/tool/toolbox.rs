//! The tools of a server, as a person accepted them and as the server describes them now.

use crate::{Timestamp, ToolServerId, UserId};

/// The most tools of one server that are looked at.
pub const TOOLS_MAX: usize = 1000;
/// The longest name of a tool, in characters.
pub const TOOL_NAME_CHARS_MAX: usize = 128;
/// The longest definition of a tool, in bytes.
pub const DEFINITION_BYTES_MAX: usize = 64 * 1024;

/// A tool's definition and its digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// The JSON that the server gave: name, description, schemas, annotations.
    pub text: String,
    /// SHA-256 of its canonical form.
    pub digest: [u8; 32],
}

/// What a tool's definition makes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ToolState {
    /// A person accepted the definition that it has.
    Accepted,
    /// Nobody accepted it yet.
    New,
    /// It has another definition than the one that was accepted.
    Changed,
    /// Its server does not offer it any more.
    Gone,
}

impl ToolState {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::Accepted, Self::New, Self::Changed, Self::Gone];

    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::New => "new",
            Self::Changed => "changed",
            Self::Gone => "gone",
        }
    }
}

/// Who accepted a definition, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acceptance {
    /// The definition.
    pub definition: Definition,
    /// By whom.
    pub by: UserId,
    /// When.
    pub at: Timestamp,
}

/// A tool of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tool {
    /// Whose.
    pub server: ToolServerId,
    /// Its name, unique within the server.
    pub name: String,
    /// What a person accepted.
    pub accepted: Option<Acceptance>,
    /// How the server describes it now; nothing where it does not offer it any more.
    pub seen: Option<Definition>,
    /// What is suspicious about the present description, in words.
    pub warnings: Vec<String>,
    /// When it was first met.
    pub first_seen_at: Timestamp,
}

impl Tool {
    /// What its definition makes of it. Only an accepted one is listed and called.
    pub fn state(&self) -> ToolState {
        match (&self.accepted, &self.seen) {
            (_, None) => ToolState::Gone,
            (None, Some(_)) => ToolState::New,
            (Some(accepted), Some(seen)) if accepted.definition.digest == seen.digest => {
                ToolState::Accepted
            }
            (Some(_), Some(_)) => ToolState::Changed,
        }
    }
}

/// A tool as a look at its server found it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenTool {
    /// Its name.
    pub name: String,
    /// How it is described.
    pub definition: Definition,
    /// What is suspicious about that.
    pub warnings: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn only_what_was_accepted_as_it_is_counts_as_accepted() {
        let definition = |digest| Definition { text: "{}".to_owned(), digest: [digest; 32] };
        let accepted = |digest| Acceptance {
            definition: definition(digest),
            by: UserId::from_uuid(Uuid::nil()),
            at: Timestamp::default(),
        };
        let tool = |was: Option<u8>, is: Option<u8>| Tool {
            server: ToolServerId::from_uuid(Uuid::nil()),
            name: "t".to_owned(),
            accepted: was.map(accepted),
            seen: is.map(definition),
            warnings: vec![],
            first_seen_at: Timestamp::default(),
        };
        let state = |was, is| tool(was, is).state();
        assert_eq!(state(Some(1), Some(1)), ToolState::Accepted);
        assert_eq!(state(Some(1), Some(2)), ToolState::Changed);
        assert_eq!(state(None, Some(1)), ToolState::New);
        assert_eq!(state(Some(1), None), ToolState::Gone);
    }
}
