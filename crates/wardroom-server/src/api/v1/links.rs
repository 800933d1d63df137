//! `POST /api/v1/links/redeem`

use super::super::input::Json;
use crate::{App, error::ApiError, identity, middleware::RequestInfo};
use axum::{Extension, extract::State, http::StatusCode};
use secrecy::SecretString;
use std::sync::Arc;
use wardroom_wire::{error::Problem, identity::LinkRedeem};

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
