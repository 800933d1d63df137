//! MCP over Streamable HTTP, `/mcp` for all tools of the caller and `/mcp/{server}` for those of one server. Both eras:
//! requests that stand alone (2026-07-28), and those of sessions (until 2025-11-25).

use super::{
    caller::McpCaller,
    exchange::{Answered, begin},
    is_visible,
    reply::{document, reply},
    sessions::{SESSION, in_session, open_session},
};
use crate::{
    api::input::QueryOf, context::Ctx, error::ApiError, listen::KeptPlace, middleware::is_own_host,
};
use axum::{
    Extension,
    body::Bytes,
    extract::{Path, WebSocketUpgrade, ws::rejection::WebSocketUpgradeRejection},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use wardroom_core::{
    Action,
    action::Resource,
    audit::{AuditDraft, AuditOutcome},
};
use wardroom_gateway::{
    door::{Caller, Client, Modern, Outlet, Speaks, check_headers},
    era::{LEGACY, meta},
    rpc::{Id, Message, Object, Request, RpcError, parse},
    trace::TraceContext,
};
use wardroom_wire::error::ErrorCode;

/// The one tool server that a path names.
pub(crate) type Scope = Option<Path<String>>;

/// What every message needs.
pub(super) struct Arrived {
    pub(super) ctx: Ctx,
    pub(super) caller: Arc<dyn Caller>,
    pub(super) scope: Option<String>,
    pub(super) headers: HeaderMap,
}

impl Arrived {
    /// Whoever asks, if they may come in here.
    pub(super) async fn new(ctx: Ctx, scope: Scope, headers: HeaderMap) -> Result<Self, ApiError> {
        // SECURITY: a browser sends its cookie by itself; only who shows a token speaks here.
        if ctx.proof().is_cookie() {
            return Err(ApiError::say(
                ErrorCode::Unauthenticated,
                "Send a token as `Authorization: Bearer …`: a browser's session is not taken here.",
            ));
        }
        ctx.authorise(Action::McpConnect, &Resource::system()).await?;
        own_page(&ctx, &headers).await?;
        let scope = scope.map(|Path(name)| name);
        // SECURITY: what was granted for one server's tools is good for no other's.
        if !ctx.proof().reaches(&ctx.app, scope.as_deref()) {
            return Err(ApiError::new(ErrorCode::Unauthenticated));
        }
        let caller: Arc<dyn Caller> = Arc::new(McpCaller::new(ctx.clone())?);
        if scope.as_ref().is_some_and(|name| !is_visible(&ctx.app, &*caller, name)) {
            // A client that may see it with another token is told to ask for that, whether it is there or not.
            ctx.require(Action::ToolCall).await?;
            return Err(ApiError::not_found());
        }
        Ok(Self { ctx, caller, scope, headers })
    }

    /// A header that is a text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Records what is no message.
    pub(super) async fn malformed(&self, error: &RpcError) -> Result<(), ApiError> {
        let app = &self.ctx.app;
        let draft = self.ctx.draft(Action::McpConnect);
        let audit = AuditDraft {
            record: wardroom_core::audit::AuditRecord {
                action: "mcp.malformed".to_owned(),
                ..draft.record
            },
            ..draft
        };
        app.refusals.record(app, audit.outcome(AuditOutcome::Refused, error.message.clone())).await
    }
}

/// SECURITY: a page of another site speaks here only where settings name it; a name that leads here is not enough (DNS
/// rebinding).
async fn own_page(ctx: &Ctx, headers: &HeaderMap) -> Result<(), ApiError> {
    let Some(origin) = headers.get(header::ORIGIN) else { return Ok(()) };
    let app = &ctx.app;
    let own = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
    let own = own.is_some_and(|(_, authority)| is_own_host(app, authority));
    if own || app.cors_origins.contains(origin) {
        return Ok(());
    }
    let audit = AuditDraft::event("mcp.cross_site", &ctx.principal, &ctx.origin, ctx.now())
        .outcome(AuditOutcome::Refused, "a page of another site asks");
    app.refusals.record(app, audit).await?;
    Err(ApiError::new(ErrorCode::CrossSite))
}

/// Where a message goes that is posted.
#[derive(Default, Deserialize)]
pub(crate) struct Posting {
    /// To the connection whose stream was told this name.
    channel: Option<String>,
}

/// Takes a message.
pub(crate) async fn post(
    ctx: Ctx,
    scope: Scope,
    QueryOf(query): QueryOf<Posting>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, ApiError> {
    let json = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let is_json = json.is_some_and(|kind| {
        kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json")
    });
    if !is_json {
        return Err(ApiError::new(ErrorCode::UnsupportedMediaType));
    }
    let arrived = Arrived::new(ctx, scope, headers).await?;
    if let Some(channel) = query.channel {
        return super::sse::post(&arrived, &channel, body).await;
    }
    if let Some(batch) = super::sessions::batch(&arrived, &body) {
        return batch.await;
    }
    let message = match parse(&body) {
        Ok(message) => message,
        Err(malformed) => {
            arrived.malformed(&malformed.error).await?;
            let answered = Answered::of(malformed.id.as_ref(), &Err(malformed.error));
            return Ok(document(400, answered.text));
        }
    };
    match message {
        Message::Request(request) if is_modern(&arrived, &request) => {
            Ok(modern(&arrived, request).await)
        }
        Message::Request(request) if request.method == "initialize" => {
            open_session(&arrived, request).await
        }
        message => in_session(&arrived, message).await,
    }
}

/// Whether a request is of revision 2026-07-28 or of one that is not known: those say so themselves.
fn is_modern(arrived: &Arrived, request: &Request) -> bool {
    let said = request.params.object("_meta").is_some_and(|own| own.has(meta::VERSION));
    let version = arrived.header("mcp-protocol-version");
    let later = version.is_some_and(|version| !LEGACY.contains(&version));
    let opens = request.method == "initialize" && !said;
    said || (later && !opens && !arrived.headers.contains_key(SESSION))
}

async fn modern(arrived: &Arrived, mut request: Request) -> Response {
    match read_modern(arrived, &request) {
        Ok(modern) => {
            TraceContext::inject_from_headers(&arrived.headers, &mut request.params);
            let (outlet, notes) = Outlet::new();
            let cancel = CancellationToken::new();
            let client = Client {
                caller: Arc::clone(&arrived.caller),
                scope: arrived.scope.clone(),
                speaks: Speaks::Modern(modern),
                outlet,
                cancel: cancel.clone(),
            };
            let app = &arrived.ctx.app;
            let exchange = begin(&app.gateway, client, request, notes, Some(cancel), ());
            reply(exchange, true, app.stop.clone()).await
        }
        Err(error) => refuse(&request.id, error),
    }
}

fn read_modern(arrived: &Arrived, request: &Request) -> Result<Modern, RpcError> {
    let mut modern = Modern::read(&request.params)?;
    let parameters = arrived.headers.iter().filter_map(|(name, value)| {
        Some((name.as_str().strip_prefix("mcp-param-")?, value.to_str().ok()?))
    });
    let carried = check_headers(request, |name| arrived.header(name), parameters)?;
    Modern::check_version(&request.params)?;
    modern.mirrored = Some(carried);
    Ok(modern)
}

/// An error that says something about the request as a whole.
fn refuse(id: &Id, error: RpcError) -> Response {
    let outcome: Result<Object, RpcError> = Err(error);
    document(400, Answered::of(Some(id), &outcome).text)
}

/// Opens a WebSocket, or the stream of a session.
pub(crate) async fn get(
    ctx: Ctx,
    scope: Scope,
    headers: HeaderMap,
    place: Option<Extension<KeptPlace>>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, ApiError> {
    let arrived = Arrived::new(ctx, scope, headers).await?;
    match upgrade {
        Ok(upgrade) => super::websocket::open(arrived, place, upgrade).await,
        Err(_) if is_2024(&arrived) => super::sse::open(arrived).await,
        Err(_) => super::sessions::listen(&arrived),
    }
}

/// Whether somebody listens as clients of revision 2024-11-05 do: before they said anything, in no session.
fn is_2024(arrived: &Arrived) -> bool {
    let accepts = arrived.header("accept").is_some_and(|kinds| kinds.contains("text/event-stream"));
    let later = [SESSION, "mcp-protocol-version"];
    accepts && !later.iter().any(|name| arrived.headers.contains_key(*name))
}

/// Ends a session.
pub(crate) async fn delete(
    ctx: Ctx,
    scope: Scope,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let arrived = Arrived::new(ctx, scope, headers).await?;
    super::sessions::end(&arrived)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
