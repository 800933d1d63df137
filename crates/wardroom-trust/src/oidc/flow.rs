//! The way to an issuer and back: authorization code with PKCE (RFC 7636), state and nonce.

use super::{OidcError, demand};
use crate::secret::{random_text, same};
use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};
use wardroom_core::{Rng, Timestamp, digest::sha256};

/// How long somebody has to sign in at the issuer, in seconds.
const ATTEMPT_SECONDS: i64 = 600;

/// What is needed of an issuer's metadata (OpenID Connect Discovery 1.0 §3).
#[derive(Debug, Clone, Deserialize)]
pub struct Metadata {
    /// What it calls itself.
    pub issuer: String,
    /// Where people sign in.
    pub authorization_endpoint: String,
    /// Where codes become tokens.
    pub token_endpoint: String,
    /// Where its keys are.
    pub jwks_uri: String,
    /// How clients prove who they are to it.
    #[serde(default)]
    pub token_endpoint_auth_methods_supported: Option<Vec<String>>,
    /// Whether its answers name it (RFC 9207).
    #[serde(default)]
    pub authorization_response_iss_parameter_supported: bool,
}

/// A sign-in that has begun. It is kept sealed in the browser that began it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attempt {
    state: String,
    /// What the ID token must answer.
    pub nonce: String,
    /// What the code is exchanged with.
    pub verifier: String,
    /// Where to go on: a path of this server.
    pub next: String,
    /// Whether they have to prove anew who they are.
    pub fresh: bool,
    begun: i64,
}

impl Attempt {
    /// A new one.
    pub fn new(next: &str, fresh: bool, now: Timestamp, rng: &dyn Rng) -> Self {
        Self {
            state: random_text(rng),
            nonce: random_text(rng),
            verifier: random_text(rng),
            next: next.to_owned(),
            fresh,
            begun: now.as_seconds(),
        }
    }

    /// What is asked of the authorization endpoint.
    pub fn question(
        &self,
        client_id: &str,
        redirect_uri: &str,
        scope: &str,
    ) -> Vec<(&'static str, String)> {
        let challenge = BASE64URL_NOPAD.encode(&sha256(&[self.verifier.as_bytes()]));
        let mut pairs = vec![
            ("response_type", "code".to_owned()),
            ("client_id", client_id.to_owned()),
            ("redirect_uri", redirect_uri.to_owned()),
            ("scope", scope.to_owned()),
            ("state", self.state.clone()),
            ("nonce", self.nonce.clone()),
            ("code_challenge", challenge),
            ("code_challenge_method", "S256".to_owned()),
        ];
        if self.fresh {
            pairs.extend([("prompt", "login".to_owned()), ("max_age", "0".to_owned())]);
        }
        pairs
    }

    /// Whether an answer of the issuer is the one to this attempt.
    pub fn check(
        &self,
        metadata: &Metadata,
        state: &str,
        issuer: Option<&str>,
        now: Timestamp,
    ) -> Result<(), OidcError> {
        demand(same(state, &self.state), "it is the answer to another sign-in")?;
        let age = now.as_seconds() - self.begun;
        demand((0..=ATTEMPT_SECONDS).contains(&age), "the sign-in took too long")?;
        // RFC 9207: against an answer of one issuer that is taken for another's.
        match issuer {
            Some(issuer) => demand(issuer == metadata.issuer, "it is another issuer's answer"),
            None => {
                let named = metadata.authorization_response_iss_parameter_supported;
                demand(!named, "it does not say whose answer it is")
            }
        }
    }
}
