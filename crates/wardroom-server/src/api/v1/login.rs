//! `POST /api/v1/login`

use super::super::input::Json;
use crate::{App, error::ApiError, identity, middleware::RequestInfo, view};
use axum::{Extension, extract::State, http::StatusCode};
use secrecy::{ExposeSecret, SecretString};
use std::sync::Arc;
use wardroom_wire::{
    api::{LoginRequest, NewToken},
    error::Problem,
};

/// Exchange a name and a password for an API token.
#[utoipa::path(
    operation_id = "login",
    post, path = "/api/v1/login", tag = "account", request_body = LoginRequest, security(()),
    responses((status = 201, body = NewToken), (status = 401, body = Problem), (status = 503, body = Problem))
)]
pub(crate) async fn handler(
    State(app): State<Arc<App>>,
    Extension(info): Extension<RequestInfo>,
    Json(body): Json<LoginRequest>,
) -> Result<(StatusCode, axum::Json<NewToken>), ApiError> {
    // Before the password is looked at: it must not be found out without a record.
    let wanted = identity::WantedToken::new(&body.token_name, body.expires_in)?;
    let password = SecretString::from(body.password);
    let user = identity::check_password(&app, &info, &body.name, password).await?;
    let audit = identity::signed_in(&app, &info, &user);
    let (token, secret) = identity::issue_token(&app, user.id, wanted, None, audit).await?;
    let answer =
        NewToken { token: view::token(&token), secret: secret.expose().expose_secret().to_owned() };
    Ok((StatusCode::CREATED, axum::Json(answer)))
}
