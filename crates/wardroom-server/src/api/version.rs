//! Versions of things as entity tags: who changes something names the version that they read.

use crate::error::ApiError;
use axum::http::{HeaderMap, HeaderValue, header};
use wardroom_wire::error::ErrorCode;

/// The entity tag of a version (RFC 9110 §8.8.3).
pub(crate) fn etag(version: i64) -> Result<HeaderMap, ApiError> {
    let value = HeaderValue::from_str(&format!("\"{version}\"")).map_err(ApiError::internal)?;
    Ok(HeaderMap::from_iter([(header::ETAG, value)]))
}

/// The version that `If-Match` names; `current` for `*` (RFC 9110 §13.1.1).
pub(crate) fn if_match(headers: &HeaderMap, current: i64) -> Result<i64, ApiError> {
    let named = headers.get(header::IF_MATCH).ok_or_else(|| {
        ApiError::say(ErrorCode::PreconditionRequired, "Send the ETag that you read as If-Match.")
    })?;
    let tag = named.to_str().ok().map(str::trim);
    let version = tag.and_then(|tag| match tag {
        "*" => Some(current),
        tag => tag.trim_matches('"').parse().ok(),
    });
    version.ok_or_else(stale)
}

/// What is changed is of another version by now.
pub(crate) fn stale() -> ApiError {
    ApiError::say(ErrorCode::PreconditionFailed, "It changed since you read it: read it again.")
}

/// A conflict where `If-Match` was sent is about that version.
pub(crate) fn or_stale(error: ApiError) -> ApiError {
    match error.code {
        ErrorCode::Conflict => stale(),
        _ => error,
    }
}
