//! `POST /api/v1/users/{id}/link`

use crate::{context::Ctx, error::ApiError, view};
use axum::{Json, extract::Path, http::StatusCode};
use wardroom_core::{Action, action::Resource, identity::UserState};
use wardroom_wire::{error::Problem, identity::NewLink};

/// Make another single-use link: for somebody who was asked in and did not come, or who has lost the
/// password. It is shown this once; earlier ones end.
#[utoipa::path(
    operation_id = "users_link",
    post, path = "/api/v1/users/{id}/link", tag = "users", params(("id" = String, Path)),
    responses((status = 201, body = NewLink), (status = 404, body = Problem), (status = 409, body = Problem))
)]
pub(crate) async fn handler(
    ctx: Ctx,
    Path(id): Path<String>,
) -> Result<(StatusCode, Json<NewLink>), ApiError> {
    Ok((StatusCode::CREATED, Json(act(&ctx, &id).await?)))
}

/// Makes one.
pub(crate) async fn act(ctx: &Ctx, text: &str) -> Result<NewLink, ApiError> {
    let user = super::find(ctx, text).await?;
    let allowed = ctx.authorise(Action::UserLink, &Resource::user(user.id)).await?;
    let rules = &ctx.app.accounts;
    let ttl = if user.state == UserState::Invited { rules.invite_ttl } else { rules.reset_ttl };
    let (pass, secret) =
        ctx.app.engine.renew_pass(&user, ttl, &ctx.principal, allowed.draft(ctx)).await?;
    Ok(view::link(&ctx.app, &pass, &secret))
}
