//! `PATCH /api/v1/users/{id}`

use super::super::super::input::{Json, filter};
use crate::{
    api::version::{etag, if_match, stale},
    context::Ctx,
    error::ApiError,
    view,
};
use axum::{extract::Path, http::HeaderMap};
use wardroom_core::{Action, action::Resource, identity::User};
use wardroom_engine::{EngineError, people::UserChange};
use wardroom_wire::{
    error::{ErrorCode, Problem},
    identity::{UserPatch, UserView},
};

/// Change an account's name, address or role. `If-Match` names the version that was read. With the role,
/// the account's sessions end.
#[utoipa::path(
    operation_id = "users_update",
    patch, path = "/api/v1/users/{id}", tag = "users", request_body = UserPatch,
    params(("id" = String, Path), ("If-Match" = String, Header)),
    responses((status = 200, body = UserView), (status = 409, body = Problem), (status = 412, body = Problem))
)]
pub(crate) async fn handler(
    ctx: Ctx,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(body): Json<UserPatch>,
) -> Result<(HeaderMap, axum::Json<UserView>), ApiError> {
    let user = super::find(&ctx, &id).await?;
    let allowed = ctx.authorise(Action::UserUpdate, &Resource::user(user.id)).await?;
    let version = if_match(&headers, user.version)?;
    let view = act(&ctx, &User { version, ..user }, body, allowed.draft(&ctx)).await;
    let view = view.map_err(|error| match error.code {
        ErrorCode::Conflict => stale(),
        _ => error,
    })?;
    Ok((etag(view.version)?, axum::Json(view)))
}

/// Changes it.
pub(crate) async fn act(
    ctx: &Ctx,
    user: &User,
    body: UserPatch,
    audit: wardroom_core::audit::AuditDraft,
) -> Result<UserView, ApiError> {
    let role = match &body.role {
        Some(text) => {
            Some(text.parse().map_err(|error| ApiError::field("role", format!("{error}")))?)
        }
        None => None,
    };
    let customer = match body.customer.as_deref() {
        None => None,
        Some(text) => Some(filter("customer", Some(text))?),
    };
    let wanted = UserChange {
        name: body.name,
        display_name: body.display_name,
        email: body.email,
        role,
        groups: body.groups,
        customer,
    };
    match ctx.app.engine.change_user(user, wanted, audit).await {
        Ok(changed) => view::user(&ctx.app, &changed).await,
        Err(EngineError::Conflict) => Err(ApiError::new(ErrorCode::Conflict)),
        Err(error) => Err(error.into()),
    }
}
