//! `POST /api/v1/links/redeem`

use super::super::input::Json;
use crate::{App, error::ApiError, identity, middleware::RequestInfo};
use axum::{Extension, extract::State, http::StatusCode};
use secrecy::SecretString;
use std::sync::Arc;
use wardroom_wire::{
    error::{ErrorCode, Problem},
    identity::{LinkRedeem, PasswordReset},
};

/// Have a link that sets a new password sent to an account's e-mail address. The answer is the same whether there
/// is such an account or not.
#[utoipa::path(
    operation_id = "password_reset",
    post, path = "/api/v1/password-reset", tag = "account", request_body = PasswordReset, security(()),
    responses((status = 202), (status = 404, body = Problem))
)]
pub(crate) async fn ask_reset(
    State(app): State<Arc<App>>,
    Extension(info): Extension<RequestInfo>,
    Json(body): Json<PasswordReset>,
) -> Result<StatusCode, ApiError> {
    if !app.engine.outlets().mail {
        return Err(ApiError::say(
            ErrorCode::NotFound,
            "This installation sends no e-mail: ask an administrator for a link.",
        ));
    }
    identity::ask_reset(&app, &info, &body.name);
    Ok(StatusCode::ACCEPTED)
}

/// Set a password by a single-use link. Then sign in with it.
#[utoipa::path(
    operation_id = "links_redeem",
    post, path = "/api/v1/links/redeem", tag = "account", request_body = LinkRedeem, security(()),
    responses((status = 204), (status = 401, body = Problem), (status = 422, body = Problem))
)]
pub(crate) async fn redeem(
    State(app): State<Arc<App>>,
    Extension(info): Extension<RequestInfo>,
    Json(body): Json<LinkRedeem>,
) -> Result<StatusCode, ApiError> {
    identity::redeem(&app, &info, &body.secret, SecretString::from(body.password)).await?;
    Ok(StatusCode::NO_CONTENT)
}
