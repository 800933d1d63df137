//! `GET` and `DELETE /api/v1/account/factors`, and recovery codes

use super::super::super::input::id;
use crate::{context::Ctx, error::ApiError, identity};
use axum::{Json, extract::Path, http::StatusCode};
use wardroom_core::{Action, FactorId, action::Resource, identity::FactorKind};
use wardroom_wire::{
    error::{ErrorCode, Problem},
    identity::{FactorView, FactorsView, RecoveryCodes},
};

/// One's own second factors.
#[utoipa::path(
    operation_id = "factors_list",
    get, path = "/api/v1/account/factors", tag = "account",
    responses((status = 200, body = FactorsView))
)]
pub(crate) async fn list(ctx: Ctx) -> Result<Json<FactorsView>, ApiError> {
    load(&ctx).await.map(Json)
}

/// One's own second factors.
pub(crate) async fn load(ctx: &Ctx) -> Result<FactorsView, ApiError> {
    let user = ctx.account().id;
    ctx.authorise(Action::FactorList, &Resource::user(user)).await?;
    let engine = &ctx.app.engine;
    let mut view = FactorsView { items: vec![], recovery_codes_left: 0 };
    for factor in engine.store().list_factors(user).await? {
        if factor.kind == FactorKind::Recovery {
            view.recovery_codes_left += 1;
            continue;
        }
        view.items.push(FactorView {
            id: factor.id.to_string(),
            kind: factor.kind.as_str().to_owned(),
            name: engine.factor_secret(&factor).await?.name,
            confirmed: factor.confirmed,
            created_at: factor.created_at.to_string(),
            used_at: factor.used_at.map(|at| at.to_string()),
        });
    }
    Ok(view)
}

/// Remove a second factor. With the last one, recovery codes go as well.
#[utoipa::path(
    operation_id = "factors_remove",
    delete, path = "/api/v1/account/factors/{id}", tag = "account", params(("id" = String, Path)),
    responses((status = 204), (status = 404, body = Problem))
)]
pub(crate) async fn remove(ctx: Ctx, Path(id): Path<String>) -> Result<StatusCode, ApiError> {
    take_away(&ctx, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Removes one.
pub(crate) async fn take_away(ctx: &Ctx, text: &str) -> Result<(), ApiError> {
    let user = ctx.account();
    let allowed = ctx.authorise(Action::FactorRemove, &Resource::user(user.id)).await?;
    let factor: FactorId = id(text)?;
    Ok(ctx.app.engine.remove_factors(user, Some(factor), allowed.draft(ctx)).await?)
}

/// Make new recovery codes; those so far are good for nothing any more.
#[utoipa::path(
    operation_id = "recovery_codes",
    post, path = "/api/v1/account/recovery-codes", tag = "account",
    responses((status = 201, body = RecoveryCodes), (status = 409, body = Problem))
)]
pub(crate) async fn renew_codes(ctx: Ctx) -> Result<(StatusCode, Json<RecoveryCodes>), ApiError> {
    Ok((StatusCode::CREATED, Json(RecoveryCodes { codes: new_codes(&ctx).await? })))
}

/// Makes them.
pub(crate) async fn new_codes(ctx: &Ctx) -> Result<Vec<String>, ApiError> {
    let user = ctx.account();
    let allowed = ctx.authorise(Action::FactorAdd, &Resource::user(user.id)).await?;
    if !user.second_factor {
        return Err(ApiError::say(
            ErrorCode::Conflict,
            "Recovery codes stand in for another second factor: add one first.",
        ));
    }
    let audit = allowed.draft(ctx).detail("kind", FactorKind::Recovery.as_str());
    identity::recovery_codes(&ctx.app, user, audit).await
}
