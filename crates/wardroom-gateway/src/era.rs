//! The revisions of the protocol. Until 2025-11-25 a client opens a session by `initialize`; since 2026-07-28 every
//! request says of itself what it takes to answer it.

use crate::rpc::{Object, RpcError, codes};
use serde::Serialize;

/// The revision whose requests stand alone.
pub const MODERN: &str = "2026-07-28";
/// The revisions with sessions, newest first.
pub const LEGACY: [&str; 4] = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];
/// The only revision in which several messages come as one list.
pub const WITH_BATCHES: &str = "2025-03-26";

/// Members of `_meta` that the protocol itself reads.
pub mod meta {
    /// The revision of a request.
    pub const VERSION: &str = "io.modelcontextprotocol/protocolVersion";
    /// Who asks, in their own words.
    pub const CLIENT: &str = "io.modelcontextprotocol/clientInfo";
    /// What the client can do.
    pub const CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
    /// From which level on the client wants log messages.
    pub const LOG_LEVEL: &str = "io.modelcontextprotocol/logLevel";
    /// Who answers, in their own words.
    pub const SERVER: &str = "io.modelcontextprotocol/serverInfo";
    /// To which subscription a notification belongs.
    pub const SUBSCRIPTION: &str = "io.modelcontextprotocol/subscriptionId";
    /// The approval that a request waits for: Wardroom's own.
    pub const APPROVAL: &str = "wardroom/approval";
    /// By which progress is told of a request.
    pub const PROGRESS: &str = "progressToken";
}

/// Whether requests stand alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Era {
    /// They do.
    Modern,
    /// They belong to a session.
    Legacy,
}

impl Era {
    /// The name in records and on pages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Modern => "modern",
            Self::Legacy => "legacy",
        }
    }
}

/// What the gateway says of itself.
pub fn own_info() -> Object {
    Object::default()
        .with("name", "wardroom")
        .with("title", "Wardroom")
        .with("version", env!("CARGO_PKG_VERSION"))
}

/// The version of a session that a client asked for: that one where it is spoken, otherwise the newest.
pub fn agreed(asked: &str) -> &'static str {
    LEGACY.into_iter().find(|version| *version == asked).unwrap_or(LEGACY[0])
}

/// A revision that is not spoken here.
pub fn unsupported(requested: &str) -> RpcError {
    let supported: Vec<&str> = [MODERN].into_iter().chain(LEGACY).collect();
    let facts = Object::default().with("supported", supported).with("requested", requested);
    let message = format!("protocol version {requested:?} is not spoken here");
    RpcError::new(codes::UNSUPPORTED_VERSION, message).with(&facts)
}

/// Whether a server that does not take a request in `version` names it among those that it speaks.
pub fn takes_after_all(error: &RpcError, version: &str) -> bool {
    let facts = error.data.as_ref().and_then(|data| Object::parse(data.get()));
    let supported: Option<Vec<String>> = facts.and_then(|facts| facts.get("supported"));
    error.code == codes::UNSUPPORTED_VERSION
        && supported.is_some_and(|all| all.iter().any(|one| one == version))
}

/// How urgent a log message is, by RFC 5424.
const LEVELS: [&str; 8] =
    ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"];

/// Whether `level` names how urgent a log message is.
pub fn is_level(level: &str) -> bool {
    LEVELS.contains(&level)
}

/// Whether a message of `level` is wanted by whom wants those from `from` on.
pub fn reaches(level: &str, from: &str) -> bool {
    let place = |level| LEVELS.iter().position(|known| *known == level);
    place(level).zip(place(from)).is_some_and(|(level, from)| level >= from)
}
