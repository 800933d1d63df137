//! `DELETE /api/v1/threads/{id}`

use super::find;
use crate::{context::Ctx, error::ApiError};
use axum::{extract::Path, http::StatusCode};
use wardroom_core::Action;
use wardroom_wire::error::Problem;

/// Forget a conversation, and what was said in it unless another one branched off it there. That its runs took place stays
/// known.
#[utoipa::path(
    operation_id = "threads_remove",
    delete, path = "/api/v1/threads/{id}", tag = "threads", params(("id" = String, Path)),
    responses((status = 204), (status = 404, body = Problem), (status = 409, body = Problem))
)]
pub(crate) async fn handler(ctx: Ctx, Path(id): Path<String>) -> Result<StatusCode, ApiError> {
    act(&ctx, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Forgets it.
pub(crate) async fn act(ctx: &Ctx, id: &str) -> Result<(), ApiError> {
    let (thread, allowed) = find(ctx, id, Action::ThreadRemove).await?;
    Ok(ctx.app.engine.remove_thread(thread.user, thread.id, allowed.draft(ctx)).await?)
}
