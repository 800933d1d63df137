//! Requests to the outside, at addresses that settings or people name. No request reaches what is not public unless
//! the settings allow it, whatever a name resolves to.

mod breaker;
mod egress;
mod reach;
mod sse;
mod streamed;
mod token_request;

pub use breaker::{Admitted, Breaker, BreakerRules, BreakerState};
pub use egress::Egress;
pub use reach::Reach;
pub use sse::{SseEvent, SseReader, TooLong};
pub use streamed::Streamed;
pub use token_request::{ClientProof, takes_basic};

use egress::Leave;
use reqwest::{
    Client, Method, RequestBuilder, Url, dns,
    header::{ACCEPT, HeaderMap},
    redirect::Policy,
};
use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};
use wardroom_core::causes::chain;

/// The longest answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 512 * 1024;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a connection to a tool server is kept for the next request, and how many to one of them.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
const IDLE_MAX: usize = 64;

/// Why a request to the outside came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum OutboundError {
    /// The address is not one that may be asked.
    #[error("{0}")]
    Refused(String),
    /// It did not come through.
    #[error("{0}")]
    Failed(String),
    /// It was sent, and nobody knows what came of it.
    #[error("{0}")]
    BrokeOff(String),
    /// It was answered with an error.
    #[error("it was answered with {0}")]
    Status(u16, Vec<u8>),
}

/// Asks the outside.
#[derive(Clone)]
pub struct Outbound {
    client: Client,
    /// For conversations: answers that take their time, connections that are kept.
    lasting: Client,
    /// For what is public alone.
    public: Client,
    reach: Reach,
    /// The hosts that may be asked, where it is for one tool server.
    egress: Option<Egress>,
}

/// Resolves names and drops what may not be reached. SECURITY: the connection is made to what was checked; there
/// is no second look-up that could come out differently.
struct Guard(Reach);

impl dns::Resolve for Guard {
    fn resolve(&self, name: dns::Name) -> dns::Resolving {
        let reach = self.0.clone();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let open: Vec<SocketAddr> = found.filter(|found| reach.allows(found.ip())).collect();
            if open.is_empty() {
                let why = format!("{} has no address that may be reached", name.as_str());
                return Err(why.into());
            }
            Ok(Box::new(open.into_iter()) as dns::Addrs)
        })
    }
}

impl Outbound {
    /// `authorities` are trusted beside the machine's own, PEM.
    pub fn new(reach: Reach, authorities: Option<&[u8]>) -> Result<Self, OutboundError> {
        let failed = |error: reqwest::Error| OutboundError::Failed(chain(&error));
        let bundle = authorities.map(reqwest::Certificate::from_pem_bundle).transpose();
        let bundle = bundle.map_err(failed)?.unwrap_or_default();
        let builder = |reach: &Reach| {
            Client::builder()
                .tls_backend_rustls()
                .tls_certs_merge(bundle.clone())
                // A redirect is an address that nobody checked.
                .redirect(Policy::none())
                // A proxy would resolve names itself, past the guard.
                .no_proxy()
                .dns_resolver(Guard(reach.clone()))
                .connect_timeout(CONNECT_TIMEOUT)
                .user_agent(concat!("wardroom/", env!("CARGO_PKG_VERSION")))
        };
        // A connection that is kept was checked by an older answer.
        let once =
            |reach| builder(reach).timeout(REQUEST_TIMEOUT).pool_max_idle_per_host(0).build();
        let lasting = builder(&reach)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(IDLE_MAX)
            .tcp_nodelay(true);
        let (client, public) = (once(&reach), once(&Reach::default()));
        let (client, public) = (client.map_err(failed)?, public.map_err(failed)?);
        Ok(Self { client, lasting: lasting.build().map_err(failed)?, public, reach, egress: None })
    }

    /// The same for one tool server.
    #[must_use]
    pub fn narrowed(&self, egress: Egress) -> Self {
        Self { egress: Some(egress), ..self.clone() }
    }

    /// What of the reach a host has.
    fn leave(&self, url: &Url) -> Leave {
        self.egress.as_ref().map_or(Leave::Settings, |egress| egress.leave(url))
    }

    /// A request of a conversation with a tool server, when its address may be asked. Whoever sends it bounds its time
    /// and the answer's length.
    pub fn conversation(&self, method: Method, url: &str) -> Result<RequestBuilder, OutboundError> {
        let url = self.check(url)?;
        match self.leave(&url) {
            Leave::Settings => Ok(self.lasting.request(method, url)),
            _ => Err(OutboundError::Refused("it is not the tool server's own host".to_owned())),
        }
    }

    /// A request, when its address may be asked. SECURITY: an address in place of a name never comes to the
    /// resolver, so it is checked here.
    pub fn request(&self, method: Method, url: &str) -> Result<RequestBuilder, OutboundError> {
        let url = self.check(url)?;
        let client = match self.leave(&url) {
            Leave::Settings => &self.client,
            Leave::Public | Leave::Nothing => &self.public,
        };
        Ok(client.request(method, url))
    }

    /// An address that may be asked: HTTPS, and plain HTTP only where settings let it reach what is not public.
    pub fn check(&self, url: &str) -> Result<Url, OutboundError> {
        let refused = |why: String| OutboundError::Refused(why);
        let parsed = Url::parse(url).map_err(|error| match url.contains("://") {
            true => refused(format!("{url:?}: {error}")),
            false => {
                refused(format!("{url:?} is no address such as https://tools.example.org/mcp"))
            }
        })?;
        let public = Reach::default();
        let reach = match self.leave(&parsed) {
            Leave::Settings => &self.reach,
            Leave::Public => &public,
            Leave::Nothing => {
                let host = parsed.host_str().unwrap_or_default();
                return Err(refused(format!(
                    "{host} is none of the hosts that this tool server may lead to: its egress names them"
                )));
            }
        };
        let host = parsed.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let literal = host.parse::<IpAddr>().ok();
        if parsed.has_authority() && (!parsed.username().is_empty() || parsed.password().is_some())
        {
            return Err(refused("a URL with a name or password in it is not asked".to_owned()));
        }
        // That name means this machine, whatever a resolver says (RFC 6761 §6.3); the guard sees to it.
        let here = (host == "localhost").then_some(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let near = literal.or(here).is_some_and(|ip| reach.names(ip));
        let plain = parsed.scheme() == "http" && near;
        if parsed.scheme() != "https" && !plain {
            return Err(refused(format!(
                "{url} is not https://: plain HTTP goes only to addresses that the setting outbound_allow names"
            )));
        }
        match literal {
            Some(address) if !reach.allows(address) => Err(refused(format!(
                "{address} is not public: outbound_allow names what else may be reached"
            ))),
            _ => Ok(parsed),
        }
    }

    /// Asks for a JSON document; its headers and body.
    pub async fn get(&self, url: &str) -> Result<(HeaderMap, Vec<u8>), OutboundError> {
        let request = self.request(Method::GET, url)?;
        self.send(request.header(ACCEPT, "application/json")).await
    }

    /// Sends a request and gives the answer's headers and body, when it is a success.
    pub async fn send(
        &self,
        request: RequestBuilder,
    ) -> Result<(HeaderMap, Vec<u8>), OutboundError> {
        let failed =
            |error: reqwest::Error| OutboundError::Failed(why_failed(&error.without_url()));
        let mut response = request.send().await.map_err(failed)?;
        let mut body = vec![];
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > ANSWER_BYTES_MAX {
                return Err(OutboundError::Failed("the answer is too long".to_owned()));
            }
            body.extend_from_slice(&chunk);
        }
        if response.status().is_success() {
            Ok((response.headers().clone(), body))
        } else {
            Err(OutboundError::Status(response.status().as_u16(), body))
        }
    }
}

/// Why a request failed, with what led to it.
pub fn why_failed(error: &reqwest::Error) -> String {
    let why = chain(error);
    // What rustls says of bytes that are no TLS record.
    if why.contains("InvalidContentType") {
        return "it does not speak TLS there: is it plain HTTP?".to_owned();
    }
    why
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use tokio::io::AsyncWriteExt as _;

    fn outbound(allowed: &[&str]) -> Outbound {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let allowed = allowed.iter().map(|net| net.parse().unwrap()).collect();
        Outbound::new(Reach::new(allowed), None).unwrap()
    }

    #[test]
    fn what_is_not_public_is_asked_in_no_spelling() {
        let strict = outbound(&[]);
        for url in [
            "https://127.0.0.1/x",
            "https://2130706433/x",
            "https://0x7f.1/x",
            "https://[::1]/x",
            "https://[::ffff:10.0.0.1]/",
            "https://169.254.169.254/latest/meta-data",
            "https://100.100.100.200/",
            "http://192.0.2.1/",
            "http://example.org/",
            "http://localhost/",
            "ftp://example.org/",
            "file:///etc/passwd",
            "https://ann:secret@example.org/",
            "nonsense",
        ] {
            assert!(matches!(strict.check(url), Err(OutboundError::Refused(_))), "{url}");
        }
        assert!(strict.check("https://example.org/hook").is_ok());
        assert!(strict.check("https://1.1.1.1/").is_ok());
    }

    #[test]
    fn settings_open_what_they_name_and_nothing_else() {
        let some = outbound(&["127.0.0.0/8"]);
        assert!(some.check("http://127.0.0.1:4001/hook").is_ok());
        assert!(some.check("https://127.0.0.1/hook").is_ok());
        assert!(some.check("http://localhost:4001/hook").is_ok());
        assert!(some.check("http://localhost.example.org/hook").is_err());
        assert!(some.check("https://10.0.0.1/hook").is_err());
        assert!(some.check("http://1.1.1.1/hook").is_err(), "plain HTTP goes nowhere else");
    }

    #[test]
    fn what_a_tool_server_names_is_public_or_was_named_for_it() {
        let some = outbound(&["127.0.0.0/8", "10.0.0.0/8"]);
        let urls = ["https://tools.example/mcp", "http://127.0.0.1:4001/mcp"];
        let free = some.narrowed(Egress::new(urls.into_iter(), &[]));
        for asked in [
            "https://tools.example/x",
            "http://127.0.0.1:9/x",
            "https://auth.example/",
            "https://1.1.1.1/",
        ] {
            assert!(free.check(asked).is_ok(), "{asked}");
        }
        for refused in ["https://10.0.0.1/", "http://localhost:4001/", "http://127.0.0.2/"] {
            assert!(free.check(refused).is_err(), "no person named {refused}");
        }
        let further = ["auth.example".to_owned(), "10.0.0.1".to_owned()];
        let bound = some.narrowed(Egress::new(urls.into_iter(), &further));
        for asked in ["https://tools.example/x", "https://auth.example/token", "https://10.0.0.1/"]
        {
            assert!(bound.check(asked).is_ok(), "{asked}");
        }
        for refused in
            ["https://other.example/", "https://1.1.1.1/", "https://auth.example.evil.example/"]
        {
            let said = bound.check(refused).unwrap_err().to_string();
            assert!(said.contains("egress"), "{said}");
        }
        assert!(bound.conversation(Method::POST, "https://tools.example/mcp").is_ok());
        assert!(free.conversation(Method::POST, "https://auth.example/mcp").is_err());
    }

    #[tokio::test]
    async fn plain_http_in_place_of_tls_is_said_in_words() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let serving = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        });
        let near = outbound(&["127.0.0.0/8"]);
        let refused = near.get(&format!("https://127.0.0.1:{port}/mcp")).await.unwrap_err();
        assert!(refused.to_string().contains("plain HTTP"), "{refused}");
        serving.await.unwrap();
        let bare = near.check("tools.example.org/mcp").unwrap_err().to_string();
        assert!(bare.contains("such as https://"), "{bare}");
    }

    #[tokio::test]
    async fn a_name_that_leads_inside_is_not_followed() {
        let strict = outbound(&[]);
        let request = strict.request(Method::GET, "https://localhost:1/").unwrap();
        let refused = strict.send(request).await.unwrap_err().to_string();
        assert!(refused.contains("no address that may be reached"), "{refused}");
    }
}
