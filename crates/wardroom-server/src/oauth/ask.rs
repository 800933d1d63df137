//! What a program asks a person for (RFC 6749 §4.1.1, RFC 7636, RFC 8707).

use super::{Parameters, error::OauthError};
use crate::{App, error::ApiError};
use url::Url;
use wardroom_core::oauth::{OauthClient, scopes};
use wardroom_wire::error::ErrorCode;

/// The longest `state` that is given back, in bytes.
const STATE_BYTES_MAX: usize = 2000;
/// SHA-256 in base64url.
const CHALLENGE_LENGTH: usize = 43;

/// What is asked for, checked.
pub(crate) struct Ask {
    /// Who asks.
    pub(crate) client: OauthClient,
    /// Where the answer goes.
    pub(crate) redirect_uri: String,
    /// What the program wants back with it.
    state: Option<String>,
    /// The actions.
    pub(crate) scopes: Vec<String>,
    /// SHA-256 of what the program will show.
    pub(crate) challenge: String,
    /// Where the grant is to be good.
    pub(crate) resource: String,
}

/// Why it can't even be asked.
pub(crate) enum Unasked {
    /// Nobody knows where an answer may go: the person is told.
    Here(ApiError),
    /// The program is told, at this address.
    There(String),
}

impl Ask {
    /// Reads it. SECURITY: until program and address are known, nothing is sent anywhere.
    pub(crate) async fn read(app: &App, encoded: &[u8]) -> Result<Self, Unasked> {
        let parameters = Parameters::read(encoded).map_err(|error| Unasked::Here(here(error)))?;
        let client = match parameters.get("client_id").map(str::parse) {
            Some(Ok(id)) => {
                let found = app.engine.store().lookup_oauth_client(id).await;
                found.map_err(|error| Unasked::Here(error.into()))?
            }
            _ => None,
        };
        let nobody =
            "No program is registered under the client_id in this address. Nothing was granted.";
        let client = client.ok_or_else(|| Unasked::Here(refusal(nobody)))?;
        let redirect_uri = match (parameters.get("redirect_uri"), client.redirect_uris.as_slice()) {
            (Some(uri), _) if client.redirects_to(uri) => uri.to_owned(),
            (None, [only]) => only.clone(),
            _ => {
                let said = format!(
                    "{} wants the answer at an address that is not registered for it. Nothing was granted.",
                    client.name
                );
                return Err(Unasked::Here(refusal(&said)));
            }
        };
        let mut ask = Self {
            client,
            redirect_uri,
            state: None,
            scopes: vec![],
            challenge: String::new(),
            resource: app.api_resource(),
        };
        match ask.fill(&parameters) {
            Ok(()) => Ok(ask),
            Err(OauthError::Api(error)) => Err(Unasked::Here(error)),
            Err(OauthError::Protocol(code, said)) => {
                Err(Unasked::There(ask.refuse(app, code, &said)))
            }
        }
    }

    fn fill(&mut self, parameters: &Parameters) -> Result<(), OauthError> {
        if let Some(state) = parameters.get("state") {
            if state.len() > STATE_BYTES_MAX {
                return Err(OauthError::request("state is too long"));
            }
            self.state = Some(state.to_owned());
        }
        if parameters.need("response_type")? != "code" {
            let said = "response_type must be code".to_owned();
            return Err(OauthError::Protocol("unsupported_response_type", said));
        }
        // SECURITY: without it a code that somebody copies is as good for them (RFC 9700 §2.1.1).
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let challenge = parameters.need("code_challenge")?;
        if parameters.get("code_challenge_method") != Some("S256")
            || challenge.len() != CHALLENGE_LENGTH
            || !challenge.chars().all(plain)
        {
            return Err(OauthError::request(
                "code_challenge must be of code_challenge_method S256",
            ));
        }
        challenge.clone_into(&mut self.challenge);
        self.scopes = wanted_scopes(parameters, &self.client.scopes)?;
        check_resource(parameters, &self.resource)
    }

    /// The address that tells the program that it was not granted anything.
    pub(crate) fn refuse(&self, app: &App, code: &str, said: &str) -> String {
        self.answer(app, &[("error", code), ("error_description", said)])
    }

    /// The address at which the program is told `pairs`, with its state and who says so (RFC 9207).
    pub(crate) fn answer(&self, app: &App, pairs: &[(&str, &str)]) -> String {
        let Ok(mut url) = Url::parse(&self.redirect_uri) else { return self.redirect_uri.clone() };
        {
            let mut query = url.query_pairs_mut();
            query.extend_pairs(pairs);
            if let Some(state) = &self.state {
                query.append_pair("state", state);
            }
            query.append_pair("iss", app.issuer());
        }
        url.into()
    }
}

/// The scopes that a program wants, all of `most` where it names none.
pub(super) fn wanted_scopes(
    parameters: &Parameters,
    most: &[String],
) -> Result<Vec<String>, OauthError> {
    let Some(text) = parameters.get("scope") else { return Ok(most.to_vec()) };
    let invalid = |said: String| OauthError::Protocol("invalid_scope", said);
    let wanted = scopes(text.split(' ')).map_err(|error| invalid(error.reason))?;
    match wanted.iter().find(|scope| !most.contains(scope)) {
        Some(scope) => Err(invalid(format!("the client may not ask for {scope}"))),
        None => Ok(wanted),
    }
}

/// Whether a program that says where a grant is to be good means here.
pub(super) fn check_resource(parameters: &Parameters, here: &str) -> Result<(), OauthError> {
    match parameters.get("resource") {
        Some(resource) if resource != here => {
            let said = format!("the resource here is {here}");
            Err(OauthError::Protocol("invalid_target", said))
        }
        _ => Ok(()),
    }
}

fn refusal(said: &str) -> ApiError {
    ApiError::say(ErrorCode::BadRequest, said)
}

fn here(error: OauthError) -> ApiError {
    match error {
        OauthError::Protocol(_, said) => refusal(&crate::error::capital(&said)),
        OauthError::Api(error) => error,
    }
}
