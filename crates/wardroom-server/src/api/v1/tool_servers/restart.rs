//! `POST /api/v1/tool-servers/{name}/restart`

use crate::{context::Ctx, error::ApiError};
use axum::{extract::Path, http::StatusCode};
use wardroom_core::Action;
use wardroom_wire::error::Problem;

/// Forget what is known of how a tool server is: its sessions end, its circuit breaker closes, it is looked at anew.
#[utoipa::path(
    operation_id = "tool_servers_restart",
    post, path = "/api/v1/tool-servers/{name}/restart", tag = "tool servers", params(("name" = String, Path)),
    responses((status = 204), (status = 404, body = Problem))
)]
pub(crate) async fn handler(ctx: Ctx, Path(name): Path<String>) -> Result<StatusCode, ApiError> {
    restart(&ctx, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Begins anew with one.
pub(crate) async fn restart(ctx: &Ctx, name: &str) -> Result<(), ApiError> {
    let (server, allowed) = super::find(ctx, name, Action::ToolServerRestart).await?;
    ctx.app.engine.record(allowed.draft(ctx).on(&server.name)).await?;
    if let Some(known) = ctx.app.gateway.registry.server(&server.name) {
        known.upstream.restart().await;
        // What it finds is told by the server's health.
        let _ = ctx.app.gateway.registry.look(&known).await;
    }
    Ok(())
}
