//! What a program asks a person for (RFC 6749 §4.1.1, RFC 7636, RFC 8707).

use super::{
    Parameters,
    error::{Code, Refusal},
};
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
    /// Reads what `client` asks for. SECURITY: until program and address are known, nothing is sent anywhere.
    pub(super) fn read(
        app: &App,
        client: Option<OauthClient>,
        parameters: &Parameters,
    ) -> Result<Self, Unasked> {
        let client = client.ok_or_else(|| here(nobody(parameters)))?;
        let redirect_uri = match (parameters.get("redirect_uri"), client.redirect_uris.as_slice()) {
            (Some(uri), _) if client.redirects_to(uri) => uri.to_owned(),
            (None, [only]) => only.clone(),
            _ => {
                return Err(here(&format!(
                    "{} wants its answer at an address that is not registered for it. Nothing was granted: tell its makers, or an administrator, who registers addresses.",
                    client.name
                )));
            }
        };
        let state = parameters.get("state").map(str::to_owned);
        if state.as_ref().is_some_and(|state| state.len() > STATE_BYTES_MAX) {
            return Err(here(&format!(
                "{} wants more than {STATE_BYTES_MAX} bytes back as state. Nothing was granted: tell its makers.",
                client.name
            )));
        }
        let mut ask = Self {
            client,
            redirect_uri,
            state,
            scopes: vec![],
            challenge: String::new(),
            resource: String::new(),
        };
        match ask.fill(app, parameters) {
            Ok(()) => Ok(ask),
            Err(refusal) => Err(Unasked::There(ask.refuse(app, &refusal))),
        }
    }

    fn fill(&mut self, app: &App, parameters: &Parameters) -> Result<(), Refusal> {
        parameters.check()?;
        if parameters.need("response_type")? != "code" {
            let said = "response_type must be code";
            return Err(Refusal::new(Code::UnsupportedResponseType, said));
        }
        // SECURITY: without it a code that somebody copies is as good for them (RFC 9700 §2.1.1).
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let challenge = parameters.need("code_challenge")?;
        if parameters.get("code_challenge_method") != Some("S256")
            || challenge.len() != CHALLENGE_LENGTH
            || !challenge.chars().all(plain)
        {
            return Err(Refusal::request("code_challenge must be of code_challenge_method S256"));
        }
        challenge.clone_into(&mut self.challenge);
        self.scopes = wanted_scopes(parameters, &self.client.scopes)?;
        self.resource = app.wanted_resource(parameters)?;
        Ok(())
    }

    /// The address that tells the program that it was not granted anything.
    pub(crate) fn refuse(&self, app: &App, refusal: &Refusal) -> String {
        let pairs = [("error", refusal.code.as_str()), ("error_description", &refusal.said)];
        self.answer(app, &pairs)
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
) -> Result<Vec<String>, Refusal> {
    let Some(text) = parameters.get("scope") else { return Ok(most.to_vec()) };
    let invalid = |said: &str| Refusal::new(Code::InvalidScope, said);
    let wanted = scopes(text.split(' ')).map_err(|error| invalid(&error.reason))?;
    match wanted.iter().find(|scope| !most.contains(scope)) {
        Some(scope) => Err(invalid(&format!("the client may not ask for {scope}"))),
        None => Ok(wanted),
    }
}

/// What is said where it is not known who asks.
fn nobody(parameters: &Parameters) -> &'static str {
    let documented = parameters.get("client_id").is_some_and(|named| named.starts_with("https://"));
    if documented {
        "The program that sent you here names itself by a document of its own, and that document is not believed here. Nothing was granted: an administrator names the site in oauth_client_documents, or registers the program."
    } else {
        "No program is registered under the client_id in this address. Nothing was granted: tell whoever sent you here."
    }
}

fn here(said: &str) -> Unasked {
    Unasked::Here(ApiError::say(ErrorCode::BadRequest, said))
}
