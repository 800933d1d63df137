//! Who asks: an API token in the `Authorization` header, or a browser session's cookie.

use super::RequestInfo;
use crate::{App, error::ApiError};
use axum::http::{HeaderMap, header};
use wardroom_core::{
    Principal, Timestamp,
    audit::{AuditDraft, AuditOutcome},
    identity::User,
    principal::Credential,
};
use wardroom_trust::secret::{ApiSecret, SessionSecret};
use wardroom_wire::error::ErrorCode;

/// The cookie's name. `__Host-` binds it to this host, to TLS and to the whole path (RFC 6265bis §4.1.3.2).
pub(crate) const SESSION_COOKIE: &str = "__Host-wardroom";

/// Who asks, and what their forms must carry.
pub(crate) struct Proof {
    pub(crate) principal: Principal,
    pub(crate) csrf: String,
    /// Until when it holds.
    pub(crate) ends_at: Timestamp,
}

/// The value of the session's cookie, if the request has exactly one.
pub(crate) fn session_cookie(headers: &HeaderMap) -> Option<&str> {
    let mut found = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(name, _)| *name == SESSION_COOKIE)
        .map(|(_, value)| value);
    let first = found.next()?;
    // SECURITY: two cookies of one name mean that somebody planted one; neither counts.
    if found.next().is_some() { None } else { Some(first) }
}

/// Finds out who asks.
pub(crate) async fn authenticate(
    app: &App,
    info: &RequestInfo,
    headers: &HeaderMap,
) -> Result<Proof, ApiError> {
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        return by_token(app, info, value.to_str().unwrap_or_default()).await;
    }
    match session_cookie(headers) {
        Some(cookie) => by_session(app, cookie).await,
        None => Err(unauthenticated()),
    }
}

async fn by_token(app: &App, info: &RequestInfo, header: &str) -> Result<Proof, ApiError> {
    let secret = header.strip_prefix("Bearer ").and_then(|text| ApiSecret::parse(text).ok());
    let found = match &secret {
        Some(secret) => app.engine.store().lookup_api_token(secret.hash()).await?,
        None => None,
    };
    let now = app.engine.now();
    match found {
        Some((token, user)) if now < token.expires_at && !user.disabled => Ok(Proof {
            principal: principal(user, Credential::ApiToken(token.id)),
            csrf: String::new(),
            ends_at: token.expires_at,
        }),
        _ => {
            let audit = AuditDraft::event("auth.token", &Principal::Anonymous, &info.origin(), now)
                .outcome(AuditOutcome::Refused, "the API token is not known or has ended");
            app.refusals.record(app, audit).await?;
            Err(unauthenticated())
        }
    }
}

async fn by_session(app: &App, cookie: &str) -> Result<Proof, ApiError> {
    let secret = SessionSecret::parse(cookie).map_err(|_| unauthenticated())?;
    let now = app.engine.now();
    match app.engine.store().lookup_session(secret.hash()).await? {
        Some((session, user)) if now < session.expires_at && !user.disabled => Ok(Proof {
            principal: principal(user, Credential::Session(session.id)),
            csrf: secret.csrf_token(),
            ends_at: session.expires_at,
        }),
        // An ended session is everyday life, not an attack; guessing one is out of reach.
        _ => Err(unauthenticated()),
    }
}

fn principal(user: User, credential: Credential) -> Principal {
    Principal::User { id: user.id, name: user.name, role: user.role, credential }
}

fn unauthenticated() -> ApiError {
    ApiError::say(
        ErrorCode::Unauthenticated,
        "Sign in, or send an API token as `Authorization: Bearer …`. A token ends at its expiry or when it is revoked.",
    )
}
