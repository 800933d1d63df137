//! `DELETE /api/v1/nodes/{id}`

use crate::{context::Ctx, error::ApiError};
use axum::{extract::Path, http::StatusCode};
use wardroom_core::{Action, action::Resource};
use wardroom_wire::error::Problem;

/// Forget a node for good; its link closes at once and its runs end.
#[utoipa::path(
    operation_id = "nodes_remove",
    delete, path = "/api/v1/nodes/{id}", tag = "nodes", params(("id" = String, Path)),
    responses((status = 204), (status = 404, body = Problem))
)]
pub(crate) async fn handler(ctx: Ctx, Path(id): Path<String>) -> Result<StatusCode, ApiError> {
    act(&ctx, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Forgets a node.
pub(crate) async fn act(ctx: &Ctx, text: &str) -> Result<(), ApiError> {
    let node = super::find(ctx, text).await?;
    let allowed = ctx.authorise(Action::NodeRemove, &Resource::node(&node)).await?;
    Ok(ctx.app.engine.remove_node(node.id, allowed.draft(ctx)).await?)
}
