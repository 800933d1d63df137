//! `POST /oauth/token`: how a program comes by tokens (RFC 6749 §3.2).

use super::{
    Parameters,
    ask::wanted_scopes,
    client,
    error::{Code, OauthError, Refusal},
};
use crate::{
    App,
    error::ApiError,
    identity::{self, Opened, Standing},
    middleware::RequestInfo,
};
use axum::{
    Extension, Json,
    extract::State,
    http::{HeaderMap, header},
};
use data_encoding::BASE64URL_NOPAD;
use secrecy::{ExposeSecret as _, SecretString};
use std::sync::Arc;
use subtle::ConstantTimeEq as _;
use wardroom_core::{
    Principal,
    audit::{AuditDraft, AuditOutcome},
    digest::sha256,
    identity::{SecretHash, Session, User, UserState},
    oauth::{Grant, OauthClient, OauthCode},
};
use wardroom_engine::EngineError;
use wardroom_trust::secret::{CodeSecret, RefreshSecret};
use wardroom_wire::{error::ErrorCode, oauth::Tokens};

/// A request for tokens, and who makes it.
struct Request<'a> {
    app: &'a App,
    info: &'a RequestInfo,
    agent: &'a str,
    parameters: &'a Parameters,
    client: OauthClient,
}

/// Gives tokens.
pub(crate) async fn handler(
    State(app): State<Arc<App>>,
    Extension(info): Extension<RequestInfo>,
    headers: HeaderMap,
    parameters: Parameters,
) -> Result<Json<Tokens>, OauthError> {
    let client = client::authenticate(&app, &info, &headers, &parameters).await?;
    if client.document.as_ref().is_some_and(|document| !app.client_documents.believes(document)) {
        let said = "the client's document is not believed here any more";
        return Err(Refusal::new(Code::UnauthorizedClient, said).into());
    }
    let agent =
        headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
    let request = Request { app: &app, info: &info, agent, parameters: &parameters, client };
    let tokens = match parameters.need("grant_type")? {
        "authorization_code" => request.by_code().await,
        "refresh_token" => request.by_refresh_token().await,
        "client_credentials" => request.by_itself().await,
        other => {
            let said = format!("{other} is none of the grant types here");
            Err(Refusal::new(Code::UnsupportedGrantType, &said).into())
        }
    };
    tokens.map(Json)
}

impl Request<'_> {
    /// Refuses what was brought, on record: a copy that somebody else tries shows there.
    async fn refused(&self, why: &str, said: &str) -> OauthError {
        let now = self.app.engine.now();
        let audit =
            AuditDraft::event("grant.open", &Principal::Anonymous, &self.info.origin(), now)
                .on(self.client.id)
                .outcome(AuditOutcome::Refused, why);
        match self.app.refusals.record(self.app, audit).await {
            Ok(()) => Refusal::new(Code::InvalidGrant, said).into(),
            Err(error) => error.into(),
        }
    }

    /// For a code that a person's browser brought (§4.1.3).
    async fn by_code(&self) -> Result<Tokens, OauthError> {
        let said = "the code is not good, or not any more: ask again";
        let text = self.parameters.need("code")?;
        let Ok(presented) = CodeSecret::parse(text).map(|code| code.hash()) else {
            return Err(self.refused("the code has not the form of one", said).await);
        };
        let store = self.app.engine.store();
        let Some(code) = store.lookup_oauth_code(presented).await? else {
            return Err(self.spent(presented, said).await?);
        };
        if code.grant.client != self.client.id || !self.is_asker(&code)? {
            return Err(self.refused("the code is another program's", said).await);
        }
        self.parameters.check_resource(&code.grant.resource)?;
        let user = store.lookup_user(code.user).await?;
        let Some(user) = user.filter(|user| user.state == UserState::Active) else {
            return Err(self.refused("the account is not active", said).await);
        };
        // It is as far proved as the session in which it was granted.
        let granted_in = store.lookup_session_by_id(code.session).await?;
        let second_factor = granted_in.is_some_and(|(session, _)| session.second_factor);
        match self.open(user, code.grant, second_factor, Some(presented)).await {
            Ok(opened) => self.tokens(&opened.session, Some(&opened.secret)),
            // It ended, or somebody else used it in this moment.
            Err(EngineError::Conflict) => Err(self.spent(presented, said).await?),
            Err(error) => Err(ApiError::from(error).into()),
        }
    }

    /// A code that is not good any more. SECURITY: used twice means that somebody copied it; what it opened ends
    /// (RFC 6749 §4.1.2).
    async fn spent(&self, code: SecretHash, said: &str) -> Result<OauthError, ApiError> {
        identity::end_spent(self.app, self.info, code, Some(&self.client), "a code").await?;
        Ok(self.refused("the code was used or has ended", said).await)
    }

    /// Whether it is the program that asked, which alone knows the verifier (RFC 7636 §4.6).
    fn is_asker(&self, code: &OauthCode) -> Result<bool, OauthError> {
        let verifier = self.parameters.need("code_verifier")?;
        let shown = BASE64URL_NOPAD.encode(&sha256(&[verifier.as_bytes()]));
        let same: bool = shown.as_bytes().ct_eq(code.challenge.as_bytes()).into();
        let address = self.parameters.get("redirect_uri");
        Ok(same
            && (43..=128).contains(&verifier.len())
            && address.is_none_or(|address| address == code.redirect_uri))
    }

    /// For the refresh token of a grant (§6).
    async fn by_refresh_token(&self) -> Result<Tokens, OauthError> {
        let said = "the refresh token is not good any more: ask again";
        let text = self.parameters.need("refresh_token")?;
        let Ok(presented) = RefreshSecret::parse(text) else {
            return Err(self.refused("the refresh token has not the form of one", said).await);
        };
        let found = self.app.engine.store().lookup_session(presented.hash()).await?;
        // Before the token is spent: a request that is refused for its form leaves it good.
        let scopes = match found.and_then(|(session, _)| session.grant) {
            Some(grant) if !self.app.is_resource(&grant.resource) => {
                return Err(self.refused("the grant is for another address", said).await);
            }
            Some(grant) => {
                self.parameters.check_resource(&grant.resource)?;
                wanted_scopes(self.parameters, &grant.scopes)?
            }
            None => vec![],
        };
        let opened = match identity::refresh(self.app, self.info, text, Some(&self.client)).await {
            Err(error) if error.code == ErrorCode::Unauthenticated => {
                return Err(self.refused("the refresh token is not good", said).await);
            }
            other => other?,
        };
        let mut session = opened.session;
        if let Some(grant) = &mut session.grant {
            grant.scopes = scopes;
        }
        self.tokens(&session, Some(&opened.secret))
    }

    /// For the account as which the program acts (§4.4). There is nobody to ask, and so no refresh token.
    async fn by_itself(&self) -> Result<Tokens, OauthError> {
        let nobody = |said| Refusal::new(Code::UnauthorizedClient, said);
        let said = "the client acts as no account of its own";
        let id = self.client.acts_as.ok_or_else(|| nobody(said))?;
        let user = self.app.engine.store().lookup_user(id).await?;
        let said = "the account as which the client acts is not active";
        let user = user.filter(|user| user.state == UserState::Active);
        let user = user.ok_or_else(|| nobody(said))?;
        let standing = Standing::of_account(&self.app.accounts, &user, self.app.engine.now());
        if standing != Standing::Open {
            let said =
                "the account as which the client acts must first set its password or second factor";
            return Err(nobody(said).into());
        }
        let grant = Grant {
            client: self.client.id,
            scopes: wanted_scopes(self.parameters, &self.client.scopes)?,
            resource: self.app.wanted_resource(self.parameters)?,
        };
        match self.open(user, grant, false, None).await {
            Ok(opened) => self.tokens(&opened.session, None),
            Err(EngineError::Conflict) => {
                Err(nobody("the client or its account is not there any more").into())
            }
            Err(error) => Err(ApiError::from(error).into()),
        }
    }

    async fn open(
        &self,
        user: User,
        grant: Grant,
        second_factor: bool,
        code: Option<SecretHash>,
    ) -> Result<Opened, EngineError> {
        let proved = (second_factor, code);
        identity::open_grant(self.app, self.info, user, grant, proved, self.agent).await
    }

    fn tokens(
        &self,
        session: &Session,
        refresh: Option<&SecretString>,
    ) -> Result<Tokens, OauthError> {
        let engine = &self.app.engine;
        let issued = self.app.access_tokens.issue(session, engine.now(), engine.rng());
        let (access_token, ends_at) = issued.map_err(ApiError::internal)?;
        Ok(Tokens {
            access_token,
            token_type: "Bearer".to_owned(),
            expires_in: ends_at.since(engine.now()).as_secs(),
            refresh_token: refresh.map(|secret| secret.expose_secret().to_owned()),
            scope: session.grant.as_ref().map(|grant| grant.scopes.join(" ")).unwrap_or_default(),
        })
    }
}
