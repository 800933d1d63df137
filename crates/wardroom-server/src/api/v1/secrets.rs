//! `/api/v1/secrets`

use super::super::input::Json;
use crate::{context::Ctx, error::ApiError};
use axum::{extract::Path, http::StatusCode};
use wardroom_core::{Action, Timestamp, action::Resource, secret::NamedSecret};
use wardroom_wire::{
    api::List,
    error::Problem,
    security::{SecretCreate, SecretRenew, SecretView},
};

fn view(secret: &NamedSecret, now: Timestamp) -> SecretView {
    SecretView {
        name: secret.name.clone(),
        about: secret.about.clone(),
        version: secret.current,
        rotate_days: secret.rotate_days,
        due: secret.is_due(now),
        created_at: secret.created_at.to_string(),
        renewed_at: secret.renewed_at.to_string(),
    }
}

/// Which secrets there are, by name. Values are never told.
#[utoipa::path(
    operation_id = "secrets_list",
    get, path = "/api/v1/secrets", tag = "secrets",
    responses((status = 200, body = List<SecretView>))
)]
pub(crate) async fn list(ctx: Ctx) -> Result<axum::Json<List<SecretView>>, ApiError> {
    load(&ctx).await.map(axum::Json)
}

/// Secrets.
pub(crate) async fn load(ctx: &Ctx) -> Result<List<SecretView>, ApiError> {
    ctx.authorise(Action::SecretList, &Resource::system()).await?;
    let found = ctx.app.engine.store().list_secrets().await?;
    Ok(List { items: found.iter().map(|secret| view(secret, ctx.now())).collect(), next: None })
}

/// The names of those that the caller may use.
pub(crate) async fn usable(ctx: &Ctx) -> Result<Vec<String>, ApiError> {
    let found = ctx.app.engine.store().list_secrets().await?;
    let names = found.into_iter().map(|secret| secret.name);
    Ok(names
        .filter(|name| ctx.decide(Action::SecretUse, &Resource::secret(name)).allowed)
        .collect())
}

/// Keep a value under a name.
#[utoipa::path(
    operation_id = "secrets_create",
    post, path = "/api/v1/secrets", tag = "secrets", request_body = SecretCreate,
    responses((status = 201, body = SecretView), (status = 422, body = Problem))
)]
pub(crate) async fn create(
    ctx: Ctx,
    Json(body): Json<SecretCreate>,
) -> Result<(StatusCode, axum::Json<SecretView>), ApiError> {
    Ok((StatusCode::CREATED, axum::Json(add(&ctx, body).await?)))
}

/// Keeps one.
pub(crate) async fn add(ctx: &Ctx, body: SecretCreate) -> Result<SecretView, ApiError> {
    let allowed = ctx.authorise(Action::SecretCreate, &Resource::system()).await?;
    let engine = &ctx.app.engine;
    let made = engine
        .add_secret(
            &body.name,
            &body.about,
            body.rotate_days,
            &body.value,
            ctx.user()?,
            allowed.draft(ctx),
        )
        .await?;
    Ok(view(&made, ctx.now()))
}

/// The secret of this name, if the caller may do `action` to it.
async fn find(
    ctx: &Ctx,
    name: &str,
    action: Action,
) -> Result<(NamedSecret, crate::context::Authorised), ApiError> {
    let found =
        ctx.app.engine.store().lookup_secret(name).await?.ok_or_else(ApiError::not_found)?;
    let allowed = ctx.authorise(action, &Resource::secret(&found.name)).await?;
    Ok((found, allowed))
}

/// Give a secret another value. Runs that were submitted before keep theirs.
#[utoipa::path(
    operation_id = "secrets_renew",
    put, path = "/api/v1/secrets/{name}", tag = "secrets", request_body = SecretRenew,
    params(("name" = String, Path)),
    responses((status = 200, body = SecretView), (status = 404, body = Problem), (status = 409, body = Problem))
)]
pub(crate) async fn renew(
    ctx: Ctx,
    Path(name): Path<String>,
    Json(body): Json<SecretRenew>,
) -> Result<axum::Json<SecretView>, ApiError> {
    change(&ctx, &name, body).await.map(axum::Json)
}

/// Renews one.
pub(crate) async fn change(
    ctx: &Ctx,
    name: &str,
    body: SecretRenew,
) -> Result<SecretView, ApiError> {
    let (secret, allowed) = find(ctx, name, Action::SecretRenew).await?;
    let engine = &ctx.app.engine;
    let renewed =
        engine.renew_secret(&secret, &body.value, ctx.user()?, allowed.draft(ctx)).await?;
    Ok(view(&renewed, ctx.now()))
}

/// Forget a secret with all its versions.
#[utoipa::path(
    operation_id = "secrets_remove",
    delete, path = "/api/v1/secrets/{name}", tag = "secrets", params(("name" = String, Path)),
    responses((status = 204), (status = 404, body = Problem))
)]
pub(crate) async fn remove(ctx: Ctx, Path(name): Path<String>) -> Result<StatusCode, ApiError> {
    forget(&ctx, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Forgets one.
pub(crate) async fn forget(ctx: &Ctx, name: &str) -> Result<(), ApiError> {
    let (secret, allowed) = find(ctx, name, Action::SecretRemove).await?;
    Ok(ctx.app.engine.remove_secret(&secret.name, allowed.draft(ctx)).await?)
}
