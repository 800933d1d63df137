//! Who gives tokens for a tool server: its own metadata (RFC 9728) and those of its authorization server (RFC 8414,
//! OpenID Connect Discovery 1.0 §4).

use super::{Denial, Problem};
use crate::outbound::{Outbound, OutboundError};
use reqwest::Url;
use serde::{Deserialize, de::DeserializeOwned};

const RESOURCE: &str = "/.well-known/oauth-protected-resource";
const SERVER: &str = "/.well-known/oauth-authorization-server";
const OPENID: &str = "/.well-known/openid-configuration";

/// A tool server, in its own words.
#[derive(Debug, Deserialize)]
struct Resource {
    resource: String,
    #[serde(default)]
    authorization_servers: Vec<String>,
    #[serde(default)]
    scopes_supported: Vec<String>,
}

/// An authorization server, in its own words.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Issuer {
    pub(super) issuer: String,
    pub(super) authorization_endpoint: Option<String>,
    pub(super) token_endpoint: String,
    pub(super) registration_endpoint: Option<String>,
    #[serde(default)]
    pub(super) token_endpoint_auth_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    pub(super) code_challenge_methods_supported: Vec<String>,
    #[serde(default)]
    pub(super) authorization_response_iss_parameter_supported: bool,
    #[serde(default)]
    pub(super) client_id_metadata_document_supported: bool,
    #[serde(default)]
    pub(super) scopes_supported: Vec<String>,
    /// Whether nobody said so: it is where a server of revision 2025-03-26 has it.
    #[serde(skip)]
    pub(super) guessed: bool,
}

/// Who gives tokens for a tool server, and what for.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) issuer: Issuer,
    /// What the token is asked for (RFC 8707).
    pub(super) resource: String,
    /// The scopes that the tool server names.
    pub(super) scopes: Vec<String>,
}

impl Found {
    /// Finds out who gives tokens for `url`, which refused with `denial`. Where an issuer is told, no other will do.
    pub(super) async fn look(
        outbound: &Outbound,
        url: &str,
        denial: &Denial,
        told: Option<&str>,
    ) -> Result<Self, Problem> {
        let url = outbound.check(url).map_err(|error| Problem::new(error.to_string()))?;
        let resource = resource(outbound, &url, denial).await?;
        let named = resource.as_ref().and_then(|own| own.authorization_servers.first());
        let issuer = match (told, named) {
            (Some(told), _) => issuer(outbound, told).await?,
            (None, Some(named)) => issuer(outbound, named).await?,
            // Revision 2025-03-26: the tool server is its own authorization server.
            (None, None) => {
                let own = origin(&url);
                said(outbound, &own).await?.unwrap_or_else(|| Issuer::by_default(&own))
            }
        };
        let scopes = match (denial.scopes.as_slice(), &resource) {
            ([], Some(own)) => own.scopes_supported.clone(),
            (wanted, _) => wanted.to_vec(),
        };
        let resource = resource.map_or_else(|| url.to_string(), |own| own.resource);
        Ok(Self { issuer, resource, scopes })
    }
}

impl Issuer {
    /// Where one that says nothing of itself answers (MCP 2025-03-26, «Fallbacks for Servers without Metadata
    /// Discovery»).
    fn by_default(origin: &str) -> Self {
        Self {
            issuer: origin.to_owned(),
            authorization_endpoint: Some(format!("{origin}/authorize")),
            token_endpoint: format!("{origin}/token"),
            registration_endpoint: Some(format!("{origin}/register")),
            token_endpoint_auth_methods_supported: None,
            code_challenge_methods_supported: vec!["S256".to_owned()],
            authorization_response_iss_parameter_supported: false,
            client_id_metadata_document_supported: false,
            scopes_supported: vec![],
            guessed: true,
        }
    }
}

/// What a tool server says of itself; nothing where it says nothing.
async fn resource(
    outbound: &Outbound,
    url: &Url,
    denial: &Denial,
) -> Result<Option<Resource>, Problem> {
    let origin = origin(url);
    let path = url.path().trim_end_matches('/');
    let guessed = [format!("{origin}{RESOURCE}{path}"), format!("{origin}{RESOURCE}")];
    let places = denial.metadata.iter().cloned().chain(guessed);
    for place in places {
        let Some(found) = get::<Resource>(outbound, &place).await? else { continue };
        // SECURITY: a token for another server than the one that is talked to would be handed to the wrong one
        // (RFC 9728 §3.3).
        if !covers(&found.resource, url) {
            let why = format!("it calls itself {:?}, which is another server", found.resource);
            return Err(Problem::new(why));
        }
        return Ok(Some(found));
    }
    Ok(None)
}

/// What an authorization server says of itself.
async fn issuer(outbound: &Outbound, named: &str) -> Result<Issuer, Problem> {
    let silent =
        || Problem::new(format!("the authorization server {named} says nothing of itself"));
    said(outbound, named).await?.ok_or_else(silent)
}

/// The same; nothing where it says nothing.
async fn said(outbound: &Outbound, named: &str) -> Result<Option<Issuer>, Problem> {
    let url = outbound.check(named).map_err(|error| Problem::new(error.to_string()))?;
    let origin = origin(&url);
    let places = match url.path().trim_end_matches('/') {
        "" => vec![format!("{origin}{SERVER}"), format!("{origin}{OPENID}")],
        path => vec![
            format!("{origin}{SERVER}{path}"),
            format!("{origin}{OPENID}{path}"),
            format!("{origin}{path}{OPENID}"),
        ],
    };
    for place in places {
        let Some(found) = get::<Issuer>(outbound, &place).await? else { continue };
        // SECURITY: RFC 8414 §3.3, else another issuer's metadata would do.
        if found.issuer.trim_end_matches('/') != named.trim_end_matches('/') {
            let why = format!("the metadata at {place} are of {:?}", found.issuer);
            return Err(Problem::new(why));
        }
        return Ok(Some(found));
    }
    Ok(None)
}

/// A document; nothing where there is none.
async fn get<T: DeserializeOwned>(outbound: &Outbound, url: &str) -> Result<Option<T>, Problem> {
    let failed = |why: String| Problem::new(format!("{url}: {why}"));
    match outbound.get(url).await {
        Ok((_, body)) => {
            let found = serde_json::from_slice(&body);
            found.map(Some).map_err(|_| failed("no metadata are there".to_owned()))
        }
        Err(OutboundError::Status(400..=499, _)) => Ok(None),
        Err(error) => Err(failed(error.to_string())),
    }
}

fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

/// Whether what a server calls itself is what is asked at `url`: the same origin, and a path that leads there.
fn covers(resource: &str, url: &Url) -> bool {
    let Ok(resource) = Url::parse(resource) else { return false };
    let own = resource.path().trim_end_matches('/');
    resource.origin() == url.origin()
        && resource.query().is_none()
        && url.path().strip_prefix(own).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_server_speaks_for_itself_and_for_no_other() {
        let url = Url::parse("https://tools.example/a/mcp").unwrap();
        for (resource, covered) in [
            ("https://tools.example/a/mcp", true),
            ("https://tools.example/a/mcp/", true),
            ("https://tools.example/a", true),
            ("https://tools.example", true),
            ("https://tools.example:443/", true),
            ("https://tools.example/a/m", false),
            ("https://tools.example/b", false),
            ("https://tools.example/a/mcp/more", false),
            ("http://tools.example/a/mcp", false),
            ("https://other.example/a/mcp", false),
            ("tools.example", false),
        ] {
            assert_eq!(covers(resource, &url), covered, "{resource}");
        }
    }
}
