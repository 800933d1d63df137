//! `POST /oidc/backchannel-logout`: the provider says that somebody signed out there.

use super::admit::refuse;
use crate::{App, error::ApiError, middleware::RequestInfo};
use axum::{
    Extension, Form,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use std::sync::Arc;
use wardroom_core::{Principal, audit::AuditDraft};
use wardroom_trust::oidc::KeySet;

/// The form (Back-Channel Logout 1.0 §2.5).
#[derive(Deserialize)]
pub(crate) struct Logout {
    logout_token: SecretString,
}

/// Ends the sessions that were opened by one at the provider, or all of somebody's.
pub(crate) async fn handler(
    State(app): State<Arc<App>>,
    Extension(info): Extension<RequestInfo>,
    Form(form): Form<Logout>,
) -> Result<Response, ApiError> {
    let issuer = app.oidc.as_ref().ok_or_else(ApiError::not_found)?;
    let now = app.engine.now();
    let open =
        |keys: &KeySet| issuer.verifier.logout_token(keys, form.logout_token.expose_secret(), now);
    let token = match issuer.open(open).await? {
        Ok(token) => token,
        Err(error) => {
            refuse(&app, &info, &format!("a logout token: {error}"), "").await?;
            return Ok(answer(StatusCode::BAD_REQUEST));
        }
    };
    // What was heard before has ended what it ends.
    if app.logouts.take(token.jti, now).is_none() {
        return Ok(answer(StatusCode::OK));
    }
    let name = &issuer.rules.issuer;
    let session = token.sid.as_deref().map(|sid| app.engine.outside_session(name, sid));
    let user = match &token.sub {
        Some(sub) => {
            let subject = app.engine.outside_subject(name, sub);
            app.engine.store().lookup_user_outside(subject).await?
        }
        None => None,
    };
    let audit = AuditDraft::event("auth.outside_logout", &Principal::System, &info.origin(), now);
    let audit = match &user {
        Some(user) => audit.on(user.id),
        None => audit.on("oidc"),
    };
    app.engine.end_outside(session, user.map(|user| user.id), audit).await?;
    Ok(answer(StatusCode::OK))
}

/// §2.8: the answer is not to be kept.
fn answer(status: StatusCode) -> Response {
    (status, [(header::CACHE_CONTROL, "no-store")]).into_response()
}
