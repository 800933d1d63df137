//! `DELETE /api/v1/join-tokens/{id}`

use super::super::super::input::id;
use crate::{context::Ctx, error::ApiError};
use axum::{extract::Path, http::StatusCode};
use wardroom_core::{
    Action, JoinTokenId,
    action::{Resource, ResourceKind},
    store::StoreError,
};
use wardroom_engine::EngineError;
use wardroom_wire::error::{ErrorCode, Problem};

/// Revoke a join token that was not used.
#[utoipa::path(
    operation_id = "join_tokens_revoke",
    delete, path = "/api/v1/join-tokens/{id}", tag = "nodes", params(("id" = String, Path)),
    responses((status = 204), (status = 404, body = Problem), (status = 409, body = Problem))
)]
pub(crate) async fn handler(ctx: Ctx, Path(id): Path<String>) -> Result<StatusCode, ApiError> {
    act(&ctx, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Revokes a join token.
pub(crate) async fn act(ctx: &Ctx, text: &str) -> Result<(), ApiError> {
    let resource = Resource::new(ResourceKind::JoinToken, text);
    let allowed = ctx.authorise(Action::JoinTokenRevoke, &resource).await?;
    let token: JoinTokenId = id(text)?;
    match ctx.app.engine.revoke_join_token(token, allowed.draft(ctx)).await {
        Err(EngineError::Store(StoreError::Conflict(_))) => Err(ApiError::say(
            ErrorCode::Conflict,
            "The token is not open any more: it was used, revoked or has expired.",
        )),
        other => Ok(other?),
    }
}
