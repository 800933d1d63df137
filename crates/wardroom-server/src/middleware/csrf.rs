//! A browser's state-changing request must come from our own pages: by origin, by fetch metadata and
//! by a token that only our pages know.

use super::{RequestInfo, authenticate::Proof, edge::is_own_host};
use crate::{App, error::ApiError};
use axum::{
    body::{Body, Bytes},
    extract::Request,
    http::{HeaderMap, Uri, header},
};
use subtle::ConstantTimeEq;
use wardroom_core::audit::{AuditDraft, AuditOutcome};
use wardroom_wire::error::ErrorCode;

/// The header in which scripts send the token.
const HEADER: &str = "x-csrf-token";
/// The field in which forms send it.
const FIELD: &str = "csrf";

/// Gives the request back if it comes from our own pages.
pub(super) async fn check(
    app: &App,
    info: &RequestInfo,
    proof: &Proof,
    request: Request,
    bytes_max: usize,
) -> Result<Request, ApiError> {
    let refused = match own_origin(app, request.headers(), request.uri()) {
        Err(why) => why,
        Ok(()) => {
            let (token, request) = token_of(request, bytes_max).await?;
            if bool::from(token.as_bytes().ct_eq(proof.csrf.as_bytes())) && !token.is_empty() {
                return Ok(request);
            }
            "the request carries no valid CSRF token"
        }
    };
    let audit =
        AuditDraft::event("auth.cross_site", &proof.principal, &info.origin(), app.engine.now())
            .outcome(AuditOutcome::Refused, refused);
    app.refusals.record(app, audit).await?;
    Err(ApiError::say(
        ErrorCode::CrossSite,
        "Nothing was done: the request did not come from a page of this session. Reload the page and try again.",
    ))
}

/// Whether the headers that a page can't forge say that the request is our own page's.
pub(crate) fn own_origin(app: &App, headers: &HeaderMap, target: &Uri) -> Result<(), &'static str> {
    if let Some(site) = headers.get("sec-fetch-site")
        && site != "same-origin"
        && site != "none"
    {
        return Err("the browser says that another site made the request");
    }
    let Some(origin) = headers.get(header::ORIGIN).or_else(|| headers.get(header::REFERER)) else {
        return Err("the request names neither Origin nor Referer");
    };
    let origin = origin.to_str().unwrap_or_default();
    let authority = origin.strip_prefix("https://").and_then(|rest| rest.split('/').next());
    // HTTP/2 carries the host in the request's target. The edge has checked that it is this server's.
    let host = match target.authority() {
        Some(authority) => Some(authority.as_str()),
        None => headers.get(header::HOST).and_then(|host| host.to_str().ok()),
    };
    match (authority, host) {
        (Some(authority), Some(host))
            if authority.eq_ignore_ascii_case(host) && is_own_host(app, authority) =>
        {
            Ok(())
        }
        _ => Err("the request's origin is another site"),
    }
}

/// The token that the request carries, and the request with its body still to be read.
async fn token_of(request: Request, bytes_max: usize) -> Result<(String, Request), ApiError> {
    if let Some(token) = request.headers().get(HEADER) {
        let token = token.to_str().unwrap_or_default().to_owned();
        return Ok((token, request));
    }
    let form = request
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/x-www-form-urlencoded"));
    if !form {
        return Ok((String::new(), request));
    }
    let (parts, body) = request.into_parts();
    let bytes: Bytes = axum::body::to_bytes(body, bytes_max)
        .await
        .map_err(|_| ApiError::new(ErrorCode::TooLarge))?;
    let token = form_urlencoded::parse(&bytes)
        .find(|(name, _)| name == FIELD)
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default();
    Ok((token, Request::from_parts(parts, Body::from(bytes))))
}
