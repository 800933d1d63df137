//! `POST /api/v1/requests/{id}/cancel`

use crate::{context::Ctx, error::ApiError};
use axum::{Json, extract::Path};
use wardroom_core::{Action, desk::request::RequestState};
use wardroom_engine::desk::RequestChange;
use wardroom_wire::{desk::RequestView, error::Problem};

/// Cancel a request. Its command is asked to stop.
#[utoipa::path(
    operation_id = "requests_cancel",
    post, path = "/api/v1/requests/{id}/cancel", tag = "requests", params(("id" = String, Path)),
    responses((status = 200, body = RequestView), (status = 404, body = Problem), (status = 409, body = Problem))
)]
pub(crate) async fn handler(
    ctx: Ctx,
    Path(id): Path<String>,
) -> Result<Json<RequestView>, ApiError> {
    act(&ctx, &id).await.map(Json)
}

/// Cancels it.
pub(crate) async fn act(ctx: &Ctx, id: &str) -> Result<RequestView, ApiError> {
    let (request, allowed) = super::find(ctx, id, Action::RequestCancel).await?;
    let engine = &ctx.app.engine;
    let wanted = RequestChange { state: Some(RequestState::Cancelled), ..RequestChange::default() };
    let cancelled = engine.change_request(&request, wanted, allowed.draft(ctx)).await?;
    engine.stop_runs_of(request.id, &ctx.draft(Action::RunCancel)).await?;
    super::show(ctx, &cancelled).await
}
