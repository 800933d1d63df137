//! One call of a tool, from the decision to what came of it.

use crate::{Door, OauthClientId, Timestamp, ToolCallId, ToolServerId, UserId, named::named};

named! {
    /// What came of a call.
    CallOutcome = "succeeded, tool_error, failed, timed_out, cancelled, interrupted" {
        /// The tool answered.
        Succeeded = "succeeded",
        /// The tool answered that it could not do it.
        ToolError = "tool_error",
        /// The server answered with an error of the protocol, or what is no answer.
        Failed = "failed",
        /// It took longer than it may.
        TimedOut = "timed_out",
        /// Whoever asked did not want it any more.
        Cancelled = "cancelled",
        /// The orchestrator ended meanwhile: what came of it, nobody knows.
        Interrupted = "interrupted",
    }
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallEnd {
    /// What came of it.
    pub outcome: CallOutcome,
    /// When.
    pub at: Timestamp,
    /// SHA-256 of the answer.
    pub result_digest: Option<[u8; 32]>,
    /// Its length.
    pub result_bytes: u64,
    /// What went wrong, in words of the gateway's.
    pub problem: Option<String>,
}

/// A call of a tool. It is on disk before the tool server hears of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolCall {
    /// Its id.
    pub id: ToolCallId,
    /// Of which server.
    pub server: ToolServerId,
    /// The server's name then.
    pub server_name: String,
    /// The tool.
    pub tool: String,
    /// In whose name.
    pub user: UserId,
    /// The program of others that acted in that name.
    pub client: Option<OauthClientId>,
    /// By which way in.
    pub door: Door,
    /// The arguments, sealed under the caller's key.
    pub arguments: Vec<u8>,
    /// SHA-256 of the arguments.
    pub arguments_digest: [u8; 32],
    /// Their length.
    pub arguments_bytes: u64,
    /// The policies that allowed it, and their version behind `@`.
    pub policy: String,
    /// When it began.
    pub begun_at: Timestamp,
    /// How it ended, once it has.
    pub end: Option<CallEnd>,
}
