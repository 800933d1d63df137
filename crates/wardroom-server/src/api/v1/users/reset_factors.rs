//! `POST /api/v1/users/{id}/reset-factors`

use crate::{context::Ctx, error::ApiError};
use axum::{extract::Path, http::StatusCode};
use wardroom_core::{Action, action::Resource};
use wardroom_wire::error::Problem;

/// Remove all second factors of somebody who has lost them. The account's sessions end.
#[utoipa::path(
    operation_id = "users_reset_factors",
    post, path = "/api/v1/users/{id}/reset-factors", tag = "users", params(("id" = String, Path)),
    responses((status = 204), (status = 404, body = Problem))
)]
pub(crate) async fn handler(ctx: Ctx, Path(id): Path<String>) -> Result<StatusCode, ApiError> {
    act(&ctx, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Removes them.
pub(crate) async fn act(ctx: &Ctx, text: &str) -> Result<(), ApiError> {
    let user = super::find(ctx, text).await?;
    let allowed = ctx.authorise(Action::UserResetFactors, &Resource::user(user.id)).await?;
    Ok(ctx.app.engine.remove_factors(&user, None, allowed.draft(ctx)).await?)
}
