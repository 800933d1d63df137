//! Programs that nobody registered: each says itself what it is, in a document at the address by which it names itself
//! (OAuth Client ID Metadata Document, draft 00).

use super::metadata::MCP_SCOPES;
use crate::{App, context::Ctx, error::ApiError};
use reqwest::{Method, header::ACCEPT};
use serde::Deserialize;
use url::Url;
use wardroom_core::{
    OauthClientId, Timestamp, UserId,
    oauth::{OauthClient, is_loopback, scopes},
};
use wardroom_wire::error::ErrorCode;

/// The longest address of a document, in bytes.
const ADDRESS_BYTES_MAX: usize = 500;
/// The longest document, in bytes. The draft asks for no more than 5 KiB (§6.6).
const DOCUMENT_BYTES_MAX: usize = 16 * 1024;

/// Whose documents are believed: nobody's, unless settings name them.
#[derive(Debug, Clone, Default)]
pub struct ClientDocuments {
    /// Origins, of which every document is believed, and single documents.
    places: Vec<String>,
}

/// As which program it is kept here, by whom and since when.
type Entry = (OauthClientId, UserId, Timestamp);

/// What a program says of itself.
#[derive(Deserialize)]
struct Document {
    client_id: String,
    client_name: Option<String>,
    #[serde(default)]
    redirect_uris: Vec<String>,
    token_endpoint_auth_method: Option<String>,
    client_secret: Option<serde::de::IgnoredAny>,
}

impl ClientDocuments {
    /// These are believed: origins such as `https://editor.example`, or addresses of single documents.
    pub fn new(places: Vec<String>) -> Result<Self, String> {
        let sound = |place: &String| is_address(place) || origin_of(place).as_ref() == Some(place);
        match places.iter().find(|place| !sound(place)) {
            None => Ok(Self { places }),
            Some(wrong) => Err(format!(
                "{wrong:?} is neither an origin such as https://editor.example nor the address of a document there"
            )),
        }
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
    /// The program that names itself so, as far as it is known here.
    pub(super) async fn known_client(&self, named: &str) -> Result<Option<OauthClient>, ApiError> {
        let store = self.engine.store();
        Ok(match named.parse() {
            // SECURITY: one that has a document is known by that alone: it may say something else now.
            Ok(id) => store.lookup_oauth_client(id).await?.filter(|known| known.document.is_none()),
            Err(_) if self.client_documents.believes(named) => {
                store.lookup_document_client(named).await?
            }
            Err(_) => None,
        })
    }

    /// The program that names itself so, as it puts itself to the caller: its document, where it is believed, is read
    /// anew each time. SECURITY: nobody who is not signed in makes this server ask anything outside.
    pub(super) async fn client_before(
        &self,
        ctx: &Ctx,
        named: &str,
    ) -> Result<Option<OauthClient>, ApiError> {
        let known = self.known_client(named).await?;
        if !self.client_documents.believes(named) {
            return Ok(known);
        }
        let (now, rng) = (ctx.now(), self.engine.rng());
        let entry = match known {
            Some(known) => (known.id, known.created_by, known.created_at),
            None => (OauthClientId::new(now, rng), ctx.account().id, now),
        };
        let read = self.document(named).await.and_then(|document| read(named, &document, entry));
        read.map(Some).map_err(|why| {
            let said = format!("What {named} says of itself can't be believed: {why}. Nothing was granted: tell the program's makers.");
            ApiError::say(ErrorCode::BadRequest, said)
        })
    }

    async fn document(&self, address: &str) -> Result<Vec<u8>, String> {
        let request = self.outbound.request(Method::GET, address);
        let request = request.map_err(|error| error.to_string())?;
        let sent = self.outbound.send(request.header(ACCEPT, "application/json")).await;
        sent.map(|(_, body)| body).map_err(|error| error.to_string())
    }
}

/// The program that a document speaks of, or why not.
fn read(address: &str, body: &[u8], entry: Entry) -> Result<OauthClient, String> {
    if body.len() > DOCUMENT_BYTES_MAX {
        return Err(format!("it is longer than {DOCUMENT_BYTES_MAX} bytes"));
    }
    let said: Document =
        serde_json::from_slice(body).map_err(|error| format!("it is no such document: {error}"))?;
    // SECURITY: a copy of another program's document would speak in that one's name (§4.1).
    if said.client_id != address {
        return Err("its client_id is not its own address".to_owned());
    }
    // SECURITY: what stands there for everybody to read proves nothing.
    if said.client_secret.is_some() {
        return Err("it has a client_secret in it".to_owned());
    }
    if let Some(method) = said.token_endpoint_auth_method.filter(|method| method != "none") {
        return Err(format!(
            "its token_endpoint_auth_method is {method:?}, and a program with a document keeps no secret here: it must be none"
        ));
    }
    let host = Url::parse(address).ok().and_then(|url| url.host_str().map(str::to_owned));
    let (id, created_by, created_at) = entry;
    let client = OauthClient {
        id,
        document: Some(address.to_owned()),
        name: said.client_name.or(host).unwrap_or_default().trim().to_owned(),
        secret_hash: None,
        redirect_uris: said.redirect_uris,
        // Whom nobody looked at asks for tools and nothing else.
        scopes: scopes(MCP_SCOPES).map_err(|error| error.to_string())?,
        acts_as: None,
        created_by,
        created_at,
    };
    client.check().map_err(|error| format!("its {} {}", error.field, error.reason))?;
    Ok(client)
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

    fn said(address: &str, body: &[u8]) -> Result<OauthClient, String> {
        let nobody = uuid::Uuid::nil();
        let entry = (
            OauthClientId::from_uuid(nobody),
            UserId::from_uuid(nobody),
            Timestamp::from_micros(0),
        );
        read(address, body, entry)
    }

    #[test]
    fn a_document_speaks_for_itself_alone_and_holds_no_secret() {
        let address = "https://editor.example/client.json";
        let with = |more: &str| {
            let text = format!(
                r#"{{"client_id":"{address}","client_name":"Editor","redirect_uris":["http://127.0.0.1/cb"]{more}}}"#
            );
            said(address, text.as_bytes())
        };
        let client = with(r#","token_endpoint_auth_method":"none","logo_uri":"x""#).unwrap();
        assert_eq!((client.name.as_str(), client.scopes.len()), ("Editor", MCP_SCOPES.len()));
        for (more, why) in [
            (r#","client_secret":"x""#, "client_secret"),
            (r#","token_endpoint_auth_method":"client_secret_basic""#, "must be none"),
            (r#","redirect_uris":[]"#, "no such document"),
        ] {
            let wrong = with(more).unwrap_err();
            assert!(wrong.contains(why), "{wrong}");
        }
        let other = said("https://editor.example/other.json", br#"{"client_id":"https://editor.example/client.json","redirect_uris":["https://editor.example/cb"]}"#);
        assert!(other.unwrap_err().contains("its own address"));
        let nameless = said(address, br#"{"client_id":"https://editor.example/client.json","redirect_uris":["https://editor.example/cb"]}"#);
        assert_eq!(nameless.unwrap().name, "editor.example");
        let wrong = said(address, br#"{"client_id":"https://editor.example/client.json","redirect_uris":["javascript:alert(1)"]}"#);
        assert!(wrong.unwrap_err().contains("redirect_uris"));
        assert!(said(address, b"[]").is_err() && said(address, b"\xff").is_err());
        assert!(said(address, &[b' '; DOCUMENT_BYTES_MAX + 1]).unwrap_err().contains("longer"));
    }
}
