//! `POST /api/v1/account/factors/passkey` and its end

use super::{super::super::input::Json, factor_name, totp::confirmed};
use crate::{context::Ctx, error::ApiError};
use axum::http::StatusCode;
use wardroom_core::{Action, action::Resource, identity::FactorKind};
use wardroom_wire::{
    error::Problem,
    identity::{Ceremony, FactorConfirmed, PasskeyAnswer},
};

/// Begin to make a passkey.
#[utoipa::path(
    operation_id = "factors_passkey_begin",
    post, path = "/api/v1/account/factors/passkey", tag = "account",
    responses((status = 200, body = Ceremony), (status = 400, body = Problem))
)]
pub(crate) async fn begin(ctx: Ctx) -> Result<axum::Json<Ceremony>, ApiError> {
    ctx.authorise(Action::FactorAdd, &Resource::user(ctx.account().id)).await?;
    ctx.app.begin_passkey(ctx.account()).await.map(axum::Json)
}

/// Keep the passkey that the browser made.
#[utoipa::path(
    operation_id = "factors_passkey_finish",
    post, path = "/api/v1/account/factors/passkey/finish", tag = "account", request_body = PasskeyAnswer,
    responses((status = 201, body = FactorConfirmed), (status = 401, body = Problem))
)]
pub(crate) async fn finish(
    ctx: Ctx,
    Json(body): Json<PasskeyAnswer>,
) -> Result<(StatusCode, axum::Json<FactorConfirmed>), ApiError> {
    let user = ctx.account();
    let allowed = ctx.authorise(Action::FactorAdd, &Resource::user(user.id)).await?;
    let name = factor_name(&body.name)?;
    let audit = allowed.draft(&ctx).detail("kind", FactorKind::Passkey.as_str());
    let session = ctx.session().map(|session| session.id);
    let codes = ctx.app.keep_passkey((user, session), &body, name, audit).await?;
    Ok((StatusCode::CREATED, axum::Json(confirmed(&ctx, codes).await?)))
}
