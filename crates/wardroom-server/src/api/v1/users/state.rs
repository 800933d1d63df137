//! `POST /api/v1/users/{id}/disable` and `/enable`

use crate::{context::Ctx, error::ApiError, view};
use axum::{Json, extract::Path};
use wardroom_core::{Action, action::Resource};
use wardroom_wire::{error::Problem, identity::UserView};

/// Turn an account away: its sessions end, its tokens don't count until it is enabled again.
#[utoipa::path(
    operation_id = "users_disable",
    post, path = "/api/v1/users/{id}/disable", tag = "users", params(("id" = String, Path)),
    responses((status = 200, body = UserView), (status = 404, body = Problem), (status = 409, body = Problem))
)]
pub(crate) async fn disable(ctx: Ctx, Path(id): Path<String>) -> Result<Json<UserView>, ApiError> {
    act(&ctx, &id, false).await.map(Json)
}

/// Let a disabled account in again.
#[utoipa::path(
    operation_id = "users_enable",
    post, path = "/api/v1/users/{id}/enable", tag = "users", params(("id" = String, Path)),
    responses((status = 200, body = UserView), (status = 404, body = Problem), (status = 409, body = Problem))
)]
pub(crate) async fn enable(ctx: Ctx, Path(id): Path<String>) -> Result<Json<UserView>, ApiError> {
    act(&ctx, &id, true).await.map(Json)
}

/// Does it.
pub(crate) async fn act(ctx: &Ctx, text: &str, enabled: bool) -> Result<UserView, ApiError> {
    let user = super::find(ctx, text).await?;
    let action = if enabled { Action::UserEnable } else { Action::UserDisable };
    let allowed = ctx.authorise(action, &Resource::user(user.id)).await?;
    let changed = ctx.app.engine.enable_user(&user, enabled, allowed.draft(ctx)).await?;
    view::user(&ctx.app, &changed).await
}
