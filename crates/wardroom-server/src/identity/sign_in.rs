//! Names and passwords. Nothing tells a name that is not there from a password that is wrong.

use super::{Opened, Standing, open_session, show_code};
use crate::{App, error::ApiError, middleware::RequestInfo};
use secrecy::{ExposeSecret, SecretString};
use wardroom_core::{
    Principal,
    audit::{AuditDraft, AuditOutcome},
    change::{Change, Write},
    identity::{Session, SessionKind, User, UserState},
    person::EMAIL_BYTES_MAX,
    store::StoreError,
};
use wardroom_trust::password::Verdict;
use wardroom_wire::error::ErrorCode;

/// The longest password that is looked at, in bytes.
const PASSWORD_BYTES_MAX: usize = 1024;

/// Checks a name and a password. The same answer and the same work whether the name is wrong, the
/// password is wrong, or the account is disabled or has no password.
pub(crate) async fn check_password(
    app: &App,
    info: &RequestInfo,
    name: &str,
    password: SecretString,
) -> Result<User, ApiError> {
    let found =
        if name.len() <= EMAIL_BYTES_MAX { app.engine.user_by_login(name).await? } else { None };
    let (right, renewed) = verify(app, info, (name, found.as_ref()), password).await?;
    match found {
        Some(user) if right && user.state == UserState::Active => match renewed {
            Some(phc) => keep_renewed(app, info, user, phc).await,
            None => Ok(user),
        },
        found => {
            let at = app.engine.now();
            let audit =
                AuditDraft::event("auth.sign_in", &Principal::Anonymous, &info.origin(), at);
            // SECURITY: people type passwords into the name field, and names are personal: only the id of
            // an account that is there is kept.
            let audit = match &found {
                Some(user) => audit.on(user.id),
                None => audit.on("account:(unknown)"),
            };
            let why = "name or password is wrong, or the account is disabled";
            app.refusals.record(app, audit.outcome(AuditOutcome::Refused, why)).await?;
            Err(ApiError::say(ErrorCode::SignInFailed, "The name or the password is wrong."))
        }
    }
}

/// Whether it is the account's password, and its hash at today's cost if that was raised.
async fn verify(
    app: &App,
    info: &RequestInfo,
    (name, user): (&str, Option<&User>),
    password: SecretString,
) -> Result<(bool, Option<String>), ApiError> {
    let too_long = password.expose_secret().len() > PASSWORD_BYTES_MAX;
    let phc =
        user.map(|user| user.password_hash.clone()).filter(|phc| !phc.is_empty() && !too_long);
    let rng = app.engine.rng_shared();
    let work = move |hasher: &wardroom_trust::password::PasswordHasher| match phc {
        Some(phc) => {
            let verdict = hasher.verify(&password, &phc);
            // Only now is the password at hand to be hashed at today's cost.
            let renewed = (verdict == Verdict::Accepted { rehash_needed: true })
                .then(|| hasher.hash(&password, &*rng));
            (matches!(verdict, Verdict::Accepted { .. }), renewed)
        }
        None => {
            hasher.verify_nobody(&password);
            (false, None)
        }
    };
    let (right, renewed) = app.passwords.run(app.queue_of(info, name), work).await?;
    let renewed = renewed.and_then(|renewed| {
        renewed
            .inspect_err(|error| tracing::warn!(%error, "a password's hash could not be renewed"))
            .ok()
    });
    Ok((right, renewed))
}

/// Keeps a hash of the same password at today's cost.
async fn keep_renewed(
    app: &App,
    info: &RequestInfo,
    user: User,
    phc: String,
) -> Result<User, ApiError> {
    let renewed = User { version: user.version + 1, password_hash: phc, ..user.clone() };
    let (name, at) = ("auth.password_hash_renewed", app.engine.now());
    let audit = AuditDraft::event(name, &Principal::System, &info.origin(), at).on(user.id);
    let change = Change::recorded(audit.by(user.id)).write(Write::UpdateUser(renewed.clone()));
    match app.engine.commit(change).await {
        Ok(_) => Ok(renewed),
        // Somebody changed the account meanwhile: the next sign-in tries again.
        Err(StoreError::Conflict(_)) => Ok(user),
        Err(error) => Err(error.into()),
    }
}

/// Opens a session for a name and a password and, where it is given at once, a second factor's code.
pub(crate) async fn sign_in(
    app: &App,
    info: &RequestInfo,
    (name, password): (&str, SecretString),
    code: Option<&str>,
    kind: SessionKind,
    agent: &str,
) -> Result<Opened, ApiError> {
    let user = check_password(app, info, name, password).await?;
    let mut second_factor = false;
    if let (Some(code), true) = (code.filter(|code| !code.is_empty()), user.second_factor) {
        show_code(app, info, &user, code, Change::default()).await?;
        second_factor = true;
    }
    open_session(app, info, user, second_factor, kind, agent).await
}

/// Proves again who the owner of `session` is: by the password and, where the account has one, a second factor.
pub(crate) async fn prove_again(
    app: &App,
    info: &RequestInfo,
    (session, user): (&Session, &User),
    password: SecretString,
    code: Option<&str>,
    audit: AuditDraft,
) -> Result<Standing, ApiError> {
    let name = user.id.to_string();
    let (right, _) = verify(app, info, (&name, Some(user)), password).await?;
    if !right {
        return Err(
            super::refused(app, info, user.id, "auth.prove", "the password is wrong").await?
        );
    }
    let at = app.engine.now();
    let prove = Write::ProveSession { id: session.id, at, second_factor: user.second_factor };
    let change = Change::recorded(audit).write(prove);
    if user.second_factor {
        show_code(app, info, user, code.unwrap_or_default(), change).await?;
    } else {
        app.engine.commit(change).await?;
    }
    let proved = Session { second_factor: user.second_factor, proved_at: at, ..session.clone() };
    Ok(Standing::of(&app.accounts, user, &proved, at))
}
