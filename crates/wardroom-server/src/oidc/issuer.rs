//! The provider as it is reached: its metadata and its keys, fetched when they are wanted and kept for a while.

use super::OidcRules;
use crate::{Outbound, OutboundError, error::ApiError};
use reqwest::RequestBuilder;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::Mutex;
use wardroom_gateway::outbound::{ClientProof, takes_basic};
use wardroom_trust::oidc::{Attempt, KeySet, Metadata, OidcError, Verifier};
use wardroom_wire::error::ErrorCode;

/// How long metadata and keys are taken without asking again.
const FRESH: Duration = Duration::from_secs(600);
/// Keys are not asked for more often than this, however many unknown ones are named.
const PAUSE: Duration = Duration::from_secs(5);
/// How long keys are believed while the issuer does not answer.
const STALE_MAX: Duration = Duration::from_secs(24 * 3600);

/// A provider.
pub(crate) struct Issuer {
    pub(crate) rules: OidcRules,
    pub(crate) verifier: Verifier,
    redirect_uri: String,
    outbound: Outbound,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    metadata: Option<(Instant, Arc<Metadata>)>,
    keys: Option<(Instant, Arc<KeySet>)>,
    /// When it was last asked in vain, or for a key that was not known.
    asked: Option<Instant>,
}

/// What a code is exchanged for.
#[derive(Deserialize)]
pub(super) struct Tokens {
    pub(super) access_token: SecretString,
    pub(super) id_token: Option<SecretString>,
}

fn within(at: Option<Instant>, span: Duration) -> bool {
    at.is_some_and(|at| at.elapsed() < span)
}

/// Why the provider could not be asked, for whoever waits.
fn unreachable(error: &dyn std::error::Error) -> ApiError {
    tracing::warn!(%error, "the OpenID provider did not answer as it should");
    ApiError::say(
        ErrorCode::SignInFailed,
        "The provider did not answer as it should: try again in a while. Operators find the cause in the log.",
    )
}

impl Issuer {
    pub(crate) fn new(rules: OidcRules, public_url: &str, outbound: Outbound) -> Self {
        let verifier = Verifier {
            issuer: rules.issuer.clone(),
            client_id: rules.client_id.clone(),
            session_audience: rules.session_audience.clone(),
            session_parties: rules.session_parties.clone(),
        };
        let redirect_uri = format!("{}/sign-in/oidc/callback", public_url.trim_end_matches('/'));
        Self { rules, verifier, redirect_uri, outbound, kept: Mutex::default() }
    }

    async fn get<T: serde::de::DeserializeOwned>(&self, url: &str) -> Result<T, ApiError> {
        let (_, body) = self.outbound.get(url).await.map_err(|error| unreachable(&error))?;
        serde_json::from_slice(&body).map_err(|error| unreachable(&error))
    }

    /// The issuer's metadata.
    pub(super) async fn metadata(&self) -> Result<Arc<Metadata>, ApiError> {
        // Held over the request: one asks, the others wait.
        let mut kept = self.kept.lock().await;
        if let Some((at, metadata)) = &kept.metadata
            && at.elapsed() < FRESH
        {
            return Ok(Arc::clone(metadata));
        }
        let issuer = self.rules.issuer.trim_end_matches('/');
        let found: Result<Metadata, ApiError> =
            self.get(&format!("{issuer}/.well-known/openid-configuration")).await;
        let metadata = match (found, &kept.metadata) {
            (Ok(found), _) => found,
            (Err(_), Some((at, old))) if at.elapsed() < STALE_MAX => return Ok(Arc::clone(old)),
            (Err(error), _) => return Err(error),
        };
        // SECURITY: Discovery §4.3, else another issuer's metadata would do.
        if metadata.issuer != self.rules.issuer {
            let error = OidcError::Refused("the metadata is of another issuer");
            return Err(unreachable(&error));
        }
        let metadata = Arc::new(metadata);
        kept.metadata = Some((Instant::now(), Arc::clone(&metadata)));
        Ok(metadata)
    }

    /// The issuer's keys; asked for again when one is not known.
    async fn keys(&self, unknown: bool) -> Result<Arc<KeySet>, ApiError> {
        let metadata = self.metadata().await?;
        let mut kept = self.kept.lock().await;
        let fresh = within(kept.keys.as_ref().map(|(at, _)| *at), FRESH) && !unknown;
        if !fresh && !within(kept.asked, PAUSE) {
            let found = self.get::<serde_json::Value>(&metadata.jwks_uri).await;
            // An issuer that is away must not hold every request up, nor a stranger's keys make us ask and ask.
            if unknown || found.is_err() {
                kept.asked = Some(Instant::now());
            }
            match found {
                Ok(document) => {
                    let keys = KeySet::parse(document.to_string().as_bytes());
                    let keys = keys.map_err(|error| unreachable(&error))?;
                    kept.keys = Some((Instant::now(), Arc::new(keys)));
                }
                // What is known still verifies, for a while.
                Err(error) if kept.keys.is_none() => return Err(error),
                Err(_) => {}
            }
        }
        match &kept.keys {
            Some((at, keys)) if at.elapsed() < STALE_MAX => Ok(Arc::clone(keys)),
            _ => Err(unreachable(&OidcError::Refused("the issuer's keys can't be had"))),
        }
    }

    /// Opens something that the issuer signed, with its newest keys where it needs them.
    pub(super) async fn open<T>(
        &self,
        open: impl Fn(&KeySet) -> Result<T, OidcError> + Send + Sync,
    ) -> Result<Result<T, OidcError>, ApiError> {
        let opened = open(&*self.keys(false).await?);
        match opened {
            Err(OidcError::UnknownKey) => Ok(open(&*self.keys(true).await?)),
            opened => Ok(opened),
        }
    }

    /// Where a browser goes to sign in.
    pub(super) async fn way(&self, attempt: &Attempt) -> Result<String, ApiError> {
        let metadata = self.metadata().await?;
        let endpoint = self.outbound.check(&metadata.authorization_endpoint);
        let mut url = endpoint.map_err(|error| unreachable(&error))?;
        let question =
            attempt.question(&self.rules.client_id, &self.redirect_uri, &self.rules.scope);
        url.query_pairs_mut().extend_pairs(question);
        Ok(url.into())
    }

    /// Exchanges a code for tokens (RFC 6749 §4.1.3).
    pub(super) async fn exchange(&self, attempt: &Attempt, code: &str) -> Result<Tokens, ApiError> {
        let metadata = self.metadata().await?;
        let asked = self.exchange_request(&metadata, attempt, code)?;
        let (_, body) = match self.outbound.send(asked).await {
            Ok(answer) => answer,
            Err(error @ OutboundError::Status(..)) => {
                tracing::warn!(%error, "the OpenID provider exchanged no code");
                return Err(ApiError::say(
                    ErrorCode::SignInFailed,
                    "The provider did not confirm the sign-in: try again.",
                ));
            }
            Err(error) => return Err(unreachable(&error)),
        };
        serde_json::from_slice(&body).map_err(|error| unreachable(&error))
    }

    fn exchange_request(
        &self,
        metadata: &Metadata,
        attempt: &Attempt,
        code: &str,
    ) -> Result<RequestBuilder, ApiError> {
        let methods = metadata.token_endpoint_auth_methods_supported.as_deref();
        let client = ClientProof {
            id: &self.rules.client_id,
            secret: self.rules.client_secret.as_ref().map(|secret| secret.expose_secret()),
            basic: takes_basic(methods),
        };
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &self.redirect_uri),
            ("code_verifier", &attempt.verifier),
        ];
        let asked = self.outbound.token_request(&metadata.token_endpoint, client, &form);
        asked.map_err(|error| unreachable(&error))
    }
}
