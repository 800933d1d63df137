//! `POST /api/v1/runs/{id}/cancel`

use crate::{context::Ctx, error::ApiError, view};
use axum::{Json, extract::Path};
use wardroom_core::Action;
use wardroom_wire::{api::RunView, error::Problem};

/// Stop a run. A queued one ends at once, a running one when its node has stopped it.
#[utoipa::path(
    operation_id = "runs_cancel",
    post, path = "/api/v1/runs/{id}/cancel", tag = "runs", params(("id" = String, Path)),
    responses((status = 200, body = RunView), (status = 404, body = Problem), (status = 409, body = Problem))
)]
pub(crate) async fn handler(ctx: Ctx, Path(id): Path<String>) -> Result<Json<RunView>, ApiError> {
    act(&ctx, &id).await.map(Json)
}

/// Stops a run.
pub(crate) async fn act(ctx: &Ctx, text: &str) -> Result<RunView, ApiError> {
    let run = super::find(ctx, text).await?;
    let allowed = ctx.authorise(Action::RunCancel, &ctx.run_resource(&run).await?).await?;
    let run = ctx.app.engine.cancel(run.id, allowed.draft(ctx)).await?;
    view::run(ctx, &run).await
}
