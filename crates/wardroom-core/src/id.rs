//! Typed identifiers: UUIDv7 (RFC 9562 §5.7) inside, `prefix_` + 32 lower-case hex digits on the wire.

use crate::{Rng, Timestamp};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};
use uuid::Uuid;

/// A text that is not an identifier of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected an id of the form {prefix}_ followed by 32 hexadecimal digits")]
pub struct IdError {
    /// The prefix that was expected, without the underscore.
    pub prefix: &'static str,
}

/// Makes a UUIDv7 from the injected time and randomness.
fn uuid_v7(now: Timestamp, rng: &dyn Rng) -> Uuid {
    let mut random = [0_u8; 10];
    rng.fill(&mut random);
    let millis = u64::try_from(now.as_micros() / 1000).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// The prefix of the text form, without the underscore.
            pub const PREFIX: &'static str = $prefix;

            /// A new identifier that sorts by `now`.
            pub fn new(now: Timestamp, rng: &dyn Rng) -> Self {
                Self(uuid_v7(now, rng))
            }

            /// Wraps a UUID that the store gave back.
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The bare UUID, as the store keeps it.
            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "_{}"), self.0.simple())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                let error = IdError { prefix: $prefix };
                let hex = text
                    .strip_prefix(concat!($prefix, "_"))
                    .ok_or(error.clone())?;
                // Only the one canonical spelling: two texts must never name one thing.
                let canonical = hex.len() == 32
                    && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
                if !canonical {
                    return Err(error);
                }
                Uuid::try_parse(hex).map(Self).map_err(|_| error)
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(d)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

id!(
    /// A person's account.
    UserId, "user");
id!(
    /// Whose personal data something is: an account's or a customer's, by the same UUID.
    PersonId, "person");
id!(
    /// A browser's or a program's session.
    SessionId, "session");
id!(
    /// A single-use link that invites somebody or lets them set a new password.
    PassId, "pass");
id!(
    /// A second factor of an account.
    FactorId, "factor");
id!(
    /// A token for the API, held by a program or the command line.
    ApiTokenId, "token");
id!(
    /// A program of others that acts in somebody's name.
    OauthClientId, "client");
id!(
    /// An entry of a run's journal.
    StepId, "step");
id!(
    /// An orchestrator, from its start to its end.
    OrchestratorId, "orchestrator");
id!(
    /// An enrolled machine.
    NodeId, "node");
id!(
    /// One connection of a node.
    LinkId, "link");
id!(
    /// A single-use permission to enrol a machine.
    JoinTokenId, "join");
id!(
    /// An outside party.
    CustomerId, "customer");
id!(
    /// What customers order.
    ServiceId, "service");
id!(
    /// What a customer asked for.
    ServiceRequestId, "request");
id!(
    /// What somebody said about a request.
    NoteId, "note");
id!(
    /// A file that belongs to a request.
    AttachmentId, "attachment");
id!(
    /// Filters of a list that somebody keeps.
    SavedViewId, "view");
id!(
    /// An AI agent's definition.
    AgentId, "agent");
id!(
    /// Something that an agent remembers of a person.
    MemoryId, "memory");
id!(
    /// A conversation with an agent.
    ThreadId, "thread");
id!(
    /// A tool server.
    ToolServerId, "toolserver");
id!(
    /// A process of a tool server that a node started.
    InstanceId, "instance");
id!(
    /// A person's account at a tool server.
    ToolAccountId, "toolaccount");
id!(
    /// One call of a tool.
    ToolCallId, "call");
id!(
    /// One question to a language model.
    ModelCallId, "modelcall");
id!(
    /// A bound on what language models may take.
    BudgetId, "budget");
id!(
    /// A person's consent that was asked for.
    ApprovalId, "approval");
id!(
    /// Something that somebody should look at.
    AlertId, "alert");
id!(
    /// A message to the outside.
    MessageId, "msg");
id!(
    /// One durable execution.
    RunId, "run");
id!(
    /// One request at a door, as logs and error answers name it.
    RequestId, "req");

impl From<UserId> for PersonId {
    fn from(id: UserId) -> Self {
        Self(id.uuid())
    }
}

impl From<CustomerId> for PersonId {
    fn from(id: CustomerId) -> Self {
        Self(id.uuid())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn text_form_round_trips_and_refuses_other_spellings() {
        let id = RunId::from_uuid(Uuid::from_u128(0x0123_4567_89ab_7def_8123_4567_89ab_cdef));
        let text = id.to_string();
        assert_eq!(text, "run_0123456789ab7def8123456789abcdef");
        assert_eq!(text.parse::<RunId>().unwrap(), id);
        for bad in [
            "node_0123456789ab7def8123456789abcdef",
            "run_0123456789AB7DEF8123456789ABCDEF",
            "run_0123456789ab7def8123456789abcde",
            "run_01234567-89ab-7def-8123-456789abcdef",
            "",
        ] {
            assert_eq!(bad.parse::<RunId>(), Err(IdError { prefix: "run" }), "{bad}");
        }
    }
}
