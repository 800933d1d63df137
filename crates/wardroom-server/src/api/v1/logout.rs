//! `POST /api/v1/logout`

use super::super::input::Json;
use crate::{context::Ctx, error::ApiError};
use axum::http::StatusCode;
use wardroom_wire::{error::Problem, identity::LogoutRequest};

/// End this session or token, or all of the account's.
#[utoipa::path(
    operation_id = "logout",
    post, path = "/api/v1/logout", tag = "account", request_body = LogoutRequest,
    responses((status = 204), (status = 401, body = Problem))
)]
pub(crate) async fn handler(
    ctx: Ctx,
    Json(body): Json<LogoutRequest>,
) -> Result<StatusCode, ApiError> {
    super::sessions::end::act(&ctx, body.everywhere).await?;
    Ok(StatusCode::NO_CONTENT)
}
