//! `/api/v1/mcp/connections`

use crate::{context::Ctx, error::ApiError};
use axum::{Json, extract::Path, http::StatusCode};
use std::sync::{PoisonError, atomic::Ordering};
use wardroom_core::{Action, action::Resource};
use wardroom_gateway::door::SessionInfo;
use wardroom_wire::{api::List, error::Problem, tools::McpConnectionView};

/// Who speaks with the gateway of this orchestrator: sessions over HTTP, and connections by WebSocket and TCP.
#[utoipa::path(
    operation_id = "mcp_connections_list",
    get, path = "/api/v1/mcp/connections", tag = "tool servers",
    responses((status = 200, body = List<McpConnectionView>))
)]
pub(crate) async fn list(ctx: Ctx) -> Result<Json<List<McpConnectionView>>, ApiError> {
    load(&ctx).await.map(Json)
}

/// Sessions and connections.
pub(crate) async fn load(ctx: &Ctx) -> Result<List<McpConnectionView>, ApiError> {
    ctx.authorise(Action::SecurityRead, &Resource::system()).await?;
    let app = &ctx.app;
    let mut items: Vec<McpConnectionView> = app
        .channels
        .infos()
        .into_iter()
        .map(|(number, info)| McpConnectionView {
            id: number.to_string(),
            user: info.user.to_string(),
            door: info.door.as_str().to_owned(),
            server: info.scope.clone(),
            client: None,
            speaks: info.speaks.lock().unwrap_or_else(PoisonError::into_inner).to_owned(),
            running: info.running.load(Ordering::Relaxed),
            bytes_in: Some(info.bytes_in.load(Ordering::Relaxed)),
            bytes_out: Some(info.bytes_out.load(Ordering::Relaxed)),
            opened_at: info.opened_at.to_string(),
            used_at: None,
        })
        .collect();
    items.extend(app.gateway.sessions.infos().into_iter().map(of_session));
    Ok(List { items, next: None })
}

fn of_session(info: SessionInfo) -> McpConnectionView {
    McpConnectionView {
        id: info.id,
        user: info.user.to_string(),
        door: "mcp".to_owned(),
        server: info.server,
        // A client says so of itself, and may say anything.
        client: Some(info.client.chars().filter(|c| !c.is_control()).take(100).collect()),
        speaks: info.version.to_owned(),
        running: info.running,
        bytes_in: None,
        bytes_out: None,
        opened_at: info.opened_at.to_string(),
        used_at: Some(info.used_at.to_string()),
    }
}

/// End a session or a connection.
#[utoipa::path(
    operation_id = "mcp_connections_end",
    delete, path = "/api/v1/mcp/connections/{id}", tag = "tool servers", params(("id" = String, Path)),
    responses((status = 204), (status = 404, body = Problem))
)]
pub(crate) async fn end(ctx: Ctx, Path(id): Path<String>) -> Result<StatusCode, ApiError> {
    disconnect(&ctx, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends one.
pub(crate) async fn disconnect(ctx: &Ctx, id: &str) -> Result<(), ApiError> {
    let allowed = ctx.authorise(Action::McpDisconnect, &Resource::system()).await?;
    let app = &ctx.app;
    let channel = id.parse().ok().and_then(|number: u64| {
        app.channels.infos().into_iter().find(|(own, _)| *own == number).map(|(_, info)| info)
    });
    let session = app.gateway.sessions.named(id);
    if channel.is_none() && session.is_none() {
        return Err(ApiError::not_found());
    }
    app.engine.record(allowed.draft(ctx).on(id)).await?;
    if let Some(info) = channel {
        info.end.cancel();
    }
    if let Some(session) = session {
        app.gateway.sessions.end(&session);
    }
    Ok(())
}
