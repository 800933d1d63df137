//! `PATCH /api/v1/threads/{id}`

use super::{find, view};
use crate::{api::input::Json, context::Ctx, error::ApiError};
use axum::extract::Path;
use wardroom_core::Action;
use wardroom_wire::{
    error::Problem,
    threads::{ThreadPatch, ThreadView},
};

/// Call a conversation otherwise.
#[utoipa::path(
    operation_id = "threads_update",
    patch, path = "/api/v1/threads/{id}", tag = "threads", params(("id" = String, Path)),
    request_body = ThreadPatch,
    responses((status = 200, body = ThreadView), (status = 404, body = Problem), (status = 422, body = Problem))
)]
pub(crate) async fn handler(
    ctx: Ctx,
    Path(id): Path<String>,
    Json(body): Json<ThreadPatch>,
) -> Result<axum::Json<ThreadView>, ApiError> {
    act(&ctx, &id, &body).await.map(axum::Json)
}

/// Calls it otherwise.
pub(crate) async fn act(ctx: &Ctx, id: &str, body: &ThreadPatch) -> Result<ThreadView, ApiError> {
    let (thread, allowed) = find(ctx, id, Action::ThreadUpdate).await?;
    let (engine, audit) = (&ctx.app.engine, allowed.draft(ctx));
    view(ctx, &engine.retitle_thread(thread.user, thread.id, &body.title, audit).await?).await
}
