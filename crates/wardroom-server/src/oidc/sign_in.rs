//! `/sign-in/oidc` and `/sign-in/oidc/callback`: a browser's way through the provider.

use super::{
    Issuer,
    admit::{admit, refuse},
};
use crate::{
    App,
    api::input::QueryOf,
    error::ApiError,
    identity::open_session_outside,
    middleware::RequestInfo,
    sign_in::{local_path, see_other, with_cookie},
};
use axum::{
    Extension,
    extract::State,
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse as _, Response},
};
use data_encoding::BASE64URL_NOPAD;
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use std::sync::Arc;
use wardroom_trust::oidc::{Attempt, KeySet, OidcError};

/// The cookie that binds a sign-in to the browser that began it. `Lax`, because the way back is from another site.
const COOKIE: &str = "__Host-wardroom-oidc";
/// What it is sealed for.
const SEAL: &str = "oidc.attempt";
/// How long it is kept, in seconds.
const COOKIE_SECONDS: u32 = 600;
/// How long ago a fresh proof at the provider may be, in seconds.
const FRESH_SECONDS: u32 = 60;

fn there(app: &App) -> Result<&Issuer, ApiError> {
    app.oidc.as_ref().ok_or_else(ApiError::not_found)
}

/// Where to go on, and whether they have to prove anew who they are.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Begin {
    next: String,
    fresh: String,
}

/// Sends the browser to the provider.
pub(crate) async fn begin(
    State(app): State<Arc<App>>,
    QueryOf(query): QueryOf<Begin>,
) -> Result<Response, ApiError> {
    let issuer = there(&app)?;
    let fresh = query.fresh == "1";
    let attempt = Attempt::new(local_path(&query.next), fresh, app.engine.now(), app.engine.rng());
    let way = issuer.way(&attempt).await?;
    let plain = serde_json::to_vec(&attempt).map_err(ApiError::internal)?;
    let sealed = app.engine.sealer().seal(SEAL, &plain, app.engine.rng());
    let sealed = BASE64URL_NOPAD.encode(&sealed.map_err(ApiError::internal)?);
    with_attempt(see_other(&way), &sealed, COOKIE_SECONDS)
}

fn with_attempt(mut response: Response, value: &str, seconds: u32) -> Result<Response, ApiError> {
    let cookie =
        format!("{COOKIE}={value}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age={seconds}");
    let mut cookie = HeaderValue::from_str(&cookie).map_err(ApiError::internal)?;
    cookie.set_sensitive(true);
    response.headers_mut().append(header::SET_COOKIE, cookie);
    Ok(response)
}

/// What the provider answers. It may say more than is known here.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Answer {
    code: String,
    state: String,
    iss: Option<String>,
    error: Option<String>,
}

fn attempt_of(app: &App, headers: &HeaderMap) -> Option<Attempt> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut found = cookies
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(name, _)| *name == COOKIE);
    let (_, value) = found.next()?;
    let sealed = BASE64URL_NOPAD.decode(value.as_bytes()).ok()?;
    let plain = app.engine.sealer().open(SEAL, &sealed).ok()?;
    serde_json::from_slice(&plain).ok()
}

/// Takes the provider's answer and opens a session.
pub(crate) async fn callback(
    State(app): State<Arc<App>>,
    Extension(info): Extension<RequestInfo>,
    headers: HeaderMap,
    QueryOf(answer): QueryOf<Answer>,
) -> Result<Response, ApiError> {
    let issuer = there(&app)?;
    let now = app.engine.now();
    let Some(attempt) = attempt_of(&app, &headers) else {
        let said = "This browser began no sign-in, or it was too long ago: begin anew.";
        return Err(refuse(&app, &info, "no sign-in was begun in this browser", said).await?);
    };
    let again = "The sign-in did not come through: begin anew.";
    let metadata = issuer.metadata().await?;
    if let Err(error) = attempt.check(&metadata, &answer.state, answer.iss.as_deref(), now) {
        return Err(refuse(&app, &info, &error.to_string(), again).await?);
    }
    if answer.error.is_some() {
        // What it says is whatever somebody put into an address.
        let said = "The provider did not let you in.";
        return Err(refuse(&app, &info, "the provider refused", said).await?);
    }
    let tokens = issuer.exchange(&attempt, &answer.code).await?;
    let Some(id_token) = tokens.id_token else {
        return Err(refuse(&app, &info, "the provider gave no ID token", again).await?);
    };
    let open = |keys: &KeySet| {
        let access = tokens.access_token.expose_secret();
        issuer.verifier.id_token(keys, id_token.expose_secret(), &attempt.nonce, access, now)
    };
    let claims = match issuer.open(open).await? {
        Ok(claims) if attempt.fresh && !claims.is_fresh(now, FRESH_SECONDS) => {
            let error = OidcError::Refused("the provider asked for no new proof");
            return Err(refuse(&app, &info, &error.to_string(), again).await?);
        }
        Ok(claims) => claims,
        Err(error) => return Err(refuse(&app, &info, &error.to_string(), again).await?),
    };
    let user = admit(&app, &info, issuer, &claims.sub, &claims.more).await?;
    let sid =
        claims.sid.as_deref().map(|sid| app.engine.outside_session(&issuer.rules.issuer, sid));
    let agent =
        headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
    let opened =
        open_session_outside(&app, &info, user, claims.is_multi_factor(), sid, agent).await?;
    // A page, not a redirection: the browser came from another site, and on the way on from there it would not
    // send the session's cookie, which is for this site alone.
    let page = crate::ui::sign_in::arrived(&attempt.next)?;
    let response = with_cookie(&app, &opened, page.into_response())?;
    with_attempt(response, "", 0)
}
