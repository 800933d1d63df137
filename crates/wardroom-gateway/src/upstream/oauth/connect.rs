//! Connecting a person's account: the way to the authorization server and back (OAuth 2.1 §4.1, RFC 7636, RFC 8707,
//! RFC 9207), and what the gateway says of itself there.

use super::{
    Found, OwnClient, Problem,
    account::{Kept, internal},
};
use crate::upstream::{Ask, Failure, Listening, Upstream, endpoint::Endpoint, modern};
use data_encoding::BASE64URL_NOPAD;
use reqwest::header::HeaderMap;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::time::Duration;
use uuid::Uuid;
use wardroom_core::{
    Timestamp, ToolAccountId, ToolServerId, UserId,
    audit::AuditDraft,
    change::{Change, Write},
    digest::sha256,
    tool::{
        account::{ToolAccount, ToolAccountWrite},
        server::{OauthParty, Shown, Way},
    },
};
use wardroom_trust::{seal::Sealer, secret::random_text};

/// Where authorization servers send people back to: the tool server's name stands behind it. SECURITY: what one
/// authorization server answers is not taken for another's answer (RFC 9700 §4.4).
const CALLBACK: &str = "/tool-accounts/callback";
/// Where the gateway says what client it is for a tool server, whose name stands behind it.
const CLIENT_DOCUMENT: &str = "/oauth/gateway-client";
/// What an attempt is sealed for.
const PURPOSE: &str = "tool_account.attempt";
/// How long somebody has.
const ATTEMPT_SECONDS: i64 = 900;
/// How long a tool server may take to say who lets in.
const ASK_TIME: Duration = Duration::from_secs(15);
/// The longest state and code that are read.
const TEXT_BYTES_MAX: usize = 16 * 1024;

/// What an authorization server answers, by way of a browser.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct AccountAnswer {
    /// The tool server whose callback it came to.
    #[serde(skip)]
    pub server: String,
    /// What is exchanged for tokens.
    pub code: String,
    /// What it was given to give back.
    pub state: String,
    /// Who it is.
    pub iss: Option<String>,
    /// Why not.
    pub error: Option<String>,
}

/// What an attempt carries along, sealed.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Attempt {
    pub(crate) server: Uuid,
    user: Uuid,
    /// In microseconds.
    until: i64,
    verifier: String,
    issuer: String,
    /// Whether the issuer says who it is when it answers.
    names_itself: bool,
    endpoint: String,
    resource: String,
    url: String,
    /// Whether people told the client.
    told: bool,
    client: OwnClient,
}

impl Attempt {
    /// The attempt that an answer belongs to. SECURITY: what was not begun here, by the same person, is refused.
    pub(crate) fn open(
        sealer: &Sealer,
        state: &str,
        user: UserId,
        now: Timestamp,
    ) -> Result<Self, Problem> {
        let unknown = || Problem::new("this was not begun here, or by somebody else: begin anew");
        let sealed = Some(state).filter(|state| state.len() <= TEXT_BYTES_MAX);
        let sealed = sealed.and_then(|state| BASE64URL_NOPAD.decode(state.as_bytes()).ok());
        let plain = sealer.open(PURPOSE, &sealed.ok_or_else(unknown)?).map_err(|_| unknown())?;
        let attempt: Self = serde_json::from_slice(&plain).map_err(|_| unknown())?;
        if attempt.user != user.uuid() {
            return Err(unknown());
        }
        if now >= Timestamp::from_micros(attempt.until) {
            return Err(Problem::new("that took too long: begin anew"));
        }
        Ok(attempt)
    }

    pub(crate) fn server(&self) -> ToolServerId {
        ToolServerId::from_uuid(self.server)
    }
}

/// What the gateway says of itself to authorization servers for a tool server (RFC 7591 §2, «OAuth Client ID Metadata
/// Document»). People see the name when they are asked.
pub fn client_document(public_url: &str, server: &str) -> Value {
    json!({
        "client_id": document_url(public_url, server),
        "client_name": format!("Wardroom ({server})"),
        "client_uri": public_url,
        "redirect_uris": [format!("{public_url}{CALLBACK}/{server}")],
        "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "application_type": "web",
    })
}

fn document_url(public_url: &str, server: &str) -> String {
    format!("{public_url}{CLIENT_DOCUMENT}/{server}")
}

impl Upstream {
    fn account_settings(&self) -> Result<(&str, Option<&OauthParty>, &[String]), Problem> {
        match (&self.server.way, &self.server.shown) {
            (Way::Http { url, .. }, Shown::Account { client, scopes }) => {
                Ok((url, client.as_ref(), scopes))
            }
            _ => Err(Problem::new(
                "it is shown nothing of its callers: only a tool server that was added with --accounts takes an account",
            )),
        }
    }

    /// Where somebody goes to let the gateway use their account.
    pub async fn begin_account(&self, user: UserId) -> Result<String, Problem> {
        let (url, party, scopes) = self.account_settings()?;
        self.ask_who_lets_in(url).await;
        let found = self.found(party).await?;
        let issuer = &found.issuer;
        // SECURITY: without PKCE, whoever comes by a code could use it (MCP, «Authorization Code Protection»).
        if !issuer.code_challenge_methods_supported.iter().any(|method| method == "S256") {
            return Err(Problem::new(format!("{} does not say that it takes PKCE", issuer.issuer)));
        }
        let none = || Problem::new(format!("{} sends nobody anywhere", issuer.issuer));
        let endpoint = issuer.authorization_endpoint.as_deref().ok_or_else(none)?;
        let mut way =
            self.outbound.check(endpoint).map_err(|error| Problem::new(error.to_string()))?;
        let client = self.own_client(party, &found).await?;
        let rng = &*self.parts.rng;
        let attempt = Attempt {
            server: self.server.id.uuid(),
            user: user.uuid(),
            until: self.parts.clock.now().as_micros() + ATTEMPT_SECONDS * 1_000_000,
            verifier: random_text(rng),
            issuer: issuer.issuer.clone(),
            names_itself: issuer.authorization_response_iss_parameter_supported,
            endpoint: issuer.token_endpoint.clone(),
            resource: found.resource.clone(),
            url: url.to_owned(),
            told: party.is_some(),
            client,
        };
        let challenge = BASE64URL_NOPAD.encode(&sha256(&[attempt.verifier.as_bytes()]));
        let plain =
            serde_json::to_vec(&attempt).map_err(|error| Problem::new(error.to_string()))?;
        let sealed = self.parts.sealer.seal(PURPOSE, &plain, rng);
        let sealed = sealed.map_err(|error| Problem::new(error.to_string()))?;
        let mut scopes = self.scopes(scopes, &found);
        let offline = "offline_access".to_owned();
        if issuer.scopes_supported.contains(&offline) && !scopes.contains(&offline) {
            scopes.push(offline);
        }
        let mut pairs = way.query_pairs_mut();
        pairs
            .append_pair("response_type", "code")
            .append_pair("client_id", &attempt.client.id)
            .append_pair("redirect_uri", &self.redirect_uri())
            .append_pair("state", &BASE64URL_NOPAD.encode(&sealed))
            .append_pair("code_challenge", &challenge)
            .append_pair("code_challenge_method", "S256")
            .append_pair("resource", &found.resource);
        if !scopes.is_empty() {
            pairs.append_pair("scope", &scopes.join(" "));
        }
        drop(pairs);
        Ok(way.into())
    }

    /// Takes what came back, and keeps the account.
    pub(crate) async fn finish_account(
        &self,
        attempt: Attempt,
        answer: AccountAnswer,
        audit: AuditDraft,
    ) -> Result<(), Failure> {
        let refused = |why: &str| Failure::from(Problem::new(why));
        if answer.server != self.server.name {
            return Err(refused("the answer came to another tool server's address: begin anew"));
        }
        // RFC 9207: against an answer of one issuer that is taken for another's.
        let same = |iss: &String| *iss == attempt.issuer;
        if answer.iss.as_ref().map_or(attempt.names_itself, |iss| !same(iss)) {
            return Err(refused("the answer is of another authorization server: begin anew"));
        }
        // SECURITY: whoever changed the server since, a code and a secret go only to whom it names now.
        if !self.is_still(&attempt.url, attempt.told, &attempt.issuer, &attempt.client) {
            return Err(refused("the tool server was changed since: begin anew"));
        }
        if answer.error.as_deref() == Some("invalid_scope") {
            self.authorization.ask_for_less();
        }
        if answer.error.is_some() {
            // What it says is whatever somebody put into an address.
            return Err(refused(
                "the authorization server did not let the gateway use your account",
            ));
        }
        if answer.code.is_empty() || answer.code.len() > TEXT_BYTES_MAX {
            return Err(refused("the answer has no code: begin anew"));
        }
        let mut client = attempt.client.clone();
        if let Some(name) = self.named_secret() {
            client.secret = Some(self.secret(name).await?);
        }
        let redirect_uri = self.redirect_uri();
        let form = [
            ("grant_type", "authorization_code"),
            ("code", answer.code.as_str()),
            ("redirect_uri", redirect_uri.as_str()),
            ("code_verifier", attempt.verifier.as_str()),
            ("resource", attempt.resource.as_str()),
        ];
        let now = self.parts.clock.now();
        let token = client.ask(&self.outbound, &attempt.endpoint, &form, now).await?;
        let user = UserId::from_uuid(attempt.user);
        let scopes = token.scopes.clone();
        let kept = Kept {
            token,
            client: attempt.client,
            told: attempt.told,
            endpoint: attempt.endpoint,
            resource: attempt.resource,
            url: attempt.url,
        };
        let account = ToolAccount {
            id: ToolAccountId::new(now, &*self.parts.rng),
            server: self.server.id,
            user,
            issuer: attempt.issuer,
            scopes,
            sealed: self.seal(user, &kept).await?,
            version: 1,
            connected_at: now,
        };
        let audit = audit
            .on(&self.server.name)
            .detail("issuer", &account.issuer)
            .detail("scopes", account.scopes.join(" "));
        let write = Write::ToolAccount(ToolAccountWrite::Connect(Box::new(account)));
        let change = Change::recorded(audit).write(write);
        self.parts.ledger.commit(change).await.map_err(internal)
    }

    /// The client that the gateway is there. Where people told none, it introduces itself.
    async fn own_client(
        &self,
        party: Option<&OauthParty>,
        found: &Found,
    ) -> Result<OwnClient, Problem> {
        let issuer = &found.issuer;
        if let Some(party) = party {
            // The secret is added when it is needed, as it is then.
            return Ok(OwnClient::known(&party.id, None, issuer));
        }
        let public = &self.parts.public_url;
        if issuer.client_id_metadata_document_supported && public.starts_with("https://") {
            return Ok(OwnClient::known(&document_url(public, &self.server.name), None, issuer));
        }
        let Some(endpoint) = &issuer.registration_endpoint else {
            return Err(Problem::new(format!(
                "{} takes only clients that it knows: register Wardroom there with {} to come back to, and tell the tool server the client's id",
                issuer.issuer,
                self.redirect_uri()
            )));
        };
        let about = client_document(public, &self.server.name);
        let made = OwnClient::register(&self.outbound, endpoint, issuer, about).await;
        made.map_err(|problem| match issuer.guessed {
            false => problem,
            true => Problem::new(format!(
                "{} does not say who gives tokens for it, and takes no clients itself ({problem}). If it takes no accounts, register it without; otherwise tell its issuer and the gateway's client there",
                self.server.name
            )),
        })
    }

    /// Asks the server for nothing in particular, to be told who lets in.
    async fn ask_who_lets_in(&self, url: &str) {
        let endpoint = Endpoint::Http(self.http(url, HeaderMap::new(), String::new()));
        let ask = Ask { method: "server/discover".to_owned(), ..Ask::default() };
        let (id, quiet) = (self.id(), Listening::quiet());
        let asking = modern::ask(&endpoint, &id, &ask, &quiet);
        if let Ok(Err(Failure::Denied(denial))) = tokio::time::timeout(ASK_TIME, asking).await {
            self.authorization.heed(&denial);
        }
        // Who gives tokens may be another than before.
        *self.authorization.found.lock().await = None;
    }

    fn redirect_uri(&self) -> String {
        format!("{}{CALLBACK}/{}", self.parts.public_url, self.server.name)
    }
}
