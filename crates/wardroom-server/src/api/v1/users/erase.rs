//! `DELETE /api/v1/users/{id}`

use crate::{context::Ctx, error::ApiError};
use axum::{extract::Path, http::StatusCode};
use wardroom_core::{Action, action::Resource};
use wardroom_wire::error::Problem;

/// Erase the person behind an account: their key is destroyed, and with it what is known of them here, in
/// backups and in the audit log. Only the account's id is left. This can't be undone.
#[utoipa::path(
    operation_id = "users_erase",
    delete, path = "/api/v1/users/{id}", tag = "users", params(("id" = String, Path)),
    responses((status = 204), (status = 404, body = Problem), (status = 409, body = Problem))
)]
pub(crate) async fn handler(ctx: Ctx, Path(id): Path<String>) -> Result<StatusCode, ApiError> {
    act(&ctx, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Erases.
pub(crate) async fn act(ctx: &Ctx, text: &str) -> Result<(), ApiError> {
    let user = super::find(ctx, text).await?;
    let allowed = ctx.authorise(Action::UserErase, &Resource::user(user.id)).await?;
    Ok(ctx.app.engine.erase_user(&user, allowed.draft(ctx)).await?)
}
