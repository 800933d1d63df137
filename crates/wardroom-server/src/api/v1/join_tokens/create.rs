//! `POST /api/v1/join-tokens`

use super::super::super::input::Json;
use crate::{context::Ctx, error::ApiError, view};
use axum::http::StatusCode;
use secrecy::ExposeSecret;
use std::time::Duration;
use wardroom_core::{Action, JoinTokenId, action::Resource};
use wardroom_engine::nodes::JOIN_TOKEN_TTL_DEFAULT;
use wardroom_trust::secret::JoinSecret;
use wardroom_wire::{
    api::{JoinTokenCreate, NewJoinToken},
    error::Problem,
};

/// Make a single-use join token; its secret is shown this once.
#[utoipa::path(
    operation_id = "join_tokens_create",
    post, path = "/api/v1/join-tokens", tag = "nodes", request_body = JoinTokenCreate,
    responses((status = 201, body = NewJoinToken), (status = 422, body = Problem))
)]
pub(crate) async fn handler(
    ctx: Ctx,
    Json(body): Json<JoinTokenCreate>,
) -> Result<(StatusCode, axum::Json<NewJoinToken>), ApiError> {
    Ok((StatusCode::CREATED, axum::Json(act(&ctx, body).await?)))
}

/// Makes a join token.
pub(crate) async fn act(ctx: &Ctx, body: JoinTokenCreate) -> Result<NewJoinToken, ApiError> {
    let allowed = ctx.authorise(Action::JoinTokenCreate, &Resource::system()).await?;
    let engine = &ctx.app.engine;
    let id = JoinTokenId::new(ctx.now(), engine.rng());
    let secret = JoinSecret::generate(id, ctx.app.authority_fingerprint, engine.rng());
    let ttl = body.expires_in.map_or(JOIN_TOKEN_TTL_DEFAULT, Duration::from_secs);
    let token = engine
        .create_join_token(id, secret.hash(), body.labels, ttl, &ctx.principal, allowed.draft(ctx))
        .await?;
    let text = secret.expose().expose_secret().to_owned();
    let command = format!(
        "printf %s {text} | wardroom-node join --server {} --token-stdin --data /var/lib/wardroom-node --commands /etc/wardroom/commands.toml",
        ctx.app.public_url
    );
    Ok(NewJoinToken { token: view::join_token(&token, ctx.now()), secret: text, command })
}
