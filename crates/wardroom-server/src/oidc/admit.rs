//! Letting somebody in whom the provider vouches for.

use super::Issuer;
use crate::{App, error::ApiError, middleware::RequestInfo};
use serde_json::{Map, Value};
use wardroom_core::{
    Principal, Timestamp,
    audit::{AuditDraft, AuditOutcome},
    identity::User,
};
use wardroom_engine::{EngineError, people::Vouched};
use wardroom_trust::oidc::KeySet;
use wardroom_wire::error::ErrorCode;

fn text<'a>(claims: &'a Map<String, Value>, name: &str) -> &'a str {
    claims.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// Records that the provider's word was not taken, and says so.
pub(super) async fn refuse(
    app: &App,
    info: &RequestInfo,
    why: &str,
    said: &str,
) -> Result<ApiError, ApiError> {
    let (name, now) = ("auth.oidc", app.engine.now());
    let audit = AuditDraft::event(name, &Principal::Anonymous, &info.origin(), now)
        .on("oidc")
        .outcome(AuditOutcome::Refused, why);
    app.refusals.record(app, audit).await?;
    Ok(ApiError::say(ErrorCode::SignInFailed, said))
}

/// The account of somebody with this subject and these claims.
pub(super) async fn admit(
    app: &App,
    info: &RequestInfo,
    issuer: &Issuer,
    subject: &str,
    claims: &Map<String, Value>,
) -> Result<User, ApiError> {
    let Some(role) = issuer.rules.role(claims) else {
        let why = "nothing that the provider says gives a role";
        let said =
            "Nothing that the provider says about you gives you a role here: ask an administrator.";
        return Err(refuse(app, info, why, said).await?);
    };
    let verified = claims.get("email_verified").and_then(Value::as_bool).unwrap_or(false);
    let email = if verified { text(claims, "email") } else { "" };
    let called = ["preferred_username", "nickname", "email", "name"]
        .into_iter()
        .map(|name| text(claims, name))
        .find(|name| !name.is_empty());
    let vouched = Vouched {
        issuer: issuer.rules.issuer.clone(),
        subject: subject.to_owned(),
        called: called.unwrap_or_default().to_owned(),
        display_name: text(claims, "name").to_owned(),
        email: email.to_owned(),
        role,
    };
    let audit = || {
        let now = app.engine.now();
        AuditDraft::event("user.vouched", &Principal::System, &info.origin(), now)
    };
    match app.engine.admit_outside(&vouched, audit).await {
        Ok(user) => Ok(user),
        Err(EngineError::AccountState) => {
            let said = "Your account here is turned away: ask an administrator.";
            Err(refuse(app, info, "the account is disabled", said).await?)
        }
        Err(EngineError::LastAdministrator) => {
            let why = "the provider's role would leave no administrator";
            let said = "The provider gives you another role than that of the last administrator, which you are here: make another one first.";
            Err(refuse(app, info, why, said).await?)
        }
        Err(error) => Err(error.into()),
    }
}

/// Who sends a session token of the provider with a request, and until when it is good; nobody where it is none.
pub(crate) async fn by_session_token(
    app: &App,
    info: &RequestInfo,
    token: &str,
) -> Result<Option<(User, Timestamp)>, ApiError> {
    let Some(issuer) = &app.oidc else { return Ok(None) };
    let now = app.engine.now();
    let taken = issuer.rules.session_audience.is_some() || !issuer.rules.session_parties.is_empty();
    if !taken || token.split('.').count() != 3 {
        return Ok(None);
    }
    let open = |keys: &KeySet| issuer.verifier.session_token(keys, token, now);
    let Ok(claims) = issuer.open(open).await? else { return Ok(None) };
    let user = admit(app, info, issuer, &claims.sub, &claims.more).await?;
    Ok(Some((user, claims.ends_at())))
}
