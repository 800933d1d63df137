//! `PATCH /api/v1/tool-servers/{name}`

use super::super::super::input::Json;
use crate::{
    api::version::{etag, if_match, or_stale},
    context::Ctx,
    error::ApiError,
};
use axum::{extract::Path, http::HeaderMap};
use wardroom_core::Action;
use wardroom_wire::{
    error::Problem,
    tools::{ToolServerPatch, ToolServerView},
};

/// Change, enable or disable a tool server. `If-Match` names the version that was read.
#[utoipa::path(
    operation_id = "tool_servers_update",
    patch, path = "/api/v1/tool-servers/{name}", tag = "tool servers", request_body = ToolServerPatch,
    params(("name" = String, Path), ("If-Match" = String, Header)),
    responses((status = 200, body = ToolServerView), (status = 412, body = Problem), (status = 428, body = Problem))
)]
pub(crate) async fn handler(
    ctx: Ctx,
    Path(name): Path<String>,
    headers: HeaderMap,
    Json(body): Json<ToolServerPatch>,
) -> Result<(HeaderMap, axum::Json<ToolServerView>), ApiError> {
    let (server, _) = super::find(&ctx, &name, Action::ToolServerUpdate).await?;
    let version = if_match(&headers, server.version)?;
    let view = change(&ctx, &name, version, body).await.map_err(or_stale)?;
    Ok((etag(view.version)?, axum::Json(view)))
}

/// Changes one, in place of this version.
pub(crate) async fn change(
    ctx: &Ctx,
    name: &str,
    version: i64,
    body: ToolServerPatch,
) -> Result<ToolServerView, ApiError> {
    let (mut server, allowed) = super::find(ctx, name, Action::ToolServerUpdate).await?;
    let before = server.clone();
    server.version = version + 1;
    let way = match body.way {
        Some(way) => Some(super::way(ctx, way).await?),
        None => None,
    };
    // SECURITY: another address is shown the same secret, so whoever names it must be allowed to use it.
    let moved = way.as_ref().is_some_and(|way| *way != server.way);
    let shown = body.shown.map(super::shown);
    if shown.is_some() || moved {
        super::may_use(ctx, shown.as_ref().unwrap_or(&server.shown)).await?;
    }
    server.way = way.unwrap_or(server.way);
    server.shown = shown.unwrap_or(server.shown);
    server.about = body.about.unwrap_or(server.about).trim().to_owned();
    server.limits = body.limits.map_or(server.limits, super::limits);
    server.enabled = body.enabled.unwrap_or(server.enabled);
    ctx.app.gateway.registry.update(&before, server.clone(), allowed.draft(ctx)).await?;
    let tools = ctx.app.engine.store().list_tools(server.id).await?;
    Ok(super::view(ctx, &server, &tools))
}
