//! Proving who somebody is: passwords on a bounded pool, sessions, API tokens.

use crate::{App, Limits, error::ApiError, middleware::RequestInfo, places::PerAddress};
use secrecy::SecretString;
use std::{net::IpAddr, sync::Arc, time::Duration};
use tokio::sync::Semaphore;
use wardroom_core::{
    ApiTokenId, Principal, SessionId, Timestamp,
    audit::{AuditDraft, AuditOutcome},
    change::{Change, Write},
    identity::{ApiToken, Session, User},
    principal::Credential,
    store::StoreError,
};
use wardroom_trust::{
    password::{PasswordHasher, Verdict},
    secret::{ApiSecret, SessionSecret},
};
use wardroom_wire::error::ErrorCode;

/// The longest password that is looked at, in bytes.
const PASSWORD_BYTES_MAX: usize = 1024;
/// The longest description of a browser that is kept.
const USER_AGENT_CHARS_MAX: usize = 200;
/// The shortest life of an API token.
const TOKEN_TTL_MIN: Duration = Duration::from_secs(60);
/// The longest.
const TOKEN_TTL_MAX: Duration = Duration::from_secs(90 * 86_400);
/// Where nobody says.
const TOKEN_TTL_DEFAULT: Duration = Duration::from_secs(12 * 3600);

/// Hashes passwords, a few at a time.
pub(crate) struct PasswordPool {
    hasher: Arc<PasswordHasher>,
    working: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    by_address: PerAddress,
}

impl PasswordPool {
    pub(crate) fn new(hasher: PasswordHasher, limits: &Limits) -> Self {
        let all = limits.password_hashes_max + limits.password_waiting_max;
        Self {
            hasher: Arc::new(hasher),
            working: Arc::new(Semaphore::new(limits.password_hashes_max)),
            waiting: Arc::new(Semaphore::new(all)),
            // A quarter, so that it takes several addresses to keep everybody else waiting.
            by_address: PerAddress::new((all / 4).max(1)),
        }
    }

    /// Runs `work` when its turn comes; at once [`ErrorCode::Busy`] when too many wait already.
    async fn run<T: Send + 'static>(
        &self,
        address: IpAddr,
        work: impl FnOnce(&PasswordHasher) -> T + Send + 'static,
    ) -> Result<T, ApiError> {
        let busy = || {
            ApiError::say(ErrorCode::Busy, "Too many sign-ins at once: try again in a few seconds.")
        };
        let place = self.by_address.take(address).ok_or_else(busy)?;
        let waiting = Arc::clone(&self.waiting).try_acquire_owned().map_err(|_| busy())?;
        let working = Arc::clone(&self.working).acquire_owned().await.map_err(|_| busy())?;
        let hasher = Arc::clone(&self.hasher);
        let working = move || {
            // SECURITY: the work goes on when its request is gone, so it keeps its places until then.
            let _places = (place, waiting, working);
            work(&hasher)
        };
        tokio::task::spawn_blocking(working).await.map_err(ApiError::internal)
    }
}

/// Checks a name and a password. The same answer and the same work whether the name is wrong, the
/// password is wrong or the account is disabled.
pub(crate) async fn check_password(
    app: &App,
    info: &RequestInfo,
    name: &str,
    password: SecretString,
) -> Result<User, ApiError> {
    use secrecy::ExposeSecret;
    let found =
        if name.len() <= 64 { app.engine.store().lookup_user_by_name(name).await? } else { None };
    let too_long = password.expose_secret().len() > PASSWORD_BYTES_MAX;
    let phc = found.as_ref().map(|user| user.password_hash.clone());
    let rng = app.engine.rng_shared();
    let (verdict, renewed) = app
        .passwords
        .run(info.peer.ip(), move |hasher| match phc {
            Some(phc) if !too_long => {
                let verdict = hasher.verify(&password, &phc);
                // Only now is the password at hand to be hashed at today's cost.
                let renewed = (verdict == Verdict::Accepted { rehash_needed: true })
                    .then(|| hasher.hash(&password, &*rng));
                (verdict, renewed)
            }
            _ => (hasher.verify_nobody(&password), None),
        })
        .await?;
    match (found, verdict) {
        (Some(user), Verdict::Accepted { .. }) if !user.disabled => match renewed {
            Some(Ok(phc)) => keep_renewed(app, info, user, phc).await,
            Some(Err(error)) => {
                tracing::warn!(user = %user.id, %error, "the password's hash could not be renewed");
                Ok(user)
            }
            None => Ok(user),
        },
        _ => {
            let audit = AuditDraft::event(
                "auth.sign_in",
                &Principal::Anonymous,
                &info.origin(),
                app.engine.now(),
            )
            .on(account_label(name))
            .outcome(
                AuditOutcome::Refused,
                "name or password is wrong, or the account is disabled",
            );
            app.refusals.record(app, audit).await?;
            Err(ApiError::say(ErrorCode::SignInFailed, "The name or the password is wrong."))
        }
    }
}

/// Keeps a hash of the same password at today's cost.
async fn keep_renewed(
    app: &App,
    info: &RequestInfo,
    user: User,
    phc: String,
) -> Result<User, ApiError> {
    let renewed = User { version: user.version + 1, password_hash: phc, ..user.clone() };
    let mut audit = AuditDraft::event(
        "auth.password_hash_renewed",
        &Principal::System,
        &info.origin(),
        app.engine.now(),
    )
    .on(user.id);
    audit.0.actor = user.id.to_string();
    let change = Change::recorded(audit).write(Write::UpdateUser(renewed.clone()));
    match app.engine.store().commit(change).await {
        Ok(_) => Ok(renewed),
        // Somebody changed the account meanwhile: the next sign-in tries again.
        Err(StoreError::Conflict(_)) => Ok(user),
        Err(error) => Err(error.into()),
    }
}

/// What a failed sign-in is recorded on. SECURITY: people type passwords into the name field, so only
/// what has a name's form is kept.
fn account_label(name: &str) -> String {
    let sound = (1..=64).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b));
    if sound { format!("account:{name}") } else { "account:(not a name)".to_owned() }
}

/// Opens a browser session; gives the cookie's secret.
pub(crate) async fn open_session(
    app: &App,
    info: &RequestInfo,
    user: &User,
    user_agent: &str,
) -> Result<SessionSecret, ApiError> {
    let now = app.engine.now();
    let secret = SessionSecret::generate(app.engine.rng());
    let session = Session {
        id: SessionId::new(now, app.engine.rng()),
        secret_hash: secret.hash(),
        user: user.id,
        created_at: now,
        expires_at: now.plus(app.limits.session_ttl),
        address: info.peer.ip().to_canonical().to_string(),
        user_agent: user_agent
            .chars()
            .filter(|c| !c.is_control())
            .take(USER_AGENT_CHARS_MAX)
            .collect(),
    };
    let audit = signed_in(app, info, user).detail("session", session.id);
    app.engine.store().commit(Change::recorded(audit).write(Write::AddSession(session))).await?;
    Ok(secret)
}

/// The record of a successful sign-in, without what came of it.
pub(crate) fn signed_in(app: &App, info: &RequestInfo, user: &User) -> AuditDraft {
    let mut audit =
        AuditDraft::event("auth.sign_in", &Principal::System, &info.origin(), app.engine.now())
            .on(user.id);
    audit.0.actor = user.id.to_string();
    audit
}

/// An API token that somebody wants.
pub(crate) struct WantedToken {
    name: String,
    ttl: Duration,
}

impl WantedToken {
    /// Checks what is wanted.
    pub(crate) fn new(name: &str, expires_in: Option<u64>) -> Result<Self, ApiError> {
        let name = name.trim();
        if name.is_empty() || name.chars().count() > 64 || name.chars().any(char::is_control) {
            return Err(ApiError::field("name", "must be 1 to 64 characters"));
        }
        let ttl = expires_in.map_or(TOKEN_TTL_DEFAULT, Duration::from_secs);
        if !(TOKEN_TTL_MIN..=TOKEN_TTL_MAX).contains(&ttl) {
            return Err(ApiError::field("expires_in", "must be 60 to 7,776,000 seconds"));
        }
        Ok(Self { name: name.to_owned(), ttl })
    }
}

/// Makes an API token for `user`; `audit` is the record of it, without target. Where another token asks
/// for it, it ends with that one, and only while that proof holds is it made.
pub(crate) async fn issue_token(
    app: &App,
    user: wardroom_core::UserId,
    wanted: WantedToken,
    proof: Option<(Credential, Timestamp)>,
    audit: AuditDraft,
) -> Result<(ApiToken, ApiSecret), ApiError> {
    let now = app.engine.now();
    let mut expires_at = now.plus(wanted.ttl);
    let mut change = Change::default();
    if let Some((credential, ends_at)) = proof {
        if let Credential::ApiToken(_) = credential {
            expires_at = expires_at.min(ends_at);
        }
        // SECURITY: signing out everywhere must not be outrun by a token that is just being made.
        change.writes.push(Write::RequireCredential(credential));
    }
    let secret = ApiSecret::generate(app.engine.rng());
    let token = ApiToken {
        id: ApiTokenId::new(now, app.engine.rng()),
        secret_hash: secret.hash(),
        user,
        name: wanted.name,
        created_at: now,
        expires_at,
    };
    change.audit.push(audit.on(token.id).detail("expires_at", token.expires_at));
    match app.engine.store().commit(change.write(Write::AddApiToken(token.clone()))).await {
        Ok(()) => Ok((token, secret)),
        Err(StoreError::Conflict(_)) => Err(ApiError::new(ErrorCode::Unauthenticated)),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use std::sync::mpsc;
    use wardroom_trust::{ambient::SystemRng, password::Cost};

    #[tokio::test]
    async fn work_keeps_its_places_when_its_request_is_gone() {
        let cost = Cost { memory_kib: 8, passes: 1, ..Cost::default() };
        let limits =
            Limits { password_hashes_max: 1, password_waiting_max: 0, ..Limits::default() };
        let pool = PasswordPool::new(PasswordHasher::new(cost, &SystemRng).unwrap(), &limits);
        let address = IpAddr::from([192, 0, 2, 1]);
        let (done, wait) = mpsc::channel::<()>();
        let (begun, begins) = tokio::sync::oneshot::channel();
        let mut request = Box::pin(pool.run(address, move |_| {
            begun.send(()).unwrap();
            let _ = wait.recv();
        }));
        tokio::select! {
            _ = &mut request => unreachable!("the work waits"),
            begun = begins => begun.unwrap(),
        }
        drop(request);
        let busy = pool.run(address, |_| ()).await.unwrap_err();
        assert_eq!(busy.code, ErrorCode::Busy);
        drop(done);
        while pool.run(address, |_| ()).await.is_err() {
            tokio::task::yield_now().await;
        }
    }
}
