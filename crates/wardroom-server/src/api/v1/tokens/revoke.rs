//! `DELETE /api/v1/tokens/{id}`

use super::super::super::input::id;
use crate::{context::Ctx, error::ApiError};
use axum::{extract::Path, http::StatusCode};
use wardroom_core::{
    Action, ApiTokenId,
    action::Resource,
    change::{Change, Write},
    store::StoreError,
};
use wardroom_wire::error::Problem;

/// Revoke one of one's own API tokens.
#[utoipa::path(
    operation_id = "tokens_revoke",
    delete, path = "/api/v1/tokens/{id}", tag = "account", params(("id" = String, Path)),
    responses((status = 204), (status = 404, body = Problem))
)]
pub(crate) async fn handler(ctx: Ctx, Path(id): Path<String>) -> Result<StatusCode, ApiError> {
    act(&ctx, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Revokes a token.
pub(crate) async fn act(ctx: &Ctx, text: &str) -> Result<(), ApiError> {
    let user = ctx.user()?;
    let allowed = ctx.authorise(Action::TokenRevoke, &Resource::user(user)).await?;
    let token: ApiTokenId = id(text)?;
    // SECURITY: another account's token answers as one that does not exist.
    let found = ctx.app.engine.store().lookup_api_token_by_id(token).await?;
    if found.is_none_or(|(token, _)| token.user != user) {
        return Err(ApiError::not_found());
    }
    let change = Change::recorded(allowed.draft(ctx).on(token)).write(Write::RemoveApiToken(token));
    match ctx.app.engine.commit(change).await {
        Ok(()) => Ok(()),
        Err(StoreError::Conflict(_)) => Err(ApiError::not_found()),
        Err(error) => Err(error.into()),
    }
}
