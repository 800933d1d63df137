//! `POST /sign-in`: a browser's way in.

use crate::{
    App,
    error::ApiError,
    identity::{self, Opened},
    middleware::{RequestInfo, SESSION_COOKIE, own_origin},
};
use axum::{
    Extension, Form,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use std::sync::Arc;
use wardroom_core::{
    Principal,
    audit::{AuditDraft, AuditOutcome},
    identity::SessionKind,
};
use wardroom_wire::error::ErrorCode;

/// The form.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignIn {
    name: String,
    password: String,
    #[serde(default)]
    next: String,
}

/// Opens a session and goes on to where the browser wanted to be.
pub(crate) async fn handler(
    State(app): State<Arc<App>>,
    Extension(info): Extension<RequestInfo>,
    headers: HeaderMap,
    uri: Uri,
    Form(form): Form<SignIn>,
) -> Result<Response, ApiError> {
    // SECURITY: another site must not sign a browser in under an account of its choice.
    if let Err(why) = own_origin(&app, &headers, &uri) {
        let now = app.engine.now();
        let audit =
            AuditDraft::event("auth.cross_site", &Principal::Anonymous, &info.origin(), now)
                .outcome(AuditOutcome::Refused, why);
        app.refusals.record(&app, audit).await?;
        return Err(ApiError::new(ErrorCode::CrossSite));
    }
    let next = local_path(&form.next);
    let agent =
        headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
    let proof = (form.name.as_str(), SecretString::from(form.password));
    let opened =
        match identity::sign_in(&app, &info, proof, None, SessionKind::Browser, agent).await {
            Ok(opened) => opened,
            Err(error) if error.code == ErrorCode::SignInFailed => {
                return Ok(see_other(&format!("/sign-in?failed=1&next={}", escaped(next))));
            }
            Err(error) => return Err(error),
        };
    with_cookie(&app, &opened, see_other(next))
}

/// Gives the browser its session.
pub(crate) fn with_cookie(
    app: &App,
    opened: &Opened,
    mut response: Response,
) -> Result<Response, ApiError> {
    let cookie = format!(
        "{SESSION_COOKIE}={}; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age={}",
        opened.secret.expose_secret(),
        app.accounts.session_ttl.as_secs()
    );
    let mut cookie = HeaderValue::from_str(&cookie).map_err(ApiError::internal)?;
    cookie.set_sensitive(true);
    response.headers_mut().insert(header::SET_COOKIE, cookie);
    Ok(response)
}

/// SECURITY: only a path of this server, so that a link to the sign-in page can't lead elsewhere.
pub(crate) fn local_path(next: &str) -> &str {
    let local = next.starts_with('/')
        && !next.starts_with("//")
        && !next.contains('\\')
        && next.bytes().all(|b| b.is_ascii_graphic());
    if local { next } else { "/" }
}

fn escaped(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// Sends the browser on with GET (RFC 9110 §15.4.4).
pub(crate) fn see_other(path: &str) -> Response {
    match HeaderValue::from_str(path) {
        Ok(path) => (StatusCode::SEE_OTHER, [(header::LOCATION, path)]).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_on_never_leads_elsewhere() {
        assert_eq!(local_path("/runs?state=failed"), "/runs?state=failed");
        for bad in [
            "",
            "https://evil.example",
            "//evil.example",
            "/\\evil.example",
            "/a b",
            "javascript:x",
        ] {
            assert_eq!(local_path(bad), "/", "{bad:?}");
        }
    }
}
