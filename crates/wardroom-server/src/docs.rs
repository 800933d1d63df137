//! `GET /docs/errors/{code}`: what an error means, where its problem document points.

use crate::error::ApiError;
use axum::{extract::Path, http::header, response::IntoResponse};
use wardroom_wire::error::ErrorCode;

macro_rules! pages {
    ($($code:literal),+ $(,)?) => {
        &[$(($code, include_str!(concat!("../../../docs/errors/", $code, ".md")))),+]
    };
}

const PAGES: &[(&str, &str)] = pages!(
    "bad_request",
    "invalid_field",
    "invalid_parameter",
    "node_disabled",
    "unauthenticated",
    "sign_in_failed",
    "forbidden",
    "second_factor_required",
    "password_change_required",
    "second_factor_setup_required",
    "fresh_proof_required",
    "proof_refused",
    "link_refused",
    "last_administrator",
    "policy_locks_out",
    "account_state",
    "cross_site",
    "wrong_host",
    "not_found",
    "method_not_allowed",
    "conflict",
    "idempotency_mismatch",
    "name_taken",
    "request_state",
    "not_ordered",
    "limit_reached",
    "run_state",
    "approval_state",
    "approval_required",
    "precondition_failed",
    "precondition_required",
    "too_large",
    "unsupported_media_type",
    "no_node",
    "unknown_command",
    "join_token_refused",
    "node_refused",
    "blocked",
    "filtered",
    "too_many_requests",
    "busy",
    "timed_out",
    "tool_failed",
    "model_failed",
    "model_busy",
    "model_unavailable",
    "model_refused",
    "context_too_long",
    "budget_spent",
    "authorization_failed",
    "store_unavailable",
    "internal",
);

/// The page, as it stands in the documentation.
pub(crate) async fn handler(Path(code): Path<String>) -> Result<impl IntoResponse, ApiError> {
    let page = PAGES.iter().find(|(known, _)| *known == code).ok_or_else(ApiError::not_found)?;
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], page.1))
}

/// Where the page of a code is.
pub(crate) fn path(code: ErrorCode) -> String {
    format!("/docs/errors/{}", code.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_page() {
        let codes: Vec<&str> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
        let pages: Vec<&str> = PAGES.iter().map(|(code, _)| *code).collect();
        assert_eq!(pages, codes);
    }
}
