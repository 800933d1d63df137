//! `POST /api/v1/tokens`

use super::super::super::input::Json;
use crate::{context::Ctx, error::ApiError, identity, view};
use axum::http::StatusCode;
use secrecy::ExposeSecret;
use wardroom_core::{Action, action::Resource};
use wardroom_wire::{
    api::{NewToken, TokenCreate},
    error::Problem,
};

/// Make an API token for oneself; its secret is shown this once.
#[utoipa::path(
    operation_id = "tokens_create",
    post, path = "/api/v1/tokens", tag = "account", request_body = TokenCreate,
    responses((status = 201, body = NewToken), (status = 422, body = Problem))
)]
pub(crate) async fn handler(
    ctx: Ctx,
    Json(body): Json<TokenCreate>,
) -> Result<(StatusCode, axum::Json<NewToken>), ApiError> {
    Ok((StatusCode::CREATED, axum::Json(act(&ctx, body).await?)))
}

/// Makes a token.
pub(crate) async fn act(ctx: &Ctx, body: TokenCreate) -> Result<NewToken, ApiError> {
    let user = ctx.user()?;
    let wanted = identity::WantedToken::new(&body.name, body.expires_in)?;
    let allowed = ctx.authorise(Action::TokenCreate, &Resource::user(user)).await?;
    let audit = allowed.draft(ctx);
    let (token, secret) = identity::issue_token(&ctx.app, user, wanted, ctx.proof(), audit).await?;
    Ok(NewToken { token: view::token(&token), secret: secret.expose().expose_secret().to_owned() })
}
