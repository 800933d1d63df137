//! `POST /api/v1/session/refresh`

use super::super::super::input::Json;
use crate::{App, error::ApiError, identity, middleware::RequestInfo};
use axum::{Extension, extract::State};
use std::sync::Arc;
use wardroom_wire::{
    error::Problem,
    identity::{RefreshRequest, SignedIn},
};

/// Exchange a session's refresh token for the next pair of tokens. It is good once: used twice, it ends the
/// session.
#[utoipa::path(
    operation_id = "session_refresh",
    post, path = "/api/v1/session/refresh", tag = "account", request_body = RefreshRequest, security(()),
    responses((status = 200, body = SignedIn), (status = 401, body = Problem))
)]
pub(crate) async fn handler(
    State(app): State<Arc<App>>,
    Extension(info): Extension<RequestInfo>,
    Json(body): Json<RefreshRequest>,
) -> Result<axum::Json<SignedIn>, ApiError> {
    let opened = identity::refresh(&app, &info, &body.refresh_token, None).await?;
    opened.tokens(&app).await.map(axum::Json)
}
