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
        client: OauthClient,
        parameters: &Parameters,
    ) -> Result<Self, Unasked> {
        let redirect_uri = redirect_uri(&client, parameters.get("redirect_uri"))?;
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
            Err(refusal) => Err(ask.unasked(app, &refusal)),
        }
    }

    /// Tells of a refusal that no person decided. SECURITY: nobody looked at the addresses of a program that nobody
    /// registered: without somebody's own click no browser is led there (RFC 9700 §4.11.2).
    pub(super) fn unasked(&self, app: &App, refusal: &Refusal) -> Unasked {
        if self.client.document.is_none() {
            return Unasked::There(self.refuse(app, refusal));
        }
        here(&format!(
            "{} asks for what can't be granted ({}). Nothing was granted: tell its makers.",
            self.client.name, refusal.said
        ))
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

/// Where the answer goes.
fn redirect_uri(client: &OauthClient, named: Option<&str>) -> Result<String, Unasked> {
    match (named, client.redirect_uris.as_slice()) {
        (Some(uri), _) if client.redirects_to(uri) => Ok(uri.to_owned()),
        // SECURITY: a document may name another address from one look to the next.
        (None, [only]) if client.document.is_none() => Ok(only.clone()),
        _ => {
            let whom = match client.document {
                Some(_) => "its makers: its document has to name the address, and the program too",
                None => "its makers, or an administrator, who registers addresses",
            };
            let name = &client.name;
            Err(here(&format!(
                "{name} wants its answer at an address that is not registered for it. Nothing was granted: tell {whom}."
            )))
        }
    }
}

/// It is not known who asks.
pub(super) fn nobody(named: &str) -> Unasked {
    here(if named.starts_with("https://") {
        "The program that sent you here names itself by a document of its own, and that document is not believed here. Nothing was granted: ask an administrator to name its site in oauth_client_documents, or tell its makers (the address must be in its one spelling)."
    } else {
        "No program is registered under the client_id in this address. Nothing was granted: tell whoever sent you here."
    })
}

fn here(said: &str) -> Unasked {
    Unasked::Here(ApiError::say(ErrorCode::BadRequest, said))
}
