//! `POST /oauth/revoke`: a program gives back what it was granted (RFC 7009).

use super::{Parameters, client, error::OauthError};
use crate::{App, middleware::RequestInfo};
use axum::{
    Extension,
    extract::State,
    http::{HeaderMap, StatusCode},
};
use std::sync::Arc;
use wardroom_core::{
    Principal,
    audit::AuditDraft,
    change::{Change, Write},
    identity::Session,
    store::StoreError,
};
use wardroom_trust::secret::RefreshSecret;

/// Ends the session of a token. What is not the program's, or not any more, needs no ending (§2.2).
pub(crate) async fn handler(
    State(app): State<Arc<App>>,
    Extension(info): Extension<RequestInfo>,
    headers: HeaderMap,
    parameters: Parameters,
) -> Result<StatusCode, OauthError> {
    let client = client::authenticate(&app, &info, &headers, &parameters).await?;
    let found = session_of(&app, parameters.need("token")?).await?;
    let Some(session) = found
        .filter(|session| session.grant.as_ref().is_some_and(|grant| grant.client == client.id))
    else {
        return Ok(StatusCode::OK);
    };
    let now = app.engine.now();
    let audit = AuditDraft::event("grant.revoke", &Principal::System, &info.origin(), now)
        .on(session.id)
        .by(session.user)
        .detail("client", client.id);
    let change = Change::recorded(audit).write(Write::RemoveSession(session.id));
    match app.engine.commit(change).await {
        Err(StoreError::Conflict(_)) | Ok(()) => Ok(StatusCode::OK),
        Err(error) => Err(error.into()),
    }
}

/// The session of a refresh token, good or spent, or of an access token.
async fn session_of(app: &App, token: &str) -> Result<Option<Session>, StoreError> {
    let store = app.engine.store();
    if let Ok(secret) = RefreshSecret::parse(token) {
        let found = match store.lookup_session(secret.hash()).await? {
            Some(found) => Some(found),
            None => store.lookup_spent(secret.hash()).await?,
        };
        return Ok(found.map(|(session, _)| session));
    }
    let now = app.engine.now();
    let Ok(claims) = app.access_tokens.verify(token, |aud| app.is_resource(aud), now) else {
        return Ok(None);
    };
    let found = store.lookup_session_by_id(claims.session).await?;
    Ok(found.and_then(|(session, _)| claims.narrow(session)))
}
