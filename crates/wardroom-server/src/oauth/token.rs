//! `POST /oauth/token`: how a program comes by tokens (RFC 6749 §3.2).

use super::{
    Parameters,
    ask::{check_resource, wanted_scopes},
    client,
    error::OauthError,
};
use crate::{
    App,
    error::ApiError,
    identity::{self, Opened},
    middleware::RequestInfo,
};
use axum::{
    Extension, Json,
    extract::State,
    http::{HeaderMap, header},
};
use data_encoding::BASE64URL_NOPAD;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use std::sync::Arc;
use subtle::ConstantTimeEq as _;
use wardroom_core::{
    digest::sha256,
    identity::{Session, User, UserState},
    oauth::{Grant, OauthClient, OauthCode},
};
use wardroom_engine::EngineError;
use wardroom_trust::secret::{CodeSecret, RefreshSecret};
use wardroom_wire::error::ErrorCode;

/// What a program is given (RFC 6749 §5.1).
#[derive(Serialize)]
pub(crate) struct Tokens {
    access_token: String,
    token_type: &'static str,
    /// Seconds.
    expires_in: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    scope: String,
}

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
    let agent =
        headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
    let request = Request { app: &app, info: &info, agent, parameters: &parameters, client };
    check_resource(&parameters, &app.api_resource())?;
    let tokens = match parameters.need("grant_type")? {
        "authorization_code" => request.by_code().await,
        "refresh_token" => request.by_refresh_token().await,
        "client_credentials" => request.by_itself().await,
        other => {
            let said = format!("{other:?} is none of the grant types here");
            Err(OauthError::Protocol("unsupported_grant_type", said))
        }
    };
    tokens.map(Json)
}

impl Request<'_> {
    /// For a code that a person's browser brought (§4.1.3).
    async fn by_code(&self) -> Result<Tokens, OauthError> {
        let refused = || OauthError::grant("the code is not good, or not any more: ask again");
        let text = self.parameters.need("code")?;
        let presented = CodeSecret::parse(text).map_err(|_| refused())?.hash();
        let store = self.app.engine.store();
        let Some(code) = store.lookup_oauth_code(presented).await? else {
            // SECURITY: used twice means that somebody copied it; what it opened ends (RFC 6749 §4.1.2).
            identity::end_spent(self.app, self.info, presented, "a code").await?;
            return Err(refused());
        };
        if code.grant.client != self.client.id || !self.is_asker(&code)? {
            return Err(refused());
        }
        let user = store.lookup_user(code.user).await?;
        let user = user.filter(|user| user.state == UserState::Active).ok_or_else(refused)?;
        let opened =
            self.open(user, code.grant, Some(presented)).await.map_err(|error| match error {
                // It ended, or somebody else used it in this moment.
                EngineError::Conflict => refused(),
                error => error.into(),
            })?;
        self.tokens(&opened.session, Some(&opened.secret))
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
        let refused = || OauthError::grant("the refresh token is not good any more: ask again");
        let text = self.parameters.need("refresh_token")?;
        let presented = RefreshSecret::parse(text).map_err(|_| refused())?;
        let found = self.app.engine.store().lookup_session(presented.hash()).await?;
        // Before the token is spent: a request that is refused for its form leaves it good.
        let scopes = match found.and_then(|(session, _)| session.grant) {
            Some(grant) => wanted_scopes(self.parameters, &grant.scopes)?,
            None => vec![],
        };
        let opened = match identity::refresh(self.app, self.info, text, Some(&self.client)).await {
            Err(error) if error.code == ErrorCode::Unauthenticated => return Err(refused()),
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
        let said = "the client acts as no account of its own";
        let nobody = || OauthError::Protocol("unauthorized_client", said.to_owned());
        let id = self.client.acts_as.ok_or_else(nobody)?;
        let user = self.app.engine.store().lookup_user(id).await?;
        let user = user.filter(|user| user.state == UserState::Active).ok_or_else(nobody)?;
        let grant = Grant {
            client: self.client.id,
            scopes: wanted_scopes(self.parameters, &self.client.scopes)?,
            resource: self.app.api_resource(),
        };
        let opened = self.open(user, grant, None).await?;
        self.tokens(&opened.session, None)
    }

    async fn open(
        &self,
        user: User,
        grant: Grant,
        code: Option<wardroom_core::identity::SecretHash>,
    ) -> Result<Opened, EngineError> {
        identity::open_grant(self.app, self.info, user, grant, code, self.agent).await
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
            token_type: "Bearer",
            expires_in: ends_at.since(engine.now()).as_secs(),
            refresh_token: refresh.map(|secret| secret.expose_secret().to_owned()),
            scope: session.grant.as_ref().map(|grant| grant.scopes.join(" ")).unwrap_or_default(),
        })
    }
}
