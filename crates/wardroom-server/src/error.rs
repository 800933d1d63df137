//! The one error of all handlers, and how it leaves as a problem document (RFC 9457).

use axum::response::{IntoResponse, Response};
use std::{error::Error, sync::Arc, time::Duration};
use wardroom_core::{Action, store::StoreError};
use wardroom_engine::EngineError;
use wardroom_wire::error::{ErrorCode, FieldProblem};

/// What went wrong, for the caller and for the log.
#[derive(Debug, Clone)]
pub(crate) struct ApiError {
    /// The stable code.
    pub(crate) code: ErrorCode,
    /// For the caller; absent where the title says it all.
    pub(crate) detail: Option<String>,
    /// Single fields.
    pub(crate) fields: Vec<FieldProblem>,
    /// When to try again.
    pub(crate) retry_after: Option<Duration>,
    /// What the caller's token lacks, where it is that.
    pub(crate) lacks: Option<Action>,
    /// The approval that it waits for.
    pub(crate) approval: Option<String>,
    /// For the log only.
    pub(crate) source: Option<Arc<dyn Error + Send + Sync>>,
}

impl ApiError {
    pub(crate) fn new(code: ErrorCode) -> Self {
        Self {
            code,
            detail: None,
            fields: vec![],
            retry_after: None,
            lacks: None,
            approval: None,
            source: None,
        }
    }

    pub(crate) fn say(code: ErrorCode, detail: impl Into<String>) -> Self {
        Self { detail: Some(detail.into()), ..Self::new(code) }
    }

    pub(crate) fn field(field: &str, reason: impl Into<String>) -> Self {
        let fields = vec![FieldProblem { field: field.to_owned(), reason: reason.into() }];
        Self { fields, ..Self::new(ErrorCode::InvalidField) }
    }

    /// What is not there is what is wrong with this field; anything else stays what it is.
    pub(crate) fn or_field(self, field: &str, reason: impl Into<String>) -> Self {
        if self.code == ErrorCode::NotFound { Self::field(field, reason) } else { self }
    }

    pub(crate) fn internal(source: impl Error + Send + Sync + 'static) -> Self {
        Self { source: Some(Arc::new(source)), ..Self::new(ErrorCode::Internal) }
    }

    pub(crate) fn not_found() -> Self {
        Self::say(ErrorCode::NotFound, "There is no such thing, or none that you may see.")
    }
}

impl IntoResponse for ApiError {
    /// The status and the error itself as an extension; the outermost middleware, which knows the
    /// request's id and whether a browser page or a program asked, writes the body and the log.
    fn into_response(self) -> Response {
        let status = axum::http::StatusCode::from_u16(self.code.status())
            .unwrap_or(axum::http::StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::Conflict(_) => {
                Self::say(ErrorCode::Conflict, "It changed meanwhile: read it again, then repeat.")
            }
            StoreError::Duplicate(what) => {
                Self::say(ErrorCode::NameTaken, format!("The {what} is taken: choose another."))
            }
            StoreError::Unavailable(_) | StoreError::Full(_) | StoreError::Transient(_) => Self {
                detail: Some(
                    "It is not certain whether it was done: look, then try again. Operators find the cause in the log.".into(),
                ),
                source: Some(Arc::new(error)),
                ..Self::new(ErrorCode::StoreUnavailable)
            },
            StoreError::Spent(_) => Self::say(ErrorCode::BudgetSpent, capital(&error.to_string())),
            StoreError::Corrupt { .. } | StoreError::Other(_) => Self::internal(error),
        }
    }
}

impl From<EngineError> for ApiError {
    fn from(error: EngineError) -> Self {
        let text = error.to_string();
        match error {
            EngineError::NotFound(_) => Self::not_found(),
            EngineError::RunState(_) | EngineError::NotRepeated(_) => {
                Self::say(ErrorCode::RunState, capital(&text))
            }
            EngineError::Parameters(errors) => Self {
                fields: errors
                    .into_iter()
                    .map(|error| FieldProblem { field: error.parameter, reason: error.reason })
                    .collect(),
                ..Self::say(ErrorCode::InvalidParameter, "The command was not submitted.")
            },
            EngineError::UnknownCommand(_) => Self::say(
                ErrorCode::UnknownCommand,
                format!("{} Its catalogue lists what it offers.", capital(&text)),
            ),
            EngineError::NoNode(_) => Self::say(ErrorCode::NoNode, capital(&text)),
            EngineError::TooManyNodes { .. } => Self::field("labels", text),
            EngineError::TooOften => Self::say(ErrorCode::Busy, capital(&text)),
            EngineError::NodeDisabled => Self::say(ErrorCode::NodeDisabled, capital(&text)),
            EngineError::Field { field, reason } => Self::field(field, reason),
            EngineError::IdempotencyMismatch => Self::say(
                ErrorCode::IdempotencyMismatch,
                "This key stood on another request: use a new key for a new request.",
            ),
            EngineError::JoinToken(_) => Self::say(
                ErrorCode::JoinTokenRefused,
                "The join token is not known, was used, was revoked or has expired: make a new one.",
            ),
            EngineError::NodeProof(_) => Self::say(
                ErrorCode::NodeRefused,
                "The node is not known here, is disabled, or did not prove that it holds its key.",
            ),
            EngineError::Fields(errors) => Self {
                fields: errors
                    .into_iter()
                    .map(|error| FieldProblem { field: error.field, reason: error.reason })
                    .collect(),
                ..Self::new(ErrorCode::InvalidField)
            },
            EngineError::RequestState(_) => Self::say(ErrorCode::RequestState, capital(&text)),
            EngineError::Erased => Self::say(ErrorCode::RequestState, capital(&text)),
            EngineError::NotOrdered(_) => Self::say(ErrorCode::NotOrdered, capital(&text)),
            EngineError::NotAsked | EngineError::ThreadBusy => {
                Self::say(ErrorCode::RunState, capital(&text))
            }
            EngineError::Journal(_) => Self::internal(error),
            EngineError::ApprovalState(_) => Self::say(ErrorCode::ApprovalState, capital(&text)),
            EngineError::LimitReached(_) => Self::say(ErrorCode::LimitReached, capital(&text)),
            EngineError::LastAdministrator => {
                Self::say(ErrorCode::LastAdministrator, capital(&text))
            }
            EngineError::AccountState => Self::say(ErrorCode::AccountState, capital(&text)),
            EngineError::NameTaken => {
                Self::say(ErrorCode::NameTaken, "A node has this name: choose another with --name.")
            }
            EngineError::Conflict => {
                Self::say(ErrorCode::Conflict, "It changed meanwhile: read it again, then repeat.")
            }
            EngineError::Store(error) => error.into(),
            EngineError::Seal(_) => Self::internal(error),
        }
    }
}

/// A sentence from an error's text.
pub(crate) fn capital(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(char::to_uppercase).into_iter().flatten();
    first.chain(letters).chain(Some('.').filter(|_| !text.ends_with('.'))).collect()
}
