//! `POST /api/v1/account/factors/totp` and its confirmation

use super::{
    super::super::input::{Json, id},
    factor_name,
};
use crate::{
    context::Ctx,
    error::ApiError,
    identity::{self, Standing},
    qr, view,
};
use axum::{extract::Path, http::StatusCode};
use wardroom_core::{
    Action, FactorId,
    action::Resource,
    identity::{FactorKind, Session, User},
};
use wardroom_engine::people::{FactorSecret, NewFactor};
use wardroom_trust::totp::Totp;
use wardroom_wire::{
    error::Problem,
    identity::{CodeRequest, FactorConfirmed, FactorCreate, NewTotp},
};

/// Add an authenticator app; its secret is shown this once. It counts when a code of it has come back.
#[utoipa::path(
    operation_id = "factors_totp",
    post, path = "/api/v1/account/factors/totp", tag = "account", request_body = FactorCreate,
    responses((status = 201, body = NewTotp), (status = 422, body = Problem))
)]
pub(crate) async fn create(
    ctx: Ctx,
    Json(body): Json<FactorCreate>,
) -> Result<(StatusCode, axum::Json<NewTotp>), ApiError> {
    Ok((StatusCode::CREATED, axum::Json(add(&ctx, &body.name).await?)))
}

/// Adds an authenticator; one that was begun and not confirmed goes.
pub(crate) async fn add(ctx: &Ctx, name: &str) -> Result<NewTotp, ApiError> {
    let (engine, user) = (&ctx.app.engine, ctx.account());
    let allowed = ctx.authorise(Action::FactorAdd, &Resource::user(user.id)).await?;
    let name = factor_name(name)?;
    let totp = Totp::generate(engine.rng());
    let new = NewFactor {
        kind: FactorKind::Totp,
        secret: FactorSecret { name, secret: totp.text() },
        handle: None,
        counter: 0,
        confirmed: false,
    };
    let audit = allowed.draft(ctx).detail("kind", FactorKind::Totp.as_str());
    let added = engine.add_factors(user.id, vec![new], None, audit).await?;
    let account = engine.profile(user).await?.name;
    let uri = totp.uri("Wardroom", &account);
    Ok(NewTotp {
        id: added.first().map(|factor| factor.id.to_string()).unwrap_or_default(),
        secret: totp.text(),
        qr_svg: qr::svg(&uri)
            .ok_or_else(|| ApiError::new(wardroom_wire::error::ErrorCode::Internal))?,
        uri,
    })
}

/// Confirm an authenticator by a code of it.
#[utoipa::path(
    operation_id = "factors_confirm",
    post, path = "/api/v1/account/factors/{id}/confirm", tag = "account",
    params(("id" = String, Path)), request_body = CodeRequest,
    responses((status = 200, body = FactorConfirmed), (status = 401, body = Problem), (status = 404, body = Problem))
)]
pub(crate) async fn confirm(
    ctx: Ctx,
    Path(id): Path<String>,
    Json(body): Json<CodeRequest>,
) -> Result<axum::Json<FactorConfirmed>, ApiError> {
    confirm_by(&ctx, &id, &body.code).await.map(axum::Json)
}

/// Confirms it.
pub(crate) async fn confirm_by(
    ctx: &Ctx,
    text: &str,
    code: &str,
) -> Result<FactorConfirmed, ApiError> {
    let (app, user) = (&ctx.app, ctx.account());
    let allowed = ctx.authorise(Action::FactorAdd, &Resource::user(user.id)).await?;
    let wanted: FactorId = id(text)?;
    let factors = app.engine.store().list_factors(user.id).await?;
    let factor = factors
        .into_iter()
        .find(|factor| factor.id == wanted && !factor.confirmed)
        .ok_or_else(ApiError::not_found)?;
    let session = ctx.session().map(|session| session.id);
    let audit = allowed.draft(ctx).on(factor.id).detail("confirmed", true);
    let recovery_codes =
        identity::confirm_totp(app, &ctx.info, (user, session), &factor, code, audit).await?;
    confirmed(ctx, recovery_codes).await
}

/// What is open to the caller's session now that it has shown a second factor.
pub(super) async fn confirmed(
    ctx: &Ctx,
    recovery_codes: Vec<String>,
) -> Result<FactorConfirmed, ApiError> {
    let user = User { second_factor: true, ..ctx.account().clone() };
    let standing = match ctx.session() {
        Some(session) => {
            let proved = Session { second_factor: true, ..session.clone() };
            Standing::of(&ctx.app.accounts, &user, &proved, ctx.now())
        }
        None => Standing::Open,
    };
    Ok(FactorConfirmed {
        standing: view::standing(&ctx.app, &user, standing).await?,
        recovery_codes,
    })
}
