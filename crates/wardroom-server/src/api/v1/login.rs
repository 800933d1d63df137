//! `POST /api/v1/login`, and the same with a passkey.

use super::super::input::Json;
use crate::{App, error::ApiError, identity, middleware::RequestInfo};
use axum::{Extension, extract::State, http::StatusCode};
use secrecy::SecretString;
use std::sync::Arc;
use wardroom_core::identity::SessionKind;
use wardroom_wire::{
    error::Problem,
    identity::{Ceremony, LoginRequest, PasskeyAnswer, SignedIn},
};

/// Exchange a name and a password for a session's tokens.
#[utoipa::path(
    operation_id = "login",
    post, path = "/api/v1/login", tag = "account", request_body = LoginRequest, security(()),
    responses((status = 201, body = SignedIn), (status = 401, body = Problem), (status = 503, body = Problem))
)]
pub(crate) async fn handler(
    State(app): State<Arc<App>>,
    Extension(info): Extension<RequestInfo>,
    Json(body): Json<LoginRequest>,
) -> Result<(StatusCode, axum::Json<SignedIn>), ApiError> {
    let proof = (body.name.as_str(), SecretString::from(body.password));
    let code = body.code.as_deref();
    let opened =
        identity::sign_in(&app, &info, proof, code, SessionKind::Client, &body.client).await?;
    Ok((StatusCode::CREATED, axum::Json(opened.tokens(&app).await?)))
}

/// Begin to sign in with a passkey: without a name, whichever one the browser has.
#[utoipa::path(
    operation_id = "login_passkey_begin",
    post, path = "/api/v1/login/passkey", tag = "account", security(()),
    responses((status = 200, body = Ceremony), (status = 400, body = Problem))
)]
pub(crate) async fn begin_passkey(
    State(app): State<Arc<App>>,
) -> Result<axum::Json<Ceremony>, ApiError> {
    app.ask_passkey(None).await.map(axum::Json)
}

/// Exchange a passkey's answer for a session's tokens.
#[utoipa::path(
    operation_id = "login_passkey_finish",
    post, path = "/api/v1/login/passkey/finish", tag = "account", request_body = PasskeyAnswer, security(()),
    responses((status = 201, body = SignedIn), (status = 401, body = Problem))
)]
pub(crate) async fn finish_passkey(
    State(app): State<Arc<App>>,
    Extension(info): Extension<RequestInfo>,
    Json(body): Json<PasskeyAnswer>,
) -> Result<(StatusCode, axum::Json<SignedIn>), ApiError> {
    let opened = app.sign_in_by_passkey(&info, &body, SessionKind::Client, &body.client).await?;
    Ok((StatusCode::CREATED, axum::Json(opened.tokens(&app).await?)))
}
