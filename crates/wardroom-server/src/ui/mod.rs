//! The dashboard.

use crate::error::ApiError;
use axum::response::{IntoResponse, Response};

/// An error as a page.
pub(crate) fn error_page(error: &ApiError, request: &str, path: &str) -> Response {
    let _ = path;
    (format!("{}\n{}\n{request}\n", error.code.title(), error.detail.clone().unwrap_or_default()))
        .into_response()
}
