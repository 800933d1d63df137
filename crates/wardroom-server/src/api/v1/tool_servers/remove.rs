//! `DELETE /api/v1/tool-servers/{name}`

use crate::{context::Ctx, error::ApiError};
use axum::{extract::Path, http::StatusCode};
use wardroom_core::Action;
use wardroom_wire::error::Problem;

/// Forget a tool server with its tools. Calls of these stay known.
#[utoipa::path(
    operation_id = "tool_servers_remove",
    delete, path = "/api/v1/tool-servers/{name}", tag = "tool servers", params(("name" = String, Path)),
    responses((status = 204), (status = 404, body = Problem))
)]
pub(crate) async fn handler(ctx: Ctx, Path(name): Path<String>) -> Result<StatusCode, ApiError> {
    forget(&ctx, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Forgets one.
pub(crate) async fn forget(ctx: &Ctx, name: &str) -> Result<(), ApiError> {
    let (server, allowed) = super::find(ctx, name, Action::ToolServerRemove).await?;
    Ok(ctx.app.gateway.registry.remove(&server, allowed.draft(ctx)).await?)
}
