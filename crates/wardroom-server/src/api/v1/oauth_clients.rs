//! `/api/v1/oauth/clients`

use super::{
    super::input::{Json, id},
    users,
};
use crate::{context::Ctx, error::ApiError};
use axum::{extract::Path, http::StatusCode};
use secrecy::ExposeSecret as _;
use wardroom_core::{
    Action, OauthClientId, UserId,
    action::Resource,
    identity::UserState,
    oauth::{OauthClient, scopes},
};
use wardroom_engine::EngineError;
use wardroom_trust::secret::ClientSecret;
use wardroom_wire::{
    api::List,
    error::Problem,
    oauth::{NewOauthClient, OauthClientCreate, OauthClientView},
};

fn view(client: OauthClient) -> OauthClientView {
    OauthClientView {
        id: client.id.to_string(),
        document: client.document,
        name: client.name,
        redirect_uris: client.redirect_uris,
        scopes: client.scopes,
        confidential: client.secret_hash.is_some(),
        acts_as: client.acts_as.map(|user| user.to_string()),
        created_by: client.created_by.to_string(),
        created_at: client.created_at.to_string(),
    }
}

fn made(client: OauthClient, secret: Option<&ClientSecret>) -> NewOauthClient {
    let secret = secret.map(|secret| secret.expose().expose_secret().to_owned());
    NewOauthClient { client: view(client), secret }
}

/// Which programs of others are registered, newest first.
#[utoipa::path(
    operation_id = "oauth_clients_list",
    get, path = "/api/v1/oauth/clients", tag = "oauth",
    responses((status = 200, body = List<OauthClientView>))
)]
pub(crate) async fn list(ctx: Ctx) -> Result<axum::Json<List<OauthClientView>>, ApiError> {
    load(&ctx).await.map(axum::Json)
}

/// Programs.
pub(crate) async fn load(ctx: &Ctx) -> Result<List<OauthClientView>, ApiError> {
    ctx.authorise(Action::OauthClientList, &Resource::system()).await?;
    let found = ctx.app.engine.store().list_oauth_clients().await?;
    Ok(List { items: found.into_iter().map(view).collect(), next: None })
}

/// Register a program of others. The secret of one that keeps one is shown this once.
#[utoipa::path(
    operation_id = "oauth_clients_create",
    post, path = "/api/v1/oauth/clients", tag = "oauth", request_body = OauthClientCreate,
    responses((status = 201, body = NewOauthClient), (status = 422, body = Problem))
)]
pub(crate) async fn create(
    ctx: Ctx,
    Json(body): Json<OauthClientCreate>,
) -> Result<(StatusCode, axum::Json<NewOauthClient>), ApiError> {
    Ok((StatusCode::CREATED, axum::Json(add(&ctx, body).await?)))
}

/// Registers one.
pub(crate) async fn add(ctx: &Ctx, body: OauthClientCreate) -> Result<NewOauthClient, ApiError> {
    let allowed = ctx.authorise(Action::OauthClientCreate, &Resource::system()).await?;
    let acts_as = match &body.acts_as {
        Some(text) => Some(stand_in(ctx, text).await?),
        None => None,
    };
    let (now, rng) = (ctx.now(), ctx.app.engine.rng());
    let secret = body.confidential.then(|| ClientSecret::generate(rng));
    let scopes = scopes(body.scopes.iter().map(String::as_str)).map_err(EngineError::from)?;
    let client = OauthClient {
        id: OauthClientId::new(now, rng),
        document: None,
        name: body.name.trim().to_owned(),
        secret_hash: secret.as_ref().map(ClientSecret::hash),
        redirect_uris: body.redirect_uris.iter().map(|uri| uri.trim().to_owned()).collect(),
        scopes,
        acts_as,
        created_by: ctx.user()?,
        created_at: now,
    };
    let client = ctx.app.engine.add_oauth_client(client, allowed.draft(ctx)).await?;
    Ok(made(client, secret.as_ref()))
}

/// The account as which a program is to act. SECURITY: whoever lets one do so could as well give themselves the
/// account's rights, and must be allowed to.
async fn stand_in(ctx: &Ctx, text: &str) -> Result<UserId, ApiError> {
    ctx.require(Action::UserUpdate).await?;
    // One that the caller may not see answers as one that is not there.
    let none = |error: ApiError| error.or_field("acts_as", "is no account, or none that is active");
    let user = users::find(ctx, text.trim()).await.map_err(none)?;
    ctx.authorise(Action::UserUpdate, &Resource::user(user.id)).await.map_err(none)?;
    let active = user.state == UserState::Active;
    active.then_some(user.id).ok_or_else(|| none(ApiError::not_found()))
}

/// Give a program another secret, shown this once. The one before is not good any more; what the program was granted
/// goes on.
#[utoipa::path(
    operation_id = "oauth_clients_renew",
    post, path = "/api/v1/oauth/clients/{id}/secret", tag = "oauth", params(("id" = String, Path)),
    responses((status = 200, body = NewOauthClient), (status = 404, body = Problem), (status = 422, body = Problem))
)]
pub(crate) async fn renew(
    ctx: Ctx,
    Path(id): Path<String>,
) -> Result<axum::Json<NewOauthClient>, ApiError> {
    change(&ctx, &id).await.map(axum::Json)
}

/// Renews one's secret.
pub(crate) async fn change(ctx: &Ctx, text: &str) -> Result<NewOauthClient, ApiError> {
    let allowed = ctx.authorise(Action::OauthClientRenew, &Resource::system()).await?;
    let engine = &ctx.app.engine;
    let client = engine.store().lookup_oauth_client(id(text)?).await?;
    let client = client.ok_or_else(ApiError::not_found)?;
    if let Some(user) = client.acts_as {
        // SECURITY: who holds its secret acts as that account.
        ctx.authorise(Action::UserUpdate, &Resource::user(user)).await?;
    }
    if client.secret_hash.is_none() {
        return Err(ApiError::field("id", "must be a client that keeps a secret"));
    }
    let secret = ClientSecret::generate(engine.rng());
    engine.renew_oauth_client(client.id, secret.hash(), allowed.draft(ctx)).await?;
    Ok(made(client, Some(&secret)))
}

/// Forget a program. All that it was granted ends at once.
#[utoipa::path(
    operation_id = "oauth_clients_remove",
    delete, path = "/api/v1/oauth/clients/{id}", tag = "oauth", params(("id" = String, Path)),
    responses((status = 204), (status = 404, body = Problem))
)]
pub(crate) async fn remove(ctx: Ctx, Path(id): Path<String>) -> Result<StatusCode, ApiError> {
    forget(&ctx, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Forgets one.
pub(crate) async fn forget(ctx: &Ctx, text: &str) -> Result<(), ApiError> {
    let allowed = ctx.authorise(Action::OauthClientRemove, &Resource::system()).await?;
    Ok(ctx.app.engine.remove_oauth_client(id(text)?, allowed.draft(ctx)).await?)
}
