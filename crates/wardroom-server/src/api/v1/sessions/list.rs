//! `GET /api/v1/sessions`

use crate::{context::Ctx, error::ApiError};
use axum::Json;
use wardroom_core::{Action, UserId, action::Resource};
use wardroom_wire::{api::List, identity::SessionView};

/// The caller's sessions, newest first.
#[utoipa::path(
    operation_id = "sessions_list",
    get, path = "/api/v1/sessions", tag = "account",
    responses((status = 200, body = List<SessionView>))
)]
pub(crate) async fn handler(ctx: Ctx) -> Result<Json<List<SessionView>>, ApiError> {
    let user = ctx.user()?;
    load(&ctx, user).await.map(Json)
}

/// An account's sessions. There are at most so many that they are one page.
pub(crate) async fn load(ctx: &Ctx, user: UserId) -> Result<List<SessionView>, ApiError> {
    ctx.authorise(Action::SessionList, &Resource::user(user)).await?;
    let engine = &ctx.app.engine;
    let sessions = engine.store().list_sessions(user, ctx.now()).await?;
    let clients = match sessions.iter().any(|session| session.grant.is_some()) {
        true => engine.store().list_oauth_clients().await?,
        false => vec![],
    };
    let mut items = Vec::new();
    for session in sessions {
        let about = engine.session_about(&session).await?;
        let holder = session.grant.as_ref().map(|grant| grant.client);
        let client = clients.iter().find(|client| Some(client.id) == holder);
        items.push(SessionView {
            id: session.id.to_string(),
            kind: session.kind.as_str().to_owned(),
            current: ctx.session().is_some_and(|own| own.id == session.id),
            address: about.address,
            user_agent: about.user_agent,
            created_at: session.created_at.to_string(),
            seen_at: session.seen_at.to_string(),
            idle_until: session.idle_until.to_string(),
            expires_at: session.expires_at.to_string(),
            second_factor: session.second_factor,
            client: client.map(|client| client.name.clone()),
            client_id: client
                .and_then(|client| client.document.clone())
                .or_else(|| holder.map(|id| id.to_string())),
            scopes: session.grant.map(|grant| grant.scopes).unwrap_or_default(),
        });
    }
    Ok(List { items, next: None })
}
