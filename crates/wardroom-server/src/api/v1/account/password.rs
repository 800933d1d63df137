//! `POST /api/v1/account/password`

use super::super::super::input::Json;
use crate::{context::Ctx, error::ApiError, identity};
use axum::http::StatusCode;
use secrecy::SecretString;
use wardroom_core::{Action, action::Resource};
use wardroom_wire::{
    error::{ErrorCode, Problem},
    identity::PasswordChange,
};

/// Set one's own password. All other sessions of the account end.
#[utoipa::path(
    operation_id = "account_password",
    post, path = "/api/v1/account/password", tag = "account", request_body = PasswordChange,
    responses((status = 204), (status = 401, body = Problem), (status = 422, body = Problem))
)]
pub(crate) async fn handler(
    ctx: Ctx,
    Json(body): Json<PasswordChange>,
) -> Result<StatusCode, ApiError> {
    act(&ctx, body).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Sets it.
pub(crate) async fn act(ctx: &Ctx, body: PasswordChange) -> Result<(), ApiError> {
    let (app, user) = (&ctx.app, ctx.account());
    let allowed = ctx.authorise(Action::PasswordChange, &Resource::user(user.id)).await?;
    let audit = allowed.draft(ctx);
    let name = app.engine.profile(user).await?.name;
    let current = SecretString::from(body.current);
    match identity::check_password(app, &ctx.info, &name, current).await {
        Ok(found) if found.id == user.id => {}
        Err(error) if error.code != ErrorCode::SignInFailed => return Err(error),
        _ => return Err(ApiError::field("current", "is not your password")),
    }
    let hash = identity::hash_new(app, &ctx.info, user, SecretString::from(body.new)).await?;
    let session = ctx.session().map(|session| session.id);
    // The hash may have been renewed while the password was checked.
    let user = app.engine.user(user.id).await?;
    identity::change_password(app, &user, hash, None, session, audit).await?;
    Ok(())
}
