//! Errors in the words of the APIs that programs know: their libraries make typed errors of them.

use crate::error::ApiError;
use serde_json::{Value, json};
use wardroom_wire::error::ErrorCode;

/// An error's document, by the path that was asked.
pub(crate) fn problem(error: &ApiError, path: &str, request: &str) -> Value {
    match path.starts_with("/v1/messages") {
        true => anthropic(error, request),
        false => openai(error),
    }
}

/// What is said: also of single fields.
fn message(error: &ApiError) -> String {
    let fields = error.fields.iter().map(|field| format!("{}: {}", field.field, field.reason));
    let said = error.detail.clone().into_iter().chain(fields);
    let text = said.collect::<Vec<_>>().join(" ");
    if text.is_empty() { error.code.title().to_owned() } else { text }
}

pub(super) fn openai(error: &ApiError) -> Value {
    let (kind, code) = match error.code {
        ErrorCode::Unauthenticated => ("authentication_error", "invalid_api_key"),
        ErrorCode::Forbidden => ("permission_error", "forbidden"),
        ErrorCode::NotFound => ("invalid_request_error", "model_not_found"),
        ErrorCode::ContextTooLong => ("invalid_request_error", "context_length_exceeded"),
        ErrorCode::ModelRefused => ("invalid_request_error", "model_refused"),
        ErrorCode::BudgetSpent => ("insufficient_quota", "insufficient_quota"),
        ErrorCode::TooManyRequests | ErrorCode::ModelBusy => {
            ("rate_limit_error", "rate_limit_exceeded")
        }
        code if code.status() < 500 => ("invalid_request_error", code.as_str()),
        code => ("server_error", code.as_str()),
    };
    let param = error.fields.first().map(|field| field.field.as_str());
    let error = json!({"message": message(error), "type": kind, "param": param, "code": code});
    json!({ "error": error })
}

pub(super) fn anthropic(error: &ApiError, request: &str) -> Value {
    let kind = match error.code {
        ErrorCode::Unauthenticated => "authentication_error",
        ErrorCode::Forbidden => "permission_error",
        ErrorCode::NotFound => "not_found_error",
        ErrorCode::TooLarge => "request_too_large",
        ErrorCode::BudgetSpent => "billing_error",
        ErrorCode::TooManyRequests | ErrorCode::ModelBusy => "rate_limit_error",
        ErrorCode::Busy | ErrorCode::ModelUnavailable => "overloaded_error",
        ErrorCode::TimedOut => "timeout_error",
        code if code.status() < 500 => "invalid_request_error",
        _ => "api_error",
    };
    let error = json!({"type": kind, "message": message(error)});
    json!({"type": "error", "error": error, "request_id": request})
}
