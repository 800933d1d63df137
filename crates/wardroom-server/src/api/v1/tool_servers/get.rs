//! `GET /api/v1/tool-servers/{name}`

use crate::{api::version::etag, context::Ctx, error::ApiError};
use axum::{Json, extract::Path, http::HeaderMap};
use wardroom_core::Action;
use wardroom_wire::{error::Problem, tools::ToolServerView};

/// A tool server.
#[utoipa::path(
    operation_id = "tool_servers_get",
    get, path = "/api/v1/tool-servers/{name}", tag = "tool servers", params(("name" = String, Path)),
    responses((status = 200, body = ToolServerView), (status = 404, body = Problem))
)]
pub(crate) async fn handler(
    ctx: Ctx,
    Path(name): Path<String>,
) -> Result<(HeaderMap, Json<ToolServerView>), ApiError> {
    let view = load(&ctx, &name).await?;
    Ok((etag(view.version)?, Json(view)))
}

/// A tool server.
pub(crate) async fn load(ctx: &Ctx, name: &str) -> Result<ToolServerView, ApiError> {
    let (server, _) = super::find(ctx, name, Action::ToolServerRead).await?;
    let tools = ctx.app.engine.store().list_tools(server.id).await?;
    Ok(super::view(ctx, &server, &tools))
}
