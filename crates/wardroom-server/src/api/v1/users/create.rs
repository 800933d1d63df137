//! `POST /api/v1/users`

use super::super::super::input::{Json, filter};
use crate::{context::Ctx, error::ApiError, view};
use axum::http::StatusCode;
use wardroom_core::{Action, Role, action::Resource, person::Profile};
use wardroom_wire::{
    error::Problem,
    identity::{NewUser, UserCreate},
};

/// Ask somebody in: an account, and the single-use link by which its person sets a password. The link is
/// shown this once.
#[utoipa::path(
    operation_id = "users_create",
    post, path = "/api/v1/users", tag = "users", request_body = UserCreate,
    responses((status = 201, body = NewUser), (status = 422, body = Problem))
)]
pub(crate) async fn handler(
    ctx: Ctx,
    Json(body): Json<UserCreate>,
) -> Result<(StatusCode, axum::Json<NewUser>), ApiError> {
    Ok((StatusCode::CREATED, axum::Json(act(&ctx, body).await?)))
}

/// Asks somebody in.
pub(crate) async fn act(ctx: &Ctx, body: UserCreate) -> Result<NewUser, ApiError> {
    let allowed = ctx.authorise(Action::UserCreate, &Resource::system()).await?;
    let role: Role =
        body.role.parse().map_err(|error| ApiError::field("role", format!("{error}")))?;
    let customer = filter("customer", body.customer.as_deref())?;
    let profile = Profile { name: body.name, display_name: body.display_name, email: body.email };
    let (app, audit) = (&ctx.app, allowed.draft(ctx));
    let ttl = app.accounts.invite_ttl;
    let invited = app.engine.invite(profile, (role, customer), ttl, &ctx.principal, audit).await?;
    Ok(NewUser {
        user: view::user(app, &invited.user).await?,
        link: view::link(app, &invited.pass, &invited.secret),
    })
}
