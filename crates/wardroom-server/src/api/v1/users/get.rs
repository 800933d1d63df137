//! `GET /api/v1/users/{id}`

use crate::{api::version::etag, context::Ctx, error::ApiError, view};
use axum::{Json, extract::Path, http::HeaderMap};
use wardroom_core::{Action, action::Resource};
use wardroom_wire::{error::Problem, identity::UserView};

/// An account, by id or sign-in name.
#[utoipa::path(
    operation_id = "users_get",
    get, path = "/api/v1/users/{id}", tag = "users", params(("id" = String, Path)),
    responses((status = 200, body = UserView), (status = 404, body = Problem))
)]
pub(crate) async fn handler(
    ctx: Ctx,
    Path(id): Path<String>,
) -> Result<(HeaderMap, Json<UserView>), ApiError> {
    let view = load(&ctx, &id).await?;
    Ok((etag(view.version)?, Json(view)))
}

/// An account.
pub(crate) async fn load(ctx: &Ctx, text: &str) -> Result<UserView, ApiError> {
    let user = super::find(ctx, text).await?;
    ctx.authorise(Action::UserRead, &Resource::user(user.id)).await?;
    view::user(&ctx.app, &user).await
}
