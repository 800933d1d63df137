//! `GET /api/v1/runs/{id}`

use crate::{context::Ctx, error::ApiError, view};
use axum::{Json, extract::Path};
use wardroom_core::Action;
use wardroom_wire::{api::RunView, error::Problem};

/// A run.
#[utoipa::path(
    operation_id = "runs_get",
    get, path = "/api/v1/runs/{id}", tag = "runs", params(("id" = String, Path)),
    responses((status = 200, body = RunView), (status = 404, body = Problem))
)]
pub(crate) async fn handler(ctx: Ctx, Path(id): Path<String>) -> Result<Json<RunView>, ApiError> {
    load(&ctx, &id).await.map(Json)
}

/// A run.
pub(crate) async fn load(ctx: &Ctx, text: &str) -> Result<RunView, ApiError> {
    let run = super::find(ctx, text).await?;
    ctx.authorise(Action::RunRead, &ctx.run_resource(&run).await?).await?;
    view::run(ctx, &run).await
}
