//! Programs that nobody registered: each says itself what it is, in a document at the address by which it names itself
//! (OAuth Client ID Metadata Document, draft 00).

use super::metadata::MCP_SCOPES;
use crate::{App, OutboundError, context::Ctx, error::ApiError};
use reqwest::header::CONTENT_TYPE;
use serde::{Deserialize, de::IgnoredAny};
use url::Url;
use wardroom_core::{
    OauthClientId,
    oauth::{OauthClient, is_loopback, scopes},
};
use wardroom_wire::error::ErrorCode;

/// The longest address of a document, in bytes.
const ADDRESS_BYTES_MAX: usize = 500;
/// The longest document, in bytes: the draft asks for no more than 5 KiB (§6.6), and some name many addresses.
const DOCUMENT_BYTES_MAX: usize = 16 * 1024;
/// What is repeated of it where it is wrong, in characters.
const QUOTED_CHARS_MAX: usize = 160;
const JSON: &str = "application/json";

/// Whose documents are believed: nobody's, unless settings name them.
#[derive(Debug, Clone, Default)]
pub struct ClientDocuments {
    /// Origins, of which every document is believed, and single documents.
    places: Vec<String>,
}

/// Why a document counts for nothing.
#[derive(Debug, thiserror::Error)]
enum DocumentError {
    /// It could not be read.
    #[error("can't be read now: try again later")]
    Unread(#[from] OutboundError),
    /// It does not say what it should.
    #[error("can't be believed: {0}; tell its makers")]
    Untrue(&'static str),
}

/// What is no place of documents.
#[derive(Debug, thiserror::Error)]
#[error(
    "{0:?} is neither an origin such as https://editor.example nor the address of a document there"
)]
pub struct ClientDocumentsError(String);

/// What a program says of itself.
#[derive(Deserialize)]
struct Document {
    client_id: String,
    client_name: Option<String>,
    #[serde(default)]
    redirect_uris: Vec<String>,
    token_endpoint_auth_method: Option<String>,
    client_secret: Option<IgnoredAny>,
    client_secret_expires_at: Option<IgnoredAny>,
}

impl ClientDocuments {
    /// These are believed: origins such as `https://editor.example`, or addresses of single documents.
    pub fn new(places: Vec<String>) -> Result<Self, ClientDocumentsError> {
        let sound = |place: &String| is_address(place) || origin_of(place).as_ref() == Some(place);
        match places.iter().find(|place| !sound(place)) {
            None => Ok(Self { places }),
            Some(wrong) => Err(ClientDocumentsError(wrong.clone())),
        }
    }

    /// The places.
    pub fn places(&self) -> &[String] {
        &self.places
    }

    /// Whether nobody is believed.
    pub(crate) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Whether a program that names itself so is believed what it says there.
    pub(crate) fn believes(&self, named: &str) -> bool {
        let origin = origin_of(named);
        is_address(named)
            && self.places.iter().any(|place| place == named || origin.as_ref() == Some(place))
    }
}

/// Whether `text` can be a document's address, in its one spelling (§3).
fn is_address(text: &str) -> bool {
    let Ok(url) = Url::parse(text) else { return false };
    text.len() <= ADDRESS_BYTES_MAX
        && url.as_str() == text
        && origin_of(text).is_some()
        && url.path() != "/"
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none()
}

/// Where it is: at a place that proves which one it is, or on the same machine.
fn origin_of(text: &str) -> Option<String> {
    let url = Url::parse(text).ok()?;
    let known = url.scheme() == "https" || (url.scheme() == "http" && is_loopback(&url));
    known.then(|| url.origin().ascii_serialization())
}

impl App {
    /// The program that names itself so, as it puts itself to the caller: its document, where it is believed, is read
    /// anew each time. SECURITY: nobody who is not signed in makes this server ask anything outside.
    pub(super) async fn asking_client(
        &self,
        ctx: &Ctx,
        named: &str,
    ) -> Result<Option<OauthClient>, ApiError> {
        let known = self.known_client(named).await?;
        if !self.client_documents.believes(named) {
            return Ok(known.filter(|known| known.document.is_none()));
        }
        let said = self.document(named).await.map_err(|error| {
            tracing::warn!(document = named, %error, "a program's document came to nothing");
            let what = format!("{named} {error}. Nothing was granted.");
            ApiError::say(ErrorCode::BadRequest, what)
        })?;
        let (now, rng) = (ctx.now(), self.engine.rng());
        let (id, created_by, created_at) = match known {
            Some(known) => (known.id, known.created_by, known.created_at),
            None => (OauthClientId::new(now, rng), ctx.account().id, now),
        };
        let client = OauthClient {
            id,
            document: Some(named.to_owned()),
            name: said.name(named),
            secret_hash: None,
            redirect_uris: said.redirect_uris,
            // Whom nobody looked at asks for tools and nothing else.
            scopes: scopes(MCP_SCOPES).map_err(ApiError::internal)?,
            acts_as: None,
            created_by,
            created_at,
        };
        client.check().map(|()| Some(client)).map_err(|error| {
            let reason: String = error.reason.chars().take(QUOTED_CHARS_MAX).collect();
            let what = format!(
                "{named} can't be believed: its {} {reason}. Nothing was granted: tell its makers.",
                error.field
            );
            ApiError::say(ErrorCode::BadRequest, what)
        })
    }

    async fn document(&self, address: &str) -> Result<Document, DocumentError> {
        let (headers, body) = self.outbound.get(address).await?;
        let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let kind = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default().trim();
        // SECURITY: what somebody uploaded to a believed site is served as something else.
        if kind != JSON && !(kind.starts_with("application/") && kind.ends_with("+json")) {
            return Err(DocumentError::Untrue("it is not served as JSON"));
        }
        Document::read(address, &body)
    }
}

impl Document {
    fn read(address: &str, body: &[u8]) -> Result<Self, DocumentError> {
        if body.len() > DOCUMENT_BYTES_MAX {
            return Err(DocumentError::Untrue("it is too long"));
        }
        // What else it says is for others: the draft has members that are not read here.
        let said: Self = serde_json::from_slice(body)
            .map_err(|_| DocumentError::Untrue("there is no such document"))?;
        // SECURITY: a copy of another program's document would speak in that one's name (§4.1).
        if said.client_id != address {
            return Err(DocumentError::Untrue("its client_id is not its own address"));
        }
        // SECURITY: what stands there for everybody to read proves nothing.
        if said.client_secret.is_some() || said.client_secret_expires_at.is_some() {
            return Err(DocumentError::Untrue("it has a client_secret in it"));
        }
        if said.token_endpoint_auth_method.as_ref().is_some_and(|method| method != "none") {
            let why = "its token_endpoint_auth_method must be none: a program with a document keeps no secret here";
            return Err(DocumentError::Untrue(why));
        }
        Ok(said)
    }

    /// What it is called; where it is, if it does not say.
    fn name(&self, address: &str) -> String {
        let host = || Url::parse(address).ok().and_then(|url| url.host_str().map(str::to_owned));
        self.client_name.clone().or_else(host).unwrap_or_default().trim().to_owned()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn only_documents_that_settings_name_are_believed_in_their_one_spelling() {
        let places = ["https://editor.example", "https://many.example/ann/client.json"];
        let documents = ClientDocuments::new(places.map(str::to_owned).to_vec()).unwrap();
        for believed in [
            "https://editor.example/client.json",
            "https://editor.example/a/b",
            "https://many.example/ann/client.json",
        ] {
            assert!(documents.believes(believed), "{believed}");
        }
        for other in [
            "https://many.example/eve/client.json",
            "https://many.example/ann/client.json?x",
            "https://editor.example",
            "https://editor.example/",
            "https://editor.example:8443/client.json",
            "https://editor.example:443/client.json",
            "https://EDITOR.example/client.json",
            "https://editor.example/a/../client.json",
            "https://editor.example/%2e%2e/client.json",
            "https://editor.example/client.json#x",
            "https://editor.example/client.json?x",
            "https://ann@editor.example/client.json",
            "https://editor.example.evil.example/client.json",
            "http://editor.example/client.json",
            "client_1",
            "",
        ] {
            assert!(!documents.believes(other), "{other}");
        }
        assert!(!ClientDocuments::default().believes("https://editor.example/client.json"));
        for wrong in ["*", "editor.example", "http://editor.example", "https://a.example/?x"] {
            assert!(ClientDocuments::new(vec![wrong.to_owned()]).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_document_speaks_for_itself_alone_and_holds_no_secret() {
        let address = "https://editor.example/client.json";
        let sound = serde_json::json!({"client_id": address, "client_name": "Editor", "redirect_uris": ["http://127.0.0.1/cb"]});
        let with = |name: &str, value: serde_json::Value| {
            let mut said = sound.clone();
            if let Some(members) = said.as_object_mut() {
                members.insert(name.to_owned(), value);
            }
            Document::read(address, said.to_string().as_bytes())
        };
        assert_eq!(with("logo_uri", "x".into()).unwrap().name(address), "Editor");
        assert_eq!(
            with("token_endpoint_auth_method", "none".into()).unwrap().redirect_uris.len(),
            1
        );
        for (name, value, why) in [
            ("client_id", "https://editor.example/other.json", "its own address"),
            ("client_secret", "x", "client_secret"),
            ("client_secret_expires_at", "0", "client_secret"),
            ("token_endpoint_auth_method", "client_secret_basic", "must be none"),
            ("redirect_uris", "https://editor.example/", "no such document"),
        ] {
            let wrong = with(name, value.into()).err().unwrap().to_string();
            assert!(wrong.contains(why), "{wrong}");
        }
        let nameless =
            Document::read(address, format!(r#"{{"client_id":"{address}"}}"#).as_bytes());
        assert_eq!(nameless.unwrap().name(address), "editor.example");
        for wrong in [&b"[]"[..], b"\xff", &[b' '; DOCUMENT_BYTES_MAX + 1]] {
            assert!(Document::read(address, wrong).is_err());
        }
    }
}
