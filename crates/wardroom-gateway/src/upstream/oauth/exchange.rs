//! Tokens, and introducing the gateway to an authorization server (RFC 6749 §4 to §6, RFC 7591).

use super::{Issuer, Problem};
use crate::outbound::{ClientProof, Outbound, OutboundError, takes_basic};
use reqwest::{Method, header::CONTENT_TYPE};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use wardroom_core::Timestamp;

/// How long before its end a token is not used any more, in seconds.
const SPARE_SECONDS: i64 = 30;
/// Where nothing is said, in seconds.
const LIFE_SECONDS: i64 = 3600;
const LIFE_SECONDS_MAX: i64 = 30 * 24 * 3600;

/// What is kept of the scopes that a token is good for.
const SCOPES_MAX: usize = 128;
const SCOPE_BYTES_MAX: usize = 200;

/// A token, as it is kept.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Token {
    pub(super) access: String,
    /// Until when it is used, in microseconds.
    until: i64,
    pub(super) refresh: Option<String>,
    /// What it is good for, where that was said.
    pub(super) scopes: Vec<String>,
}

/// The gateway as a client of an authorization server.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct OwnClient {
    pub(super) id: String,
    pub(super) secret: Option<String>,
    pub(super) basic: bool,
}

/// What a token endpoint answers.
#[derive(Deserialize)]
struct Answer {
    access_token: String,
    token_type: String,
    expires_in: Option<i64>,
    refresh_token: Option<String>,
    scope: Option<String>,
}

#[derive(Deserialize)]
struct Registered {
    client_id: String,
    client_secret: Option<String>,
    token_endpoint_auth_method: Option<String>,
}

impl Token {
    pub(super) fn is_fresh(&self, now: Timestamp) -> bool {
        now < Timestamp::from_micros(self.until)
    }
}

impl OwnClient {
    /// As one that is known there by this id.
    pub(super) fn known(id: &str, secret: Option<String>, issuer: &Issuer) -> Self {
        let methods = issuer.token_endpoint_auth_methods_supported.as_deref();
        Self { id: id.to_owned(), secret, basic: takes_basic(methods) }
    }

    /// Introduces the gateway.
    pub(super) async fn register(
        outbound: &Outbound,
        endpoint: &str,
        issuer: &Issuer,
        about: Value,
    ) -> Result<Self, Problem> {
        let methods = issuer.token_endpoint_auth_methods_supported.as_deref();
        let takes = |name: &str| methods.is_some_and(|all| all.iter().any(|one| one == name));
        let method = match () {
            () if takes("none") => "none",
            () if takes_basic(methods) => "client_secret_basic",
            () => "client_secret_post",
        };
        let mut about = about;
        if let Value::Object(about) = &mut about {
            about.remove("client_id");
            about.insert("token_endpoint_auth_method".to_owned(), json!(method));
        }
        let failed = |why: String| Problem::new(format!("it did not register the gateway: {why}"));
        let request = outbound.request(Method::POST, endpoint);
        let request = request.map_err(|error| failed(error.to_string()))?;
        let request = request.header(CONTENT_TYPE, "application/json").body(about.to_string());
        let (_, body) = outbound.send(request).await.map_err(|error| failed(words(error)))?;
        let made: Registered = serde_json::from_slice(&body)
            .map_err(|_| failed("its answer names no client".to_owned()))?;
        let method = made.token_endpoint_auth_method.unwrap_or_else(|| method.to_owned());
        let secret = made.client_secret.filter(|_| method != "none");
        Ok(Self { id: made.client_id, secret, basic: method == "client_secret_basic" })
    }

    /// Asks a token endpoint for a token.
    pub(super) async fn ask(
        &self,
        outbound: &Outbound,
        endpoint: &str,
        form: &[(&str, &str)],
        now: Timestamp,
    ) -> Result<Token, Problem> {
        let proof = ClientProof { id: &self.id, secret: self.secret.as_deref(), basic: self.basic };
        let failed = |why: String| Problem::new(format!("it gave no token: {why}"));
        let request = outbound.token_request(endpoint, proof, form);
        let request = request.map_err(|error| failed(error.to_string()))?;
        let (_, body) = match outbound.send(request).await {
            Ok(answer) => answer,
            Err(error) => {
                let said = words(error);
                let lost = said.starts_with("invalid_grant ");
                return Err(Problem { lost, ..failed(said) });
            }
        };
        let answer: Answer =
            serde_json::from_slice(&body).map_err(|_| failed("its answer has none".to_owned()))?;
        // SECURITY: a token of another kind would be used otherwise than it is meant (RFC 6749 §7.1).
        if !answer.token_type.eq_ignore_ascii_case("bearer") {
            return Err(failed("its token is not a bearer token".to_owned()));
        }
        let life = answer.expires_in.unwrap_or(LIFE_SECONDS).clamp(0, LIFE_SECONDS_MAX);
        let until = now.as_micros() + (life - SPARE_SECONDS.min(life / 2)) * 1_000_000;
        let scopes = answer.scope.unwrap_or_default();
        let scopes = scopes.split_whitespace().filter(|scope| scope.len() <= SCOPE_BYTES_MAX);
        let scopes = scopes.take(SCOPES_MAX).map(str::to_owned).collect();
        Ok(Token { access: answer.access_token, until, refresh: answer.refresh_token, scopes })
    }
}

/// What went wrong, in words that repeat nothing of what was sent. An authorization server's code is its own
/// (RFC 6749 §5.2), its description may be anything.
fn words(error: OutboundError) -> String {
    #[derive(Deserialize)]
    struct Said {
        error: String,
    }
    let OutboundError::Status(status, body) = &error else { return error.to_string() };
    let said = serde_json::from_slice::<Said>(body).map(|said| said.error).unwrap_or_default();
    let code = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if said.is_empty() || said.len() > 64 || !said.chars().all(code) {
        return format!("HTTP {status}");
    }
    format!("{said} (HTTP {status})")
}
