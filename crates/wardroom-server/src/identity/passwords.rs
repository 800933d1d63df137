//! New passwords, held to the rules.

use crate::{App, error::ApiError, middleware::RequestInfo};
use secrecy::SecretString;
use wardroom_core::{
    SessionId,
    audit::AuditDraft,
    identity::{Pass, User},
};
use wardroom_trust::password::Verdict;

/// The hash of a new password for `user`, if the rules allow it. It may be none of the last ones.
pub(crate) async fn hash_new(
    app: &App,
    info: &RequestInfo,
    user: &User,
    password: SecretString,
) -> Result<String, ApiError> {
    let rules = app.accounts.passwords;
    let profile = app.engine.profile(user).await?;
    let mut old = app.engine.store().list_passwords(user.id).await?;
    old.truncate(rules.history as usize);
    if !user.password_hash.is_empty() && !old.contains(&user.password_hash) {
        old.push(user.password_hash.clone());
    }
    let rng = app.engine.rng_shared();
    let work = move |hasher: &wardroom_trust::password::PasswordHasher| {
        let known = [profile.name.as_str(), profile.display_name.as_str(), profile.email.as_str()];
        rules.check(&password, &known)?;
        let taken =
            old.iter().any(|phc| matches!(hasher.verify(&password, phc), Verdict::Accepted { .. }));
        if taken {
            return Err(format!("must be none of the last {}", rules.history.max(1)));
        }
        hasher.hash(&password, &*rng).map_err(|error| error.to_string())
    };
    let hashed = app.passwords.run(app.queue_of(info, &user.id.to_string()), work).await?;
    hashed.map_err(|reason| ApiError::field("password", reason))
}

/// Sets a password that was checked; sessions end but for `but`.
pub(crate) async fn change_password(
    app: &App,
    user: &User,
    hash: String,
    pass: Option<&Pass>,
    but: Option<SessionId>,
    audit: AuditDraft,
) -> Result<User, ApiError> {
    let kept = app.accounts.passwords.history;
    Ok(app.engine.set_password(user, hash, pass, kept, but, audit).await?)
}
