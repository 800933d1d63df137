//! `POST /api/v1/tool-servers`

use super::super::super::input::Json;
use crate::{context::Ctx, error::ApiError};
use axum::http::StatusCode;
use wardroom_core::{Action, action::Resource};
use wardroom_gateway::registry::Wish;
use wardroom_wire::{
    error::Problem,
    tools::{ToolServerCreate, ToolServerView},
};

/// Register a tool server. Its tools wait until somebody accepts them.
#[utoipa::path(
    operation_id = "tool_servers_create",
    post, path = "/api/v1/tool-servers", tag = "tool servers", request_body = ToolServerCreate,
    responses((status = 201, body = ToolServerView), (status = 422, body = Problem))
)]
pub(crate) async fn handler(
    ctx: Ctx,
    Json(body): Json<ToolServerCreate>,
) -> Result<(StatusCode, axum::Json<ToolServerView>), ApiError> {
    Ok((StatusCode::CREATED, axum::Json(add(&ctx, body).await?)))
}

/// Registers one.
pub(crate) async fn add(ctx: &Ctx, body: ToolServerCreate) -> Result<ToolServerView, ApiError> {
    let allowed = ctx.authorise(Action::ToolServerCreate, &Resource::system()).await?;
    let shown = super::shown(body.shown);
    super::may_use(ctx, &shown).await?;
    let wish = Wish {
        name: body.name,
        about: body.about,
        way: super::way(ctx, body.way).await?,
        shown,
        limits: super::limits(body.limits),
    };
    let registry = &ctx.app.gateway.registry;
    let server = registry.add(wish, ctx.user()?, allowed.draft(ctx)).await?;
    Ok(super::view(ctx, &server, &[]))
}
