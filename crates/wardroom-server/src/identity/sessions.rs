//! Opening sessions, and the tokens of programs' sessions.

use super::Standing;
use crate::{App, error::ApiError, middleware::RequestInfo, view};
use secrecy::{ExposeSecret as _, SecretString};
use std::time::Duration;
use wardroom_core::{
    Principal, SessionId,
    audit::{AuditDraft, AuditOutcome},
    change::{Change, Write},
    identity::{SecretHash, Session, SessionAbout, SessionKind, User, UserState},
    oauth::{Grant, OauthClient},
    person::BlindIndex,
};
use wardroom_engine::EngineError;
use wardroom_trust::secret::{RefreshSecret, SessionSecret};
use wardroom_wire::{
    error::ErrorCode,
    identity::{SignedIn, StandingView},
};

/// The longest description of a browser or program that is kept.
const USER_AGENT_CHARS_MAX: usize = 200;

/// A session that was just opened.
pub(crate) struct Opened {
    /// The session.
    pub(crate) session: Session,
    /// Whose it is.
    pub(crate) user: User,
    /// The cookie's value or the refresh token.
    pub(crate) secret: SecretString,
    /// What is open to it.
    pub(crate) standing: Standing,
}

/// Opens a session for somebody who proved who they are.
pub(crate) async fn open_session(
    app: &App,
    info: &RequestInfo,
    user: User,
    second_factor: bool,
    kind: SessionKind,
    agent: &str,
) -> Result<Opened, ApiError> {
    open(app, info, user, (second_factor, None), kind, agent).await
}

/// Opens a browser's session for somebody whom a provider vouches for, by its session `outside`.
pub(crate) async fn open_session_outside(
    app: &App,
    info: &RequestInfo,
    user: User,
    second_factor: bool,
    outside: Option<BlindIndex>,
    agent: &str,
) -> Result<Opened, ApiError> {
    open(app, info, user, (second_factor, outside), SessionKind::Browser, agent).await
}

async fn open(
    app: &App,
    info: &RequestInfo,
    user: User,
    (second_factor, outside): (bool, Option<BlindIndex>),
    kind: SessionKind,
    agent: &str,
) -> Result<Opened, ApiError> {
    let rules = &app.accounts;
    let (session, secret) = begun(app, &user, kind, rules.session_ttl);
    let session = Session { second_factor, outside, ..session };
    let now = session.created_at;
    let about = about(info, agent);
    let audit = signed_in(app, info, &user)
        .detail("kind", kind.as_str())
        .detail("second_factor", second_factor);
    app.engine.open_session(&user, session.clone(), &about, rules.sessions_max, audit).await?;
    let standing = Standing::of(rules, &user, &session, now);
    Ok(Opened { session, user, secret, standing })
}

/// A session that begins now, and its first secret.
fn begun(app: &App, user: &User, kind: SessionKind, ttl: Duration) -> (Session, SecretString) {
    let (rng, idle) = (app.engine.rng(), app.accounts.session_idle);
    let (now, expires_at, idle_until) = app.engine.session_times(ttl, idle);
    let (secret, secret_hash) = match kind {
        SessionKind::Browser => {
            let secret = SessionSecret::generate(rng);
            (secret.expose().clone(), secret.hash())
        }
        SessionKind::Client => {
            let secret = RefreshSecret::generate(rng);
            (secret.expose().clone(), secret.hash())
        }
    };
    let session = Session {
        id: SessionId::new(now, rng),
        secret_hash,
        user: user.id,
        kind,
        created_at: now,
        expires_at,
        idle_until,
        seen_at: now,
        proved_at: now,
        second_factor: false,
        outside: None,
        grant: None,
        about: vec![],
    };
    (session, secret)
}

fn about(info: &RequestInfo, agent: &str) -> SessionAbout {
    SessionAbout {
        address: info.client.to_string(),
        user_agent: agent.chars().filter(|c| !c.is_control()).take(USER_AGENT_CHARS_MAX).collect(),
    }
}

/// Opens the session of a program of others for what `user` granted it by `code`; without one, because it acts as
/// that account, and only for as long as one access token is good.
pub(crate) async fn open_grant(
    app: &App,
    info: &RequestInfo,
    user: User,
    grant: Grant,
    (second_factor, code): (bool, Option<SecretHash>),
    agent: &str,
) -> Result<Opened, EngineError> {
    let ttl = if code.is_some() { app.accounts.session_ttl } else { app.access_tokens.ttl() };
    let (session, secret) = begun(app, &user, SessionKind::Client, ttl);
    let session = Session { second_factor, ..session };
    let now = session.created_at;
    let audit = AuditDraft::event("grant.open", &Principal::System, &info.origin(), now);
    let about = about(info, agent);
    let session =
        app.engine.open_grant(&user, session, grant, &about, code, audit.by(user.id)).await?;
    Ok(Opened { session, user, secret, standing: Standing::Open })
}

/// The record of a successful sign-in, without what came of it.
pub(crate) fn signed_in(app: &App, info: &RequestInfo, user: &User) -> AuditDraft {
    AuditDraft::event("auth.sign_in", &Principal::System, &info.origin(), app.engine.now())
        .on(user.id)
        .by(user.id)
}

impl Opened {
    /// What is open to the session, for its owner.
    pub(crate) async fn standing_view(&self, app: &App) -> Result<StandingView, ApiError> {
        view::standing(app, &self.user, self.standing).await
    }

    /// The tokens of a program's session.
    pub(crate) async fn tokens(&self, app: &App) -> Result<SignedIn, ApiError> {
        let Session { id, expires_at, .. } = &self.session;
        let now = app.engine.now();
        let (access_token, access_expires_at) = app
            .access_tokens
            .issue(&self.session, now, app.engine.rng())
            .map_err(ApiError::internal)?;
        Ok(SignedIn {
            access_token,
            access_expires_at: access_expires_at.to_string(),
            refresh_token: self.secret.expose_secret().to_owned(),
            session: id.to_string(),
            session_expires_at: expires_at.to_string(),
            standing: self.standing_view(app).await?,
        })
    }
}

/// Exchanges a refresh token for the next pair of tokens; it is good for `client`, which has proved who it is, or
/// for nobody but its owner. SECURITY: one that was used before is a copy, in
/// the hands of a thief or of the owner who was overtaken by one: the session ends (RFC 9700 §4.14.2).
pub(crate) async fn refresh(
    app: &App,
    info: &RequestInfo,
    text: &str,
    client: Option<&OauthClient>,
) -> Result<Opened, ApiError> {
    let refused = || {
        ApiError::say(
            ErrorCode::Unauthenticated,
            "The refresh token is not good any more: sign in again.",
        )
    };
    let presented = RefreshSecret::parse(text).map_err(|_| refused())?;
    let store = app.engine.store();
    let now = app.engine.now();
    let alive = |session: &Session, user: &User| {
        session.kind == SessionKind::Client
            && is_held_by(session, client)
            && now < session.expires_at
            && now < session.idle_until
            && user.state == UserState::Active
    };
    match store.lookup_session(presented.hash()).await? {
        Some((session, user)) if alive(&session, &user) => {
            let secret = RefreshSecret::generate(app.engine.rng());
            let idle = app.accounts.session_idle;
            match app.engine.rotate_session(&session, secret.hash(), idle, None).await {
                Ok(()) => {
                    let standing = Standing::of(&app.accounts, &user, &session, now);
                    return Ok(Opened { session, user, secret: secret.expose().clone(), standing });
                }
                // Somebody else used it in this moment: it is spent now.
                Err(EngineError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Some(_) => return Err(refused()),
        None => {}
    }
    end_spent(app, info, presented.hash(), client, "a refresh token").await?;
    Err(refused())
}

/// Whether a session is `client`'s, or without one its owner's own.
fn is_held_by(session: &Session, client: Option<&OauthClient>) -> bool {
    session.grant.as_ref().map(|grant| grant.client) == client.map(|client| client.id)
}

/// Ends the session of which `hash` was a secret before: whoever brings it, or whoever used it, has copied it.
pub(crate) async fn end_spent(
    app: &App,
    info: &RequestInfo,
    hash: SecretHash,
    client: Option<&OauthClient>,
    what: &str,
) -> Result<(), ApiError> {
    let now = app.engine.now();
    let found = app.engine.store().lookup_spent(hash).await?;
    // SECURITY: who never held it proves nothing by showing it, and ends nobody's session.
    if let Some((session, user)) = found.filter(|(session, _)| is_held_by(session, client)) {
        let why = format!("{what} was used twice: one of its holders has copied it");
        let audit = AuditDraft::event("auth.refresh", &Principal::Anonymous, &info.origin(), now)
            .on(session.id)
            .detail("user", user.id)
            .outcome(AuditOutcome::Refused, why);
        let change = Change::recorded(audit).write(Write::RemoveSession(session.id));
        app.engine.commit(change).await.or_else(|error| match error {
            wardroom_core::store::StoreError::Conflict(_) => Ok(()),
            error => Err(error),
        })?;
    }
    Ok(())
}
