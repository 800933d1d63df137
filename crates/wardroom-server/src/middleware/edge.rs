//! The outermost layer: request id, host, security headers, time limit, error documents, log line.

use super::rest;
use crate::{App, docs, error::ApiError, ui};
use axum::{
    Router,
    extract::{MatchedPath, Request},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use std::{net::SocketAddr, sync::Arc, time::Instant};
use tower_http::limit::RequestBodyLimitLayer;
use tracing::Instrument;
use wardroom_core::{Door, Origin, RequestId};
use wardroom_wire::error::{ErrorCode, Problem};

/// The address at the other end of the connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// What the edge knows of a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RequestInfo {
    pub(crate) id: RequestId,
    pub(crate) peer: SocketAddr,
    pub(crate) door: Door,
}

impl RequestInfo {
    /// Where the request came from, for records.
    pub(crate) fn origin(&self) -> Origin {
        Origin {
            door: self.door,
            address: Some(self.peer.ip().to_canonical()),
            request: Some(self.id),
        }
    }
}

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
        .layer(RequestBodyLimitLayer::new(app.limits.body_bytes_max))
        .layer(axum::extract::DefaultBodyLimit::disable())
        .layer(axum::middleware::from_fn(move |request, next| {
            edge_of(Arc::clone(&edge), request, next)
        }))
        .with_state(Arc::clone(app))
}

async fn edge_of(app: Arc<App>, mut request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let Some(Peer(peer)) = request.extensions().get::<Peer>().copied() else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let path = request.uri().path();
    let door = match path {
        path if path.starts_with("/api/") || path.starts_with("/health/") => Door::Api,
        path if path.starts_with("/node/") => Door::NodeLink,
        _ => Door::Dashboard,
    };
    let id = RequestId::new(app.engine.now(), app.engine.rng());
    let info = RequestInfo { id, peer, door };
    request.extensions_mut().insert(info);
    let method = request.method().clone();
    let span = tracing::info_span!("request", %id, peer = %peer.ip(), %method);
    // The matched pattern and never the path itself: a path may hold what should not be logged.
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "(none)".to_owned(), |path| path.as_str().to_owned());
    let cors = allowed_origin(&app, request.headers());
    let preflight = method == Method::OPTIONS && cors.is_some();
    let page = Page::of(&request, door);
    let one_at_a_time = request.version() <= Version::HTTP_11;
    let mut response = if !names_own_host(&app, &request) {
        ApiError::say(ErrorCode::WrongHost, "The request names a host that is not this server's.")
            .into_response()
    } else if preflight {
        StatusCode::NO_CONTENT.into_response()
    } else {
        let (parts, body) = request.into_parts();
        let (body, rest) = rest::lend(body);
        let request = Request::from_parts(parts, body);
        let work = tokio::time::timeout(app.limits.request_timeout, next.run(request));
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
    response = finish(&app, response, &info, &page, &span);
    dress(response.headers_mut(), &info, cors, preflight);
    if status == StatusCode::PAYLOAD_TOO_LARGE && one_at_a_time {
        // The rest of the body is not read, so nothing can follow it: the client must know.
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    app.metrics.request(&method, &route, status.as_u16(), begun.elapsed());
    tracing::debug!(parent: &span, route, status = status.as_u16(), ms = begun.elapsed().as_millis(), "answered");
    response
}

/// What an error's reader is.
struct Page {
    html: bool,
    path: String,
}

impl Page {
    fn of(request: &Request, door: Door) -> Self {
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str()).to_owned();
        Self { html: door == Door::Dashboard, path }
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
    let _ = app;
    let mut answer = if page.html {
        ui::error_page(&error, &info.id.to_string(), &page.path)
    } else {
        let problem = Problem {
            kind: docs::path(error.code),
            title: error.code.title().to_owned(),
            status: error.code.status(),
            code: error.code.as_str().to_owned(),
            detail: error.detail,
            request_id: info.id.to_string(),
            fields: error.fields,
        };
        let mut answer = axum::Json(problem).into_response();
        let kind = HeaderValue::from_static("application/problem+json");
        answer.headers_mut().insert(header::CONTENT_TYPE, kind);
        if error.code == ErrorCode::Unauthenticated {
            answer
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if matches!(error.code, ErrorCode::Busy | ErrorCode::StoreUnavailable) {
            answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
        }
        answer
    };
    if !page.html || !answer.status().is_redirection() {
        *answer.status_mut() = response.status();
    }
    answer
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

fn chain(error: &(dyn std::error::Error + Send + Sync)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
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
            HeaderValue::from_static("GET, POST, PATCH, DELETE"),
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
pub(super) fn is_own_host(app: &App, authority: &str) -> bool {
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    app.hosts.contains(&host.to_ascii_lowercase())
}
