//! Single-use links that set a password.

use super::{change_password, hash_new};
use crate::{App, error::ApiError, middleware::RequestInfo};
use secrecy::SecretString;
use wardroom_core::{
    Principal,
    audit::{AuditDraft, AuditOutcome},
    identity::{PassPurpose, User, UserState},
};
use wardroom_trust::secret::PassSecret;
use wardroom_wire::error::ErrorCode;

/// Sets the password of the account that a link is for, and uses the link up.
pub(crate) async fn redeem(
    app: &App,
    info: &RequestInfo,
    secret: &str,
    password: SecretString,
) -> Result<User, ApiError> {
    let refused = || {
        ApiError::say(
            ErrorCode::LinkRefused,
            "The link is not known, was used or has expired: ask an administrator for another one.",
        )
    };
    let now = app.engine.now();
    let event = |principal: &Principal| {
        AuditDraft::event("auth.link", principal, &info.origin(), app.engine.now())
    };
    let found = match PassSecret::parse(secret) {
        Ok(secret) => app.engine.store().lookup_pass(secret.hash()).await?,
        Err(_) => None,
    };
    let fits = |purpose, state| match purpose {
        PassPurpose::Invite => state == UserState::Invited,
        PassPurpose::Reset => state == UserState::Active,
    };
    let Some((pass, user)) =
        found.filter(|(pass, user)| now < pass.expires_at && fits(pass.purpose, user.state))
    else {
        let why = "the link is not known, was used or has expired";
        let audit = event(&Principal::Anonymous).outcome(AuditOutcome::Refused, why);
        app.refusals.record(app, audit).await?;
        return Err(refused());
    };
    let hash = hash_new(app, info, &user, password).await?;
    let audit = event(&Principal::System).by(user.id).detail("purpose", pass.purpose.as_str());
    let set = change_password(app, &user, hash, Some(&pass), None, audit).await;
    // Somebody else used it in this moment.
    set.map_err(|error| if error.code == ErrorCode::Conflict { refused() } else { error })
}
