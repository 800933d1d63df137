//! `DELETE /api/v1/sessions/{id}`

use super::super::super::input::id;
use crate::{context::Ctx, error::ApiError};
use axum::{extract::Path, http::StatusCode};
use wardroom_core::{
    Action, SessionId, UserId,
    action::{Resource, ResourceKind},
    change::{Change, Write},
    store::StoreError,
};
use wardroom_wire::error::Problem;

/// End a session of one's own or, where policy allows it, of somebody else's.
#[utoipa::path(
    operation_id = "sessions_revoke",
    delete, path = "/api/v1/sessions/{id}", tag = "account", params(("id" = String, Path)),
    responses((status = 204), (status = 404, body = Problem))
)]
pub(crate) async fn handler(ctx: Ctx, Path(id): Path<String>) -> Result<StatusCode, ApiError> {
    act(&ctx, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends a session; gives whose it was.
pub(crate) async fn act(ctx: &Ctx, text: &str) -> Result<UserId, ApiError> {
    let session: SessionId = id(text)?;
    let found = ctx.app.engine.store().lookup_session_by_id(session).await?;
    let resource = match &found {
        Some((session, _)) => Resource::user(session.user),
        // Policy is asked as for somebody else's, so that who may see all learns that it is not there.
        None => Resource::new(ResourceKind::User, "any"),
    };
    let allowed = ctx.authorise(Action::SessionRevoke, &resource).await?;
    let (session, user) = found.ok_or_else(ApiError::not_found)?;
    let audit = allowed.draft(ctx).on(session.id).detail("user", user.id);
    let change = Change::recorded(audit).write(Write::RemoveSession(session.id));
    match ctx.app.engine.commit(change).await {
        Ok(()) => Ok(user.id),
        Err(StoreError::Conflict(_)) => Err(ApiError::not_found()),
        Err(error) => Err(error.into()),
    }
}
