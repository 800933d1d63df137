//! `POST /api/v1/tokens`

use super::super::super::input::Json;
use crate::{context::Ctx, error::ApiError, identity, middleware::Held, view};
use axum::http::StatusCode;
use secrecy::ExposeSecret;
use wardroom_core::{Action, action::Resource};
use wardroom_wire::{
    error::Problem,
    identity::{NewToken, TokenCreate},
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
    let allowed = ctx.authorise(Action::TokenCreate, &Resource::user(user)).await?;
    let wanted = identity::WantedToken::new(body)?;
    // SECURITY: a token makes no token that may do more than itself.
    if let Held::ApiToken(own) = &ctx.proof().held {
        let beyond = |scope: &&String| !own.scopes.contains(scope);
        if wanted.scopes().is_empty() || wanted.scopes().iter().any(|scope| beyond(&scope)) {
            return Err(ApiError::field("scopes", "must be among those of the token that asks"));
        }
    }
    let (proof, audit) = (Some(ctx.proof().credential()), allowed.draft(ctx));
    let (token, secret) = identity::issue_token(&ctx.app, user, wanted, proof, audit).await?;
    Ok(NewToken { token: view::token(&token), secret: secret.expose().expose_secret().to_owned() })
}
