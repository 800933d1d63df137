//! Errors of JSON-RPC and of MCP.

use super::Object;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// The codes of JSON-RPC 2.0 and those that MCP reserves.
pub mod codes {
    /// It is no JSON.
    pub const PARSE_ERROR: i64 = -32700;
    /// It is JSON, but no message.
    pub const INVALID_REQUEST: i64 = -32600;
    /// Nothing answers to that method.
    pub const METHOD_NOT_FOUND: i64 = -32601;
    /// The method takes other parameters.
    pub const INVALID_PARAMS: i64 = -32602;
    /// It went wrong here.
    pub const INTERNAL_ERROR: i64 = -32603;
    /// Revisions until 2025-11-25: there is no such resource.
    pub const RESOURCE_NOT_FOUND: i64 = -32002;
    /// Revision 2025-11-25: somebody has to go to a page first.
    pub const URL_ELICITATION_REQUIRED: i64 = -32042;
    /// Revision 2026-07-28: headers and body say different things.
    pub const HEADER_MISMATCH: i64 = -32020;
    /// Revision 2026-07-28: the request takes a capability that the client did not declare.
    pub const MISSING_CAPABILITY: i64 = -32021;
    /// Revision 2026-07-28: the version is not spoken here.
    pub const UNSUPPORTED_VERSION: i64 = -32022;
    /// The gateway refused it: policy, a limit, or nobody's consent. Outside what JSON-RPC reserves.
    pub const REFUSED: i64 = -31001;
    /// The tool server can't be asked now. Outside what JSON-RPC reserves.
    pub const UNAVAILABLE: i64 = -31002;
    /// It took longer than it may. Outside what JSON-RPC reserves.
    pub const TIMED_OUT: i64 = -31003;
}

/// An error as it is sent.
#[derive(Debug, Clone, Serialize, Deserialize, thiserror::Error)]
#[error("{message} ({code})")]
pub struct RpcError {
    /// What kind.
    pub code: i64,
    /// What happened, for people.
    pub message: String,
    /// Further facts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Box<RawValue>>,
}

impl RpcError {
    /// An error of `code`.
    pub fn new(code: i64, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), data: None }
    }

    /// It is no JSON.
    pub fn parse(message: impl Into<String>) -> Self {
        Self::new(codes::PARSE_ERROR, message)
    }

    /// It is no message.
    pub fn invalid_request(message: impl Into<String>) -> Self {
        Self::new(codes::INVALID_REQUEST, message)
    }

    /// Nothing answers to that method.
    pub fn method_not_found(method: &str) -> Self {
        Self::new(codes::METHOD_NOT_FOUND, format!("there is no method {method:?} here"))
    }

    /// The method takes other parameters.
    pub fn invalid_params(message: impl Into<String>) -> Self {
        Self::new(codes::INVALID_PARAMS, message)
    }

    /// It went wrong here.
    pub fn internal() -> Self {
        Self::new(codes::INTERNAL_ERROR, "something went wrong in the gateway; its log says what")
    }

    /// The gateway refused it.
    pub fn refused(message: impl Into<String>) -> Self {
        Self::new(codes::REFUSED, message)
    }

    /// With further facts.
    #[must_use]
    pub fn with(mut self, data: &Object) -> Self {
        self.data = Some(data.raw());
        self
    }
}
