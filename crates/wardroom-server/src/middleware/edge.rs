//! The outermost layer: request id, host, security headers, time limit, error documents, log line.

use super::rest;
use crate::{
    App, docs,
    doors::{Found, Left, client_address},
    error::ApiError,
    mcp, models,
    oauth::metadata::{MCP_SCOPES, RESOURCES},
    places::network,
    ui,
};
use axum::{
    Router,
    extract::{MatchedPath, Request},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, Version, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};
use tracing::Instrument;
use wardroom_core::{
    Action, Door, Origin, Principal, RequestId,
    audit::{AuditDraft, AuditOutcome},
    causes::chain,
};
use wardroom_wire::error::{ErrorCode, Problem};

/// The address at the other end of the connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// What the edge knows of a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RequestInfo {
    pub(crate) id: RequestId,
    /// The client's address: the peer's, or what a trusted proxy says.
    pub(crate) client: IpAddr,
    pub(crate) door: Door,
}

impl RequestInfo {
    /// Where the request came from, for records.
    pub(crate) fn origin(&self) -> Origin {
        Origin { door: self.door, address: Some(self.client), request: Some(self.id) }
    }
}

/// When to come back to a server that is busy.
const BUSY_RETRY: Duration = Duration::from_secs(5);

const CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
    font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; \
    frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types wardroom";

/// On every response, errors included.
const HEADERS: [(HeaderName, HeaderValue); 9] = [
    (
        header::STRICT_TRANSPORT_SECURITY,
        HeaderValue::from_static("max-age=31536000; includeSubDomains"),
    ),
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CSP)),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (header::REFERRER_POLICY, HeaderValue::from_static("same-origin")),
    (
        HeaderName::from_static("permissions-policy"),
        HeaderValue::from_static("camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    ),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        HeaderValue::from_static("same-origin"),
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("same-origin"),
    ),
    (
        HeaderName::from_static("x-permitted-cross-domain-policies"),
        HeaderValue::from_static("none"),
    ),
];

/// Puts the edge around a table of routes.
pub(crate) fn wrap(app: &Arc<App>, router: Router<Arc<App>>) -> Router {
    let edge = Arc::clone(app);
    router
        .fallback(|| async { ApiError::say(ErrorCode::NotFound, "No route has this path.") })
        .method_not_allowed_fallback(|| async { ApiError::new(ErrorCode::MethodNotAllowed) })
        .layer(axum::extract::DefaultBodyLimit::disable())
        .layer(axum::middleware::from_fn(move |request, next| {
            edge_of(Arc::clone(&edge), request, next)
        }))
        .with_state(Arc::clone(app))
}

/// Whether a request asks for a WebSocket (RFC 6455 §4.1).
fn wants_websocket(request: &Request) -> bool {
    let upgrade = request.headers().get(header::UPGRADE);
    request.method() == Method::GET
        && upgrade.is_some_and(|kind| kind.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

/// Whether a NUL stands in an address: nothing is called so, and not every database takes one in a text.
fn has_nul(uri: &Uri) -> bool {
    let told = uri.path_and_query().map_or("", |told| told.as_str());
    told.contains("%00")
}

/// The way in that a request takes.
fn door_of(request: &Request) -> Door {
    match request.uri().path() {
        // Programs ask these and read what is wrong as JSON; people come by /oauth/authorize and /oauth/consent.
        "/oauth/token" | "/oauth/revoke" => Door::Api,
        path if ["/api/", "/health/", "/.well-known/"].iter().any(|at| path.starts_with(at)) => {
            Door::Api
        }
        path if path.starts_with(models::PREFIX) => Door::Models,
        path if path.starts_with("/node/") => Door::NodeLink,
        path if path == mcp::PATH || path.starts_with("/mcp/") => {
            if wants_websocket(request) {
                Door::McpWebsocket
            } else {
                Door::Mcp
            }
        }
        _ => Door::Dashboard,
    }
}

async fn edge_of(app: Arc<App>, mut request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let Some(Peer(peer)) = request.extensions().get::<Peer>().copied() else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let door = door_of(&request);
    let id = RequestId::new(app.engine.now(), app.engine.rng());
    let client = client_address(peer.ip(), request.headers(), &app.doors.trusted_proxies);
    let info = RequestInfo { id, client, door };
    request.extensions_mut().insert(info);
    let method = request.method().clone();
    let span = tracing::info_span!("request", %id, peer = %client, %method);
    // The matched pattern and never the path itself: a path may hold what should not be logged.
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "(none)".to_owned(), |path| path.as_str().to_owned());
    let cors = allowed_origin(&app, request.headers());
    let preflight = method == Method::OPTIONS && cors.is_some();
    let page = Page::of(&request, door, &route);
    let one_at_a_time = request.version() <= Version::HTTP_11;
    let own = names_own_host(&app, &request);
    let foreign = is_foreign(&request) && cors.is_none();
    let found = app.filter.look(request.uri(), request.headers());
    let admitted = match foreign {
        true => Err(refuse_foreign(&app, &info).await),
        false if has_nul(request.uri()) => {
            Err(ApiError::say(ErrorCode::BadRequest, "A NUL stands in the address."))
        }
        false => admit(&app, &info, own, found).await,
    };
    let left = admitted.as_ref().ok().copied().flatten();
    let mut response = if let Err(error) = admitted {
        error.into_response()
    } else if preflight {
        StatusCode::NO_CONTENT.into_response()
    } else {
        let (parts, body) = request.into_parts();
        let (body, rest) = rest::lend(body);
        let request = Request::from_parts(parts, body);
        // A model takes its time before its first word.
        let time = if door == Door::Models { models::TIME_MAX } else { app.limits.request_timeout };
        let work = tokio::time::timeout(time, next.run(request));
        let response = work
            .instrument(span.clone())
            .await
            .unwrap_or_else(|_| ApiError::new(ErrorCode::TimedOut).into_response());
        if !one_at_a_time {
            rest::read(rest, app.limits.body_bytes_max).await;
        }
        response
    };
    let status = response.status();
    let own = response.extensions_mut().remove::<Left>();
    response = finish(&app, response, &info, &page, &span);
    if let Some(left) = left.map(|left| left.tighter(own)).or(own) {
        left.write(response.headers_mut());
    }
    dress(response.headers_mut(), &info, cors, preflight);
    if status == StatusCode::PAYLOAD_TOO_LARGE && one_at_a_time {
        // The rest of the body is not read, so nothing can follow it: the client must know.
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    app.metrics.request(&method, &route, status.as_u16(), begun.elapsed());
    tracing::debug!(parent: &span, route, status = status.as_u16(), ms = begun.elapsed().as_millis(), "answered");
    response
}

/// Whether another site's page made the browser send the request, other than by leading somebody here. SECURITY:
/// nothing that such a page sends is answered, so that it can't make a visitor's address fail until it is blocked.
fn is_foreign(request: &Request) -> bool {
    let says = |name: &str, wanted: &[&str]| {
        request.headers().get(name).is_some_and(|value| wanted.iter().any(|text| value == text))
    };
    let arrives = request.method() == Method::GET
        && says("sec-fetch-mode", &["navigate"])
        && says("sec-fetch-dest", &["document"]);
    says("sec-fetch-site", &["cross-site", "same-site"]) && !arrives
}

async fn refuse_foreign(app: &App, info: &RequestInfo) -> ApiError {
    let now = app.engine.now();
    let audit = AuditDraft::event("auth.cross_site", &Principal::Anonymous, &info.origin(), now)
        .outcome(AuditOutcome::Refused, "another site's page made the browser send it");
    match app.refusals.record(app, audit).await {
        Ok(()) => ApiError::new(ErrorCode::CrossSite),
        Err(error) => error,
    }
}

/// Whether a request comes in at all; and what is left to its address.
async fn admit(
    app: &App,
    info: &RequestInfo,
    names_own_host: bool,
    found: Option<Found>,
) -> Result<Option<Left>, ApiError> {
    if !names_own_host {
        return Err(ApiError::say(
            ErrorCode::WrongHost,
            "The request names a host that is not this server's.",
        ));
    }
    let now = app.engine.now();
    if let Some(until) = app.blocks.until(info.client, now) {
        return Err(ApiError {
            retry_after: Some(until.since(now)),
            ..ApiError::say(
                ErrorCode::Blocked,
                format!("Nothing from your network is let in until {until}."),
            )
        });
    }
    // Nodes come back all at once after an outage, and have an allowance of their own.
    let left = match info.door {
        Door::NodeLink => None,
        _ => app.rates.address(network(info.client))?,
    };
    if let Some(found) = found {
        app.metrics.filtered(found.rule, found.blocks);
        let outcome = if found.blocks { AuditOutcome::Refused } else { AuditOutcome::Done };
        let why =
            if found.blocks { "the request filter refused it" } else { "the request went on" };
        let audit =
            AuditDraft::event("request.suspicious", &Principal::Anonymous, &info.origin(), now)
                .detail("rule", found.rule)
                .detail("place", found.place)
                .outcome(outcome, why);
        app.refusals.record(app, audit).await?;
        if found.blocks {
            return Err(ApiError::new(ErrorCode::Filtered));
        }
    }
    Ok(left)
}

/// What an error's reader is.
struct Page {
    html: bool,
    /// Where they come back to.
    path: String,
    /// Whether they brought a token.
    token: bool,
}

impl Page {
    fn of(request: &Request, door: Door, route: &str) -> Self {
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        let token = request.headers().contains_key(header::AUTHORIZATION);
        Self { html: door == Door::Dashboard, path: ui::page_of(route, path), token }
    }
}

/// Writes the body of an error and the one log line of its cause.
fn finish(
    app: &App,
    mut response: Response,
    info: &RequestInfo,
    page: &Page,
    span: &tracing::Span,
) -> Response {
    if let Some(mcp::Lacks(scope)) = response.extensions_mut().remove() {
        let challenge = challenge(app, ErrorCode::Forbidden, Some(scope), page);
        response.headers_mut().extend(challenge.map(|value| (header::WWW_AUTHENTICATE, value)));
        return response;
    }
    let error = match response.extensions_mut().remove::<ApiError>() {
        Some(error) => error,
        None => match rejection(response.status()) {
            Some(error) if !is_document(&response) => error,
            _ => return response,
        },
    };
    if let Some(source) = &error.source {
        let chain = chain(&**source);
        tracing::error!(parent: span, code = error.code.as_str(), %chain, "a request failed");
    }
    let mut answer = if page.html {
        ui::error_page(&error, &info.id.to_string(), &page.path)
    } else if info.door == Door::Models {
        axum::Json(models::problem(&error, &page.path, &info.id.to_string())).into_response()
    } else {
        let problem = Problem {
            kind: docs::path(error.code),
            title: error.code.title().to_owned(),
            status: error.code.status(),
            code: error.code.as_str().to_owned(),
            detail: error.detail.clone(),
            request_id: info.id.to_string(),
            fields: error.fields.clone(),
            approval: error.approval.clone(),
        };
        let mut answer = axum::Json(problem).into_response();
        let kind = HeaderValue::from_static("application/problem+json");
        answer.headers_mut().insert(header::CONTENT_TYPE, kind);
        if let Some(challenge) = challenge(app, error.code, error.lacks, page) {
            answer.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        answer
    };
    let busy = matches!(error.code, ErrorCode::Busy | ErrorCode::StoreUnavailable);
    if let Some(wait) = error.retry_after.or(busy.then_some(BUSY_RETRY)) {
        let seconds = HeaderValue::from(wait.as_secs().max(1));
        answer.headers_mut().insert(header::RETRY_AFTER, seconds);
    }
    if !page.html || !answer.status().is_redirection() {
        *answer.status_mut() = response.status();
    }
    answer
}

/// What a program is told that is to bring a token, or a better one (RFC 6750 §3, RFC 9728 §5.1).
fn challenge(
    app: &App,
    code: ErrorCode,
    lacks: Option<Action>,
    page: &Page,
) -> Option<HeaderValue> {
    let path = page.path.split('?').next().unwrap_or_default();
    let (resource, scopes) = if path == mcp::PATH || path.starts_with("/mcp/") {
        (path, format!(", scope=\"{}\"", MCP_SCOPES.join(" ")))
    } else {
        ("/api", String::new())
    };
    let metadata = format!("resource_metadata=\"{}{RESOURCES}{resource}\"", app.issuer());
    let known = resource != "/api" || path.starts_with("/api/");
    let text = match (code, lacks) {
        (ErrorCode::Unauthenticated, _) if !known => "Bearer".to_owned(),
        (ErrorCode::Unauthenticated, _) if page.token => {
            format!("Bearer error=\"invalid_token\", {metadata}{scopes}")
        }
        (ErrorCode::Unauthenticated, _) => format!("Bearer {metadata}{scopes}"),
        (_, Some(scope)) => {
            format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\", {metadata}")
        }
        _ => return None,
    };
    HeaderValue::from_str(&text).ok()
}

/// What the framework's own refusals are in our words.
fn rejection(status: StatusCode) -> Option<ApiError> {
    let code = match status {
        StatusCode::PAYLOAD_TOO_LARGE => ErrorCode::TooLarge,
        StatusCode::UNSUPPORTED_MEDIA_TYPE => ErrorCode::UnsupportedMediaType,
        StatusCode::UNPROCESSABLE_ENTITY => ErrorCode::InvalidField,
        StatusCode::METHOD_NOT_ALLOWED => ErrorCode::MethodNotAllowed,
        status if status.is_client_error() => ErrorCode::BadRequest,
        status if status.is_server_error() => ErrorCode::Internal,
        _ => return None,
    };
    Some(ApiError::new(code))
}

/// Whether a handler wrote a body of its own on purpose.
fn is_document(response: &Response) -> bool {
    response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| {
        kind.as_bytes().starts_with(b"text/html") || kind.as_bytes().starts_with(b"application/")
    })
}

fn dress(headers: &mut HeaderMap, info: &RequestInfo, cors: Option<HeaderValue>, preflight: bool) {
    for (name, value) in HEADERS {
        headers.insert(name, value);
    }
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    if let Ok(id) = HeaderValue::from_str(&info.id.to_string()) {
        headers.insert(HeaderName::from_static("x-request-id"), id);
    }
    headers.append(header::VARY, HeaderValue::from_static("origin"));
    let Some(origin) = cors else { return };
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    if preflight {
        headers.insert(
            header::ACCESS_CONTROL_ALLOW_METHODS,
            HeaderValue::from_static("GET, POST, PUT, PATCH, DELETE"),
        );
        headers.insert(
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            HeaderValue::from_static("authorization, content-type, idempotency-key, if-match"),
        );
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    }
}

/// The request's origin, if its scripts may read answers. Credentials are never allowed across
/// origins: such a script must bring a token of its own.
fn allowed_origin(app: &App, headers: &HeaderMap) -> Option<HeaderValue> {
    let origin = headers.get(header::ORIGIN)?;
    app.cors_origins.contains(origin).then(|| origin.clone())
}

/// SECURITY: a name that is not ours means DNS rebinding or a confused proxy.
fn names_own_host(app: &App, request: &Request) -> bool {
    let named = match request.uri().authority() {
        Some(authority) => Some(authority.as_str()),
        None => request.headers().get(header::HOST).and_then(|host| host.to_str().ok()),
    };
    named.is_some_and(|named| is_own_host(app, named))
}

/// Whether `authority`, with or without a port, is one of this server's names.
pub(crate) fn is_own_host(app: &App, authority: &str) -> bool {
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    app.hosts.contains(&host.to_ascii_lowercase())
}
