//! Who asks: an access token or an API token in the `Authorization` header, or a browser session's cookie.

use super::RequestInfo;
use crate::{App, error::ApiError, identity::Standing, oidc};
use axum::http::{HeaderMap, HeaderName, header};
use wardroom_core::{
    Action, Door, Principal, RunId, Timestamp, ToolCallId, UserId,
    agent::Deed,
    audit::{AuditDraft, AuditOutcome},
    identity::{ApiToken, SecretHash, Session, SessionKind, User, UserState},
    principal::Credential,
    run::Authority,
    steps::Labels,
};
use wardroom_trust::{
    access_token::{AccessClaims, AccessTokenError},
    secret::{ApiSecret, SessionSecret},
};
use wardroom_wire::error::ErrorCode;

/// The cookie's name. `__Host-` binds it to this host, to TLS and to the whole path (RFC 6265bis §4.1.3.2).
pub(crate) const SESSION_COOKIE: &str = "__Host-wardroom";

/// What proved who asks.
pub(crate) enum Held {
    /// A session, by its cookie or by an access token.
    Session(Session),
    /// An API token.
    ApiToken(ApiToken),
    /// A session token of the provider outside, until this time.
    Outside(Timestamp),
    /// An agent's run, which works for the account.
    Run(Box<ByRun>),
}

/// What an agent is about to do, and within what.
pub(crate) struct ByRun {
    pub(crate) run: RunId,
    pub(crate) fence: i64,
    pub(crate) agent: String,
    pub(crate) authority: Authority,
    /// What the run has seen.
    pub(crate) seen: Labels,
    /// What is about to be done.
    pub(crate) does: Vec<Deed>,
    /// Whether the agent's definition wants a person's consent to it.
    pub(crate) asks: bool,
    /// What the gateway keeps the call under.
    pub(crate) call: Option<ToolCallId>,
}

/// Who asks, and what their forms must carry.
pub(crate) struct Proof {
    pub(crate) principal: Principal,
    /// The account, as it was when the request came.
    pub(crate) user: User,
    pub(crate) held: Held,
    /// What forms carry; empty where no browser sends the proof by itself.
    pub(crate) csrf: String,
    /// What is open to it.
    pub(crate) standing: Standing,
}

impl Proof {
    /// What proved it, and until when it holds.
    pub(crate) fn credential(&self) -> (Credential, Timestamp) {
        match &self.held {
            Held::Session(session) => (Credential::Session(session.id), session.expires_at),
            Held::ApiToken(token) => (Credential::ApiToken(token.id), token.expires_at),
            Held::Outside(until) => (Credential::Outside(self.user.id), *until),
            // It holds for as long as the run goes on.
            Held::Run(by) => (Credential::Run(by.run), Timestamp::from_micros(i64::MAX)),
        }
    }

    /// Whether it is good for the tools of one server, or of all of them.
    pub(crate) fn reaches(&self, app: &App, server: Option<&str>) -> bool {
        match &self.held {
            Held::Session(session) => app.reaches(session, server),
            Held::ApiToken(_) | Held::Outside(_) | Held::Run(_) => true,
        }
    }

    /// Whose requests are counted together: an account's, but each API token's by itself, and those of a program of
    /// others that acts in its name.
    pub(crate) fn party(&self) -> uuid::Uuid {
        match &self.held {
            Held::Session(Session { grant: Some(grant), user, .. }) => {
                uuid::Uuid::from_u128(grant.client.uuid().as_u128() ^ user.uuid().as_u128())
            }
            Held::Session(session) => session.user.uuid(),
            Held::ApiToken(token) => token.id.uuid(),
            Held::Outside(_) | Held::Run(_) => self.user.id.uuid(),
        }
    }

    /// Whether the proof is good for `action`, whatever policy says.
    pub(crate) fn covers(&self, action: Action) -> bool {
        match &self.held {
            // Each name is looked at by itself, and lists ask for names beside what they are about.
            _ if action == Action::NameList => true,
            Held::Session(Session { grant: Some(grant), .. }) => grant.covers(action),
            Held::Session(_) => true,
            // How long ago its holder proved who they are, nobody here knows.
            Held::Outside(_) => !action.needs_fresh_proof(),
            Held::Run(by) => by.authority.covers(action),
            Held::ApiToken(token) => match token.scopes.as_slice() {
                [] => !action.needs_fresh_proof(),
                scopes => scopes.iter().any(|scope| scope == action.as_str()),
            },
        }
    }

    /// When its holder last proved who they are; a token's scopes stand for that.
    pub(crate) fn proved_at(&self) -> Option<Timestamp> {
        match &self.held {
            Held::Session(session) => Some(session.proved_at),
            Held::ApiToken(_) | Held::Outside(_) | Held::Run(_) => None,
        }
    }

    /// What a run that it starts may, whatever its holder may beside that.
    pub(crate) fn authority(&self, door: Door) -> Authority {
        let own = Authority { door, scopes: None, token: None, client: None, grant: None };
        match &self.held {
            Held::Session(Session { grant: Some(grant), id, .. }) => Authority {
                scopes: Some(grant.scopes.clone()),
                client: Some(grant.client),
                grant: Some(*id),
                ..own
            },
            Held::Session(_) | Held::Outside(_) => own,
            Held::ApiToken(token) => {
                let scopes = Some(token.scopes.clone()).filter(|scopes| !scopes.is_empty());
                Authority { scopes, token: Some(token.id), ..own }
            }
            Held::Run(by) => by.authority.clone(),
        }
    }

    /// Whether a browser sends the proof by itself.
    pub(crate) fn is_cookie(&self) -> bool {
        matches!(&self.held, Held::Session(session) if session.kind == SessionKind::Browser)
    }
}

/// The value of the session's cookie, if the request has exactly one.
pub(crate) fn session_cookie(headers: &HeaderMap) -> Option<&str> {
    let mut found = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(name, _)| *name == SESSION_COOKIE)
        .map(|(_, value)| value);
    let first = found.next()?;
    // SECURITY: two cookies of one name mean that somebody planted one; neither counts.
    if found.next().is_some() { None } else { Some(first) }
}

/// Finds out who asks.
pub(crate) async fn authenticate(
    app: &App,
    info: &RequestInfo,
    headers: &HeaderMap,
) -> Result<Proof, ApiError> {
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        let text = value.to_str().unwrap_or_default().strip_prefix("Bearer ").unwrap_or_default();
        return Ok(by_token(app, info, text).await?.1);
    }
    // What programs that know Anthropic's API send.
    let own = (info.door == Door::Models).then_some(HeaderName::from_static("x-api-key"));
    let mut names = app.doors.token_header.iter().chain(&own);
    if let Some(value) = names.find_map(|name| headers.get(name)) {
        let text = value.to_str().unwrap_or_default();
        let found = match ApiSecret::parse(text) {
            Ok(secret) => by_api_token(app, secret.hash()).await?,
            Err(_) => None,
        };
        return match found {
            Some(proof) => Ok(proof),
            None => Err(refuse_token(app, info).await?),
        };
    }
    let found = match session_cookie(headers) {
        Some(cookie) => by_cookie(app, cookie).await?,
        None => None,
    };
    // An ended session is everyday life, not an attack; guessing one is out of reach.
    found.ok_or_else(unauthenticated)
}

/// What somebody showed, to be looked at again with each thing that they do.
#[derive(Clone)]
pub(crate) enum Shown {
    /// An API token's secret.
    ApiToken(SecretHash),
    /// An access token: it holds for as long as its session does.
    Access(AccessClaims),
    /// A token of an issuer outside.
    Outside(String),
}

/// Who shows a token.
pub(crate) async fn by_token(
    app: &App,
    info: &RequestInfo,
    text: &str,
) -> Result<(Shown, Proof), ApiError> {
    let shown = match (ApiSecret::parse(text), app.static_tokens.find(info.door, text)) {
        (Ok(secret), _) => Shown::ApiToken(secret.hash()),
        (Err(_), Some(hash)) => Shown::ApiToken(hash),
        (Err(_), None) => {
            let is_here = |audience: &str| app.is_resource_at(info.door, audience);
            match app.access_tokens.verify(text, is_here, app.engine.now()) {
                Ok(claims) => Shown::Access(claims),
                // Every access token ends after minutes and is refreshed then.
                Err(AccessTokenError::Ended) => return Err(unauthenticated()),
                Err(AccessTokenError::Unknown) => Shown::Outside(text.to_owned()),
            }
        }
    };
    match by_shown(app, info, &shown).await? {
        Some(proof) => Ok((shown, proof)),
        None => Err(refuse_token(app, info).await?),
    }
}

/// Who showed this; nobody where it does not hold any more.
pub(crate) async fn by_shown(
    app: &App,
    info: &RequestInfo,
    shown: &Shown,
) -> Result<Option<Proof>, ApiError> {
    match shown {
        Shown::ApiToken(hash) => by_api_token(app, *hash).await,
        Shown::Access(claims) => by_access_token(app, info, claims).await,
        Shown::Outside(text) => by_outside(app, info, text).await,
    }
}

async fn refuse_token(app: &App, info: &RequestInfo) -> Result<ApiError, ApiError> {
    let now = app.engine.now();
    let audit = AuditDraft::event("auth.token", &Principal::Anonymous, &info.origin(), now)
        .outcome(AuditOutcome::Refused, "the token is not known or has ended");
    app.refusals.record(app, audit).await?;
    Ok(unauthenticated())
}

async fn by_api_token(app: &App, hash: SecretHash) -> Result<Option<Proof>, ApiError> {
    let found = app.engine.store().lookup_api_token(hash).await?;
    let now = app.engine.now();
    let good =
        |token: &ApiToken, user: &User| now < token.expires_at && user.state == UserState::Active;
    let Some((token, user)) = found.filter(|(token, user)| good(token, user)) else {
        return Ok(None);
    };
    app.engine.touch_api_token(&token).await?;
    let principal = principal(app, &user, Credential::ApiToken(token.id)).await?;
    let (held, csrf) = (Held::ApiToken(token), String::new());
    Ok(Some(Proof { principal, user, held, csrf, standing: Standing::Open }))
}

async fn by_outside(app: &App, info: &RequestInfo, text: &str) -> Result<Option<Proof>, ApiError> {
    let Some((user, until)) = oidc::by_session_token(app, info, text).await? else {
        return Ok(None);
    };
    let principal = principal(app, &user, Credential::Outside(user.id)).await?;
    let (held, csrf) = (Held::Outside(until), String::new());
    Ok(Some(Proof { principal, user, held, csrf, standing: Standing::Open }))
}

async fn by_access_token(
    app: &App,
    info: &RequestInfo,
    claims: &AccessClaims,
) -> Result<Option<Proof>, ApiError> {
    // The session is asked for each time: a token that outlives it by minutes would be good for as long.
    let found = app.engine.store().lookup_session_by_id(claims.session).await?;
    let Some((session, user)) = found else { return Ok(None) };
    let found = claims.narrow(session).filter(|session| {
        let grant = session.grant.as_ref();
        session.kind == SessionKind::Client
            && grant.is_none_or(|grant| app.is_resource_at(info.door, &grant.resource))
    });
    by_session(app, found.map(|session| (session, user)), String::new()).await
}

async fn by_cookie(app: &App, cookie: &str) -> Result<Option<Proof>, ApiError> {
    let Ok(secret) = SessionSecret::parse(cookie) else { return Ok(None) };
    let found = app.engine.store().lookup_session(secret.hash()).await?;
    let browsers = |session: &Session| session.kind == SessionKind::Browser;
    by_session(app, found.filter(|(session, _)| browsers(session)), secret.csrf_token()).await
}

async fn by_session(
    app: &App,
    found: Option<(Session, User)>,
    csrf: String,
) -> Result<Option<Proof>, ApiError> {
    let now = app.engine.now();
    let good = |session: &Session, user: &User| {
        now < session.expires_at && now < session.idle_until && user.state == UserState::Active
    };
    let Some((session, user)) = found.filter(|(session, user)| good(session, user)) else {
        return Ok(None);
    };
    app.engine.touch_session(&session, app.accounts.session_idle).await?;
    let standing = Standing::of(&app.accounts, &user, &session, now);
    let principal = principal(app, &user, Credential::Session(session.id)).await?;
    Ok(Some(Proof { principal, user, held: Held::Session(session), csrf, standing }))
}

/// An agent that works for an account; nothing where that may do nothing any more.
pub(crate) async fn by_run(app: &App, user: UserId, by: ByRun) -> Result<Option<Proof>, ApiError> {
    let user = app.engine.store().lookup_user(user).await?;
    let Some(user) = user.filter(|user| user.state == UserState::Active) else { return Ok(None) };
    // SECURITY: a token or a grant that was taken back takes back what was begun with it.
    let (store, now) = (app.engine.store(), app.engine.now());
    if let Some(token) = by.authority.token {
        let found = store.lookup_api_token_by_id(token).await?;
        if found.is_none_or(|(token, _)| now >= token.expires_at) {
            return Ok(None);
        }
    }
    if let Some(grant) = by.authority.grant {
        let found = store.lookup_session_by_id(grant).await?;
        if found.is_none_or(|(session, _)| now >= session.expires_at.min(session.idle_until)) {
            return Ok(None);
        }
    }
    let principal = principal(app, &user, Credential::Run(by.run)).await?;
    let (held, csrf) = (Held::Run(Box::new(by)), String::new());
    Ok(Some(Proof { principal, user, held, csrf, standing: Standing::Open }))
}

async fn principal(app: &App, user: &User, credential: Credential) -> Result<Principal, ApiError> {
    let name = app.engine.profile(user).await?.name;
    let (groups, customer) = (user.groups.clone(), user.customer);
    Ok(Principal::User { id: user.id, name, role: user.role, groups, customer, credential })
}

fn unauthenticated() -> ApiError {
    ApiError::say(
        ErrorCode::Unauthenticated,
        "Sign in, or send a token as `Authorization: Bearer …`. A token ends at its expiry or when it is revoked.",
    )
}
