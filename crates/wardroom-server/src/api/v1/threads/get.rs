//! `GET /api/v1/threads/{id}`

use super::{find, view};
use crate::{context::Ctx, error::ApiError};
use axum::{Json, extract::Path};
use wardroom_core::Action;
use wardroom_wire::{error::Problem, threads::ThreadView};

/// A conversation of the caller's.
#[utoipa::path(
    operation_id = "threads_get",
    get, path = "/api/v1/threads/{id}", tag = "threads", params(("id" = String, Path)),
    responses((status = 200, body = ThreadView), (status = 404, body = Problem))
)]
pub(crate) async fn handler(
    ctx: Ctx,
    Path(id): Path<String>,
) -> Result<Json<ThreadView>, ApiError> {
    load(&ctx, &id).await.map(Json)
}

/// A conversation.
pub(crate) async fn load(ctx: &Ctx, id: &str) -> Result<ThreadView, ApiError> {
    let (thread, _) = find(ctx, id, Action::ThreadRead).await?;
    view(ctx, &thread).await
}
