//! `GET /api/v1/health`

use crate::{context::Ctx, error::ApiError, health};
use axum::Json;
use wardroom_wire::{api::HealthView, error::Problem};

/// How each part is.
#[utoipa::path(
    operation_id = "health",
    get, path = "/api/v1/health", tag = "overview",
    responses((status = 200, body = HealthView), (status = 403, body = Problem))
)]
pub(crate) async fn handler(ctx: Ctx) -> Result<Json<HealthView>, ApiError> {
    Ok(Json(health::detailed(&ctx.app).await))
}
