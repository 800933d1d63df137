//! `GET /api/v1/users/{id}/export`

use crate::{context::Ctx, disclosure, error::ApiError};
use axum::{extract::Path, response::Response};
use wardroom_core::{Action, action::Resource, identity::User};
use wardroom_wire::error::Problem;

/// What the archive is called.
const TITLE: &str = "What is known of you";

/// Everything that is known of the person behind an account: a ZIP archive of JSON and of pages to read. An answer
/// that breaks off is not the whole.
#[utoipa::path(
    operation_id = "users_export",
    get, path = "/api/v1/users/{id}/export", tag = "users", params(("id" = String, Path)),
    responses((status = 200, content_type = "application/zip", body = Vec<u8>), (status = 404, body = Problem))
)]
pub(crate) async fn handler(ctx: Ctx, Path(id): Path<String>) -> Result<Response, ApiError> {
    let user = super::find(&ctx, &id).await?;
    give(&ctx, user).await
}

/// The same of one's own account.
#[utoipa::path(
    operation_id = "account_export",
    get, path = "/api/v1/account/export", tag = "account",
    responses((status = 200, content_type = "application/zip", body = Vec<u8>))
)]
pub(crate) async fn own(ctx: Ctx) -> Result<Response, ApiError> {
    let user = ctx.account().clone();
    give(&ctx, user).await
}

async fn give(ctx: &Ctx, user: User) -> Result<Response, ApiError> {
    let allowed = ctx.authorise(Action::UserExport, &Resource::user(user.id)).await?;
    let engine = &ctx.app.engine;
    engine.record(allowed.draft(ctx).on(user.id)).await?;
    disclosure::answer(ctx, TITLE, |to| engine.clone().disclose_user(user, to))
}
