//! Ceremonies with passkeys. What is remembered in between travels sealed with the browser, so that any
//! orchestrator can finish it; each is good once.

use super::{Opened, open_session, refused};
use crate::{App, error::ApiError, middleware::RequestInfo};
use data_encoding::BASE64URL_NOPAD;
use serde::{Serialize, de::DeserializeOwned};
use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::Duration,
};
use wardroom_core::{
    Timestamp, UserId,
    audit::AuditDraft,
    change::{Change, Write},
    digest::sha256,
    identity::{Factor, FactorKind, SecretHash, Session, SessionKind, User, UserState},
};
use wardroom_engine::people::{FactorSecret, NewFactor, RECOVERY_CODES};
use wardroom_trust::webauthn::{Answer, Authentication, Passkey, Registration, RelyingParty};
use wardroom_wire::{
    error::ErrorCode,
    identity::{Ceremony, PasskeyAnswer},
};

/// What a ceremony is sealed for.
const CEREMONY: &str = "passkey.ceremony";
/// How long a finished ceremony is remembered: longer than it could be repeated.
const SPENT_TTL: Duration = Duration::from_secs(600);
/// Finished ceremonies that are remembered; more at a time are turned away.
const SPENT_MAX: usize = 16_384;

/// This installation as passkeys know it; absent where its public URL has no host name.
pub(crate) struct Relying(Option<RelyingParty>);

impl Relying {
    /// From the URL at which people reach this server.
    pub(crate) fn new(public_url: &str) -> Self {
        let party = public_url.parse::<axum::http::Uri>().ok().and_then(|url| {
            let host = url.host()?.to_ascii_lowercase();
            // Level 3 §5.1.2: a relying party's id is a domain.
            let bare = host.trim_matches(['[', ']']);
            if bare.parse::<IpAddr>().is_ok() {
                return None;
            }
            let origin = match url.port_u16() {
                None | Some(443) => format!("https://{host}"),
                Some(port) => format!("https://{host}:{port}"),
            };
            Some(RelyingParty { id: host, name: "Wardroom".to_owned(), origins: vec![origin] })
        });
        Self(party)
    }

    fn party(&self) -> Result<&RelyingParty, ApiError> {
        self.0.as_ref().ok_or_else(|| {
            ApiError::say(
                ErrorCode::BadRequest,
                "Passkeys belong to a host name, and this server is reached by an address: set public_url to one with a name.",
            )
        })
    }

    /// Whether passkeys can be used here.
    pub(crate) fn is_there(&self) -> bool {
        self.0.is_some()
    }
}

/// Ceremonies that are over.
#[derive(Default)]
pub(crate) struct Ceremonies(Mutex<HashMap<[u8; 32], Timestamp>>);

impl Ceremonies {
    /// Uses a ceremony up; `false` when it was before.
    fn spend(&self, state: &str, now: Timestamp) -> bool {
        let mut spent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if spent.len() >= SPENT_MAX {
            spent.retain(|_, at| now.since(*at) < SPENT_TTL);
        }
        spent.len() < SPENT_MAX && spent.insert(sha256(&[state.as_bytes()]), now).is_none()
    }
}

impl App {
    fn ceremony<T: Serialize>(
        &self,
        (options, state): (serde_json::Value, T),
    ) -> Result<Ceremony, ApiError> {
        let plain = serde_json::to_vec(&state).map_err(ApiError::internal)?;
        let sealed = self
            .engine
            .sealer()
            .seal(CEREMONY, &plain, self.engine.rng())
            .map_err(ApiError::internal)?;
        Ok(Ceremony { state: BASE64URL_NOPAD.encode(&sealed), options })
    }

    fn finished<T: DeserializeOwned>(
        &self,
        given: &PasskeyAnswer,
    ) -> Result<(T, Answer), ApiError> {
        let stale =
            || ApiError::say(ErrorCode::ProofRefused, "The ceremony is over: start it again.");
        let sealed = BASE64URL_NOPAD.decode(given.state.as_bytes()).map_err(|_| stale())?;
        let plain = self.engine.sealer().open(CEREMONY, &sealed).map_err(|_| stale())?;
        let state = serde_json::from_slice(&plain).map_err(|_| stale())?;
        if !self.ceremonies.spend(&given.state, self.engine.now()) {
            return Err(stale());
        }
        let answer = serde_json::from_value(given.answer.clone())
            .map_err(|_| ApiError::field("answer", "must be what the browser's toJSON() gave"))?;
        Ok((state, answer))
    }

    async fn passkeys(&self, user: UserId) -> Result<Vec<(Factor, Passkey)>, ApiError> {
        let mut found = Vec::new();
        for factor in self.engine.store().list_factors(user).await? {
            if factor.kind == FactorKind::Passkey {
                let secret = self.engine.factor_secret(&factor).await?;
                let passkey = serde_json::from_str(&secret.secret).map_err(ApiError::internal)?;
                found.push((factor, passkey));
            }
        }
        Ok(found)
    }

    /// Begins to make a passkey for `user`.
    pub(crate) async fn begin_passkey(&self, user: &User) -> Result<Ceremony, ApiError> {
        let name = self.engine.profile(user).await?.name;
        let existing: Vec<Passkey> =
            self.passkeys(user.id).await?.into_iter().map(|(_, passkey)| passkey).collect();
        let (party, now) = (self.relying.party()?, self.engine.now());
        let id = user.id.uuid();
        self.ceremony(party.begin_registration(
            id.as_bytes(),
            &name,
            &existing,
            now,
            self.engine.rng(),
        ))
    }

    /// Keeps the passkey that `user` made. Gives recovery codes when it is the account's first factor.
    pub(crate) async fn keep_passkey(
        &self,
        (user, session): (&User, Option<wardroom_core::SessionId>),
        given: &PasskeyAnswer,
        name: String,
        audit: AuditDraft,
    ) -> Result<Vec<String>, ApiError> {
        let (state, answer): (Registration, Answer) = self.finished(given)?;
        if state.user.0 != user.id.uuid().as_bytes() {
            return Err(ApiError::new(ErrorCode::ProofRefused));
        }
        let made = self.relying.party()?.finish_registration(&state, &answer, self.engine.now());
        let (passkey, counter) = made.map_err(|error| {
            ApiError::say(ErrorCode::ProofRefused, crate::error::capital(&error.to_string()))
        })?;
        let secret = serde_json::to_string(&passkey).map_err(ApiError::internal)?;
        let new = NewFactor {
            kind: FactorKind::Passkey,
            secret: FactorSecret { name, secret },
            handle: Some(handle(&passkey.id.0)),
            counter: i64::from(counter),
            confirmed: true,
        };
        self.engine.add_factors(user.id, vec![new], None, audit.clone()).await?;
        let first = !user.second_factor;
        self.engine.require_second_factor(user, session, Change::default()).await?;
        if !first {
            return Ok(vec![]);
        }
        super::recovery_codes(self, user, audit.detail("recovery_codes", RECOVERY_CODES)).await
    }

    /// Begins to show a passkey: of `user`, or of whomever it names.
    pub(crate) async fn ask_passkey(&self, user: Option<&User>) -> Result<Ceremony, ApiError> {
        let (party, now, rng) = (self.relying.party()?, self.engine.now(), self.engine.rng());
        let Some(user) = user else {
            return self.ceremony(party.begin_authentication(None, now, rng));
        };
        let keys: Vec<Passkey> =
            self.passkeys(user.id).await?.into_iter().map(|(_, passkey)| passkey).collect();
        if keys.is_empty() {
            // SECURITY: an empty list would ask for any passkey.
            return Err(ApiError::say(ErrorCode::NotFound, "The account has no passkey."));
        }
        let id = user.id.uuid();
        self.ceremony(party.begin_authentication(Some((id.as_bytes(), &keys)), now, rng))
    }

    /// Whose passkey was shown. `change` is committed with its use.
    async fn shown(
        &self,
        info: &RequestInfo,
        given: &PasskeyAnswer,
        change: Change,
        only: Option<UserId>,
    ) -> Result<User, ApiError> {
        let (state, answer): (Authentication, Answer) = self.finished(given)?;
        let unknown = || ApiError::say(ErrorCode::ProofRefused, "The passkey is not known here.");
        let found = self.engine.store().lookup_factor(handle(answer.credential())).await?;
        let factor = found.ok_or_else(unknown)?;
        let user = self.engine.store().lookup_user(factor.user).await?.ok_or_else(unknown)?;
        if user.state != UserState::Active || only.is_some_and(|only| only != user.id) {
            return Err(unknown());
        }
        let secret = self.engine.factor_secret(&factor).await?;
        let passkey: Passkey = serde_json::from_str(&secret.secret).map_err(ApiError::internal)?;
        let counted = u32::try_from(factor.counter).unwrap_or(u32::MAX);
        let now = self.engine.now();
        let shown =
            self.relying.party()?.finish_authentication(&state, &answer, (&passkey, counted), now);
        let counter = match shown {
            Ok(shown) => i64::from(shown.counter),
            Err(error) => {
                let why = error.to_string();
                return Err(refused(self, info, user.id, "auth.passkey", &why).await?);
            }
        };
        if self.engine.use_factor(&factor, counter, change).await? {
            return Ok(user);
        }
        Err(refused(self, info, user.id, "auth.passkey", "the passkey was used twice at once")
            .await?)
    }

    /// Opens a session for whoever shows a passkey, which is something they have and, with its own check of
    /// them, something they are or know: both factors at once.
    pub(crate) async fn sign_in_by_passkey(
        &self,
        info: &RequestInfo,
        given: &PasskeyAnswer,
        kind: SessionKind,
        agent: &str,
    ) -> Result<Opened, ApiError> {
        let user = self.shown(info, given, Change::default(), None).await?;
        open_session(self, info, user, true, kind, agent).await
    }

    /// Proves by a passkey who the owner of `session` is.
    pub(crate) async fn prove_by_passkey(
        &self,
        info: &RequestInfo,
        session: &Session,
        given: &PasskeyAnswer,
        audit: AuditDraft,
    ) -> Result<(), ApiError> {
        let at = self.engine.now();
        let prove = Write::ProveSession { id: session.id, at, second_factor: true };
        let change = Change::recorded(audit).write(prove);
        self.shown(info, given, change, Some(session.user)).await?;
        Ok(())
    }
}

/// By what a credential is found.
fn handle(credential: &[u8]) -> SecretHash {
    SecretHash(sha256(&[b"wardroom passkey v1", credential]))
}
