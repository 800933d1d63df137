//! The REST API over HTTPS: bounded in time and size, with errors that say what to do.

use super::{Connection, Exit, Failure, credentials};
use crate::{offline::PrivateFile, output::Output};
use data_encoding::BASE64;
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode, header};
use secrecy::{ExposeSecret, SecretString};
use serde::{Serialize, de::DeserializeOwned};
use std::{
    error::Error as StdError,
    fmt::Write as _,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::Duration,
};
use wardroom_core::Rng as _;
use wardroom_trust::ambient::SystemRng;
use wardroom_wire::{
    api::List,
    error::{ErrorCode, Problem},
    identity::{RefreshRequest, SignedIn},
};

/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long sending a file may take.
const UPLOAD_TIMEOUT: Duration = Duration::from_secs(300);
/// How long an answer may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a stream may be silent; the orchestrator sends a comment four times as often.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a verification of the stored log may take.
pub(crate) const VERIFY_TIMEOUT: Duration = Duration::from_secs(1800);
/// The largest answer that is held in memory, in bytes.
const BODY_BYTES_MAX: usize = 64 * 1024 * 1024;
/// The largest error that is read, in bytes.
const PROBLEM_BYTES_MAX: usize = 64 * 1024;
/// The largest certificate file, in bytes.
const CA_BYTES_MAX: u64 = 1024 * 1024;
/// The most items of one page; the server's own bound.
pub(crate) const PAGE_ITEMS_MAX: u32 = 200;

/// A new key of a WebSocket's opening (RFC 6455 §4.1).
fn websocket_key() -> String {
    let mut random = [0; 16];
    SystemRng.fill(&mut random);
    BASE64.encode(&random)
}

/// The parameters of a list, as name and value.
pub(crate) type Query = Vec<(&'static str, String)>;

/// A client of one orchestrator.
pub(crate) struct Api {
    http: Client,
    server: String,
    token: Mutex<Option<SecretString>>,
    /// Where the session's tokens are kept, when they came from there.
    kept: Option<PathBuf>,
    own_ca: bool,
}

impl Api {
    /// Prepares a client; nothing is sent yet.
    pub(crate) fn new(connection: &Connection) -> Result<Self, Failure> {
        Self::build(connection, |builder| builder)
    }

    /// The same over HTTP/1.1, of which alone another protocol can be made.
    pub(crate) fn upgradable(connection: &Connection) -> Result<Self, Failure> {
        Self::build(connection, reqwest::ClientBuilder::http1_only)
    }

    fn build(
        connection: &Connection,
        further: impl FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder,
    ) -> Result<Self, Failure> {
        let own_ca = connection.ca.is_some();
        // `main` has chosen it; tests come here without.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let mut builder = Client::builder()
            .tls_backend_rustls()
            .tls_version_min(reqwest::tls::Version::TLS_1_3)
            .https_only(true)
            // SECURITY: the API redirects nowhere, and a token must not follow where somebody points.
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(SILENCE_TIMEOUT)
            .user_agent(concat!("wardroom/", env!("CARGO_PKG_VERSION")));
        if let Some(path) = &connection.ca {
            builder = builder.tls_certs_only(read_ca(path)?);
        }
        if is_loopback(&connection.server) {
            builder = builder.no_proxy();
        }
        let http = further(builder)
            .build()
            .map_err(|error| Failure::local(format!("TLS can't be set up: {}", chain(&error))))?;
        Ok(Self {
            http,
            server: connection.server.clone(),
            token: Mutex::new(connection.token.clone()),
            kept: connection.kept.clone(),
            own_ca,
        })
    }

    /// A client over plain HTTP, for tests against a server in the same process.
    #[cfg(test)]
    pub(crate) fn plain(server: &str) -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let http = Client::builder().no_proxy().build().unwrap_or_default();
        Self {
            http,
            server: server.to_owned(),
            token: Mutex::new(Some(SecretString::from("test-token"))),
            kept: None,
            own_ca: true,
        }
    }

    /// The orchestrator's address.
    pub(crate) fn server(&self) -> &str {
        &self.server
    }

    /// Reads something.
    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &Query,
    ) -> Result<T, Failure> {
        let request = self.request(Method::GET, &with_query(path, query)).timeout(ANSWER_TIMEOUT);
        decode(&self.bytes(request).await?)
    }

    /// Reads something with its entity tag.
    pub(crate) async fn get_tagged<T: DeserializeOwned>(
        &self,
        path: &str,
    ) -> Result<(T, String), Failure> {
        let response = self.send(self.request(Method::GET, path).timeout(ANSWER_TIMEOUT)).await?;
        let tag = response
            .headers()
            .get(header::ETAG)
            .and_then(|tag| tag.to_str().ok())
            .unwrap_or_default()
            .to_owned();
        Ok((decode(&self.read(response, BODY_BYTES_MAX).await?)?, tag))
    }

    /// Opens a WebSocket, whose frames are the caller's own affair.
    pub(crate) async fn upgrade(
        &self,
        path: &str,
        protocol: &'static str,
    ) -> Result<reqwest::Upgraded, Failure> {
        let request = self
            .request(Method::GET, path)
            .header(header::CONNECTION, "upgrade")
            .header(header::UPGRADE, "websocket")
            .header(header::SEC_WEBSOCKET_VERSION, "13")
            .header(header::SEC_WEBSOCKET_KEY, websocket_key())
            .header(header::SEC_WEBSOCKET_PROTOCOL, protocol);
        let response = self.send(request).await?;
        response.upgrade().await.map_err(|error| self.unreachable(&error))
    }

    /// Reads a text.
    pub(crate) async fn text(&self, path: &str) -> Result<String, Failure> {
        let bytes = self.bytes(self.request(Method::GET, path).timeout(ANSWER_TIMEOUT)).await?;
        String::from_utf8(bytes)
            .map_err(|_| Failure::local("the orchestrator's answer is not UTF-8"))
    }

    /// Opens a stream without an end in time.
    pub(crate) async fn stream(&self, path: &str) -> Result<Response, Failure> {
        self.send(self.request(Method::GET, path)).await
    }

    /// Saves an answer to a file that only its owner reads; an answer that breaks off leaves none.
    pub(crate) async fn save(
        &self,
        path: &str,
        out: &Path,
        output: &Output,
    ) -> Result<(), Failure> {
        let mut response = self.stream(path).await?;
        let mut target = PrivateFile::create(out)?;
        while let Some(chunk) = response.chunk().await.map_err(|error| self.unreachable(&error))? {
            target.write(&chunk)?;
        }
        target.keep()?;
        output.hint(&format!("saved as {}", out.display()));
        Ok(())
    }

    /// Sends a body and reads the answer.
    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, Failure> {
        let request = self.request(Method::POST, path).timeout(ANSWER_TIMEOUT).json(body);
        decode(&self.bytes(request).await?)
    }

    /// Sends a body under an idempotency key and reads the answer.
    pub(crate) async fn post_once<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
        key: &str,
    ) -> Result<T, Failure> {
        let key = header::HeaderValue::from_str(key).map_err(|_| {
            Failure::usage("an idempotency key is 1 to 128 visible ASCII characters")
        })?;
        let request =
            self.request(Method::POST, path).timeout(ANSWER_TIMEOUT).header("idempotency-key", key);
        decode(&self.bytes(request.json(body)).await?)
    }

    /// Asks for something that needs no body and reads the answer.
    pub(crate) async fn act<T: DeserializeOwned>(
        &self,
        path: &str,
        timeout: Option<Duration>,
    ) -> Result<T, Failure> {
        let request = self.request(Method::POST, path).timeout(timeout.unwrap_or(ANSWER_TIMEOUT));
        decode(&self.bytes(request).await?)
    }

    /// Sends a body; there is no answer but that it was done.
    pub(crate) async fn post_quietly(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<(), Failure> {
        self.bytes(self.request(Method::POST, path).timeout(ANSWER_TIMEOUT).json(body))
            .await
            .map(drop)
    }

    /// Changes the version of something that `tag` names.
    pub(crate) async fn patch<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
        tag: &str,
    ) -> Result<T, Failure> {
        let request =
            self.request(Method::PATCH, path).timeout(ANSWER_TIMEOUT).header(header::IF_MATCH, tag);
        decode(&self.bytes(request.json(body)).await?)
    }

    /// Puts something in the place of what is there.
    pub(crate) async fn put<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, Failure> {
        let request = self.request(Method::PUT, path).timeout(ANSWER_TIMEOUT).json(body);
        decode(&self.bytes(request).await?)
    }

    /// Removes something.
    pub(crate) async fn delete(&self, path: &str) -> Result<(), Failure> {
        self.bytes(self.request(Method::DELETE, path).timeout(ANSWER_TIMEOUT)).await.map(drop)
    }

    /// Sends a body that is no JSON and reads the answer.
    pub(crate) async fn send_bytes<T: DeserializeOwned>(
        &self,
        path: &str,
        kind: &'static str,
        body: Vec<u8>,
    ) -> Result<T, Failure> {
        let request = self.request(Method::POST, path).timeout(UPLOAD_TIMEOUT);
        let request = request.header(header::CONTENT_TYPE, kind).body(body);
        decode(&self.bytes(request).await?)
    }

    /// Reads up to `wanted` items of a list, over several pages where one does not hold them.
    pub(crate) async fn list<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &Query,
        wanted: u32,
        after: Option<String>,
    ) -> Result<List<T>, Failure> {
        let mut all = List { items: vec![], next: after };
        loop {
            let left = wanted.saturating_sub(u32::try_from(all.items.len()).unwrap_or(u32::MAX));
            let mut query = query.clone();
            query.push(("limit", left.clamp(1, PAGE_ITEMS_MAX).to_string()));
            query.extend(all.next.take().map(|after| ("after", after)));
            let page: List<T> = self.get(path, &query).await?;
            all.items.extend(page.items);
            all.next = page.next;
            if all.next.is_none() || all.items.len() >= wanted as usize {
                return Ok(all);
            }
        }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.server));
        let token = self.token.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match token.and_then(|token| bearer(&token)) {
            Some(headers) => request.headers(headers),
            None => request,
        }
    }

    /// Gets the session's next tokens, or those that another command has got meanwhile. `false` where there is
    /// no session to go on with.
    async fn renew(&self) -> Result<bool, Failure> {
        let Some(path) = &self.kept else { return Ok(false) };
        let _lock = credentials::lock(path)?;
        let Some(mut kept) = credentials::load(path)? else { return Ok(false) };
        let used = self.token.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let same = used.is_some_and(|used| used.expose_secret() == kept.token.expose_secret());
        if same {
            let refresh_token = kept.refresh.expose_secret().to_owned();
            let request = self.http.post(format!("{}/api/v1/session/refresh", self.server));
            let body = RefreshRequest { refresh_token };
            let response = request.timeout(ANSWER_TIMEOUT).json(&body).send().await;
            let response = response.map_err(|error| self.unreachable(&error))?;
            if !response.status().is_success() {
                return Ok(false);
            }
            let next: SignedIn = decode(&self.read(response, BODY_BYTES_MAX).await?)?;
            kept.token = SecretString::from(next.access_token);
            kept.refresh = SecretString::from(next.refresh_token);
            credentials::save(path, &kept)?;
        }
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = Some(kept.token);
        Ok(true)
    }

    async fn bytes(&self, request: RequestBuilder) -> Result<Vec<u8>, Failure> {
        let response = self.send(request).await?;
        self.read(response, BODY_BYTES_MAX).await
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, Failure> {
        let again = request.try_clone();
        let response = request.send().await.map_err(|error| self.unreachable(&error))?;
        let refused = match self.accepted(response).await? {
            Ok(response) => return Ok(response),
            Err(refused) => refused,
        };
        // An access token lasts minutes, a session hours. What was refused for another reason, such as a wrong code,
        // is not said twice: each counts.
        if let (Refused::Problem(problem), Some(again)) = (&refused, again)
            && problem.code == ErrorCode::Unauthenticated.as_str()
            && self.renew().await?
        {
            let token = self.token.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let headers = token.and_then(|token| bearer(&token)).unwrap_or_default();
            let sent = again.headers(headers).send().await;
            let response = sent.map_err(|error| self.unreachable(&error))?;
            return self.accepted(response).await?.map_err(Refused::failure);
        }
        Err(refused.failure())
    }

    /// The answer, or what the orchestrator says against it.
    async fn accepted(&self, response: Response) -> Result<Result<Response, Refused>, Failure> {
        let status = response.status();
        if status.is_success() || status == StatusCode::SWITCHING_PROTOCOLS {
            return Ok(Ok(response));
        }
        let path = response.url().path().to_owned();
        let body = self.read(response, PROBLEM_BYTES_MAX).await.unwrap_or_default();
        Ok(Err(match serde_json::from_slice::<Problem>(&body) {
            Ok(mut problem) => {
                if status == StatusCode::NOT_FOUND {
                    let said = problem.detail.as_ref().unwrap_or(&problem.title);
                    problem.detail = Some(format!("{said} (asked for {path})"));
                }
                Refused::Problem(Box::new(problem))
            }
            Err(_) => Refused::Otherwise(status),
        }))
    }

    async fn read(&self, mut response: Response, bytes_max: usize) -> Result<Vec<u8>, Failure> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.unreachable(&error))? {
            if body.len() + chunk.len() > bytes_max {
                return Err(Failure::local(format!(
                    "the answer is longer than {bytes_max} bytes and was not read"
                )));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    /// Says why no answer came.
    pub(crate) fn unreachable(&self, error: &reqwest::Error) -> Failure {
        let server = &self.server;
        let fail = |what: String| Failure::new(Exit::Unreachable, what);
        if let Some(rustls::Error::InvalidCertificate(why)) = tls_error(error) {
            return self.untrusted(why);
        }
        if error.is_timeout() {
            return fail(format!("{server} did not answer in time")).advice(
                "What was asked for may have been done all the same: look before you repeat it.",
            );
        }
        if error.is_connect() {
            return fail(format!("{server} can't be reached: {}", chain(error)))
                .advice("Is the orchestrator running, and are host and port right?");
        }
        fail(format!("the connection to {server} broke: {}", chain(error))).advice(
            "What was asked for may have been done all the same: look before you repeat it.",
        )
    }

    fn untrusted(&self, why: &rustls::CertificateError) -> Failure {
        use rustls::CertificateError as Why;
        let server = &self.server;
        let failure = Failure::new(Exit::Unreachable, format!("{server} is not trusted: {why}"));
        match why {
            Why::UnknownIssuer if self.own_ca => failure
                .advice("Another authority than the given one issued its certificate: it is not this orchestrator, or --ca is not its file."),
            Why::UnknownIssuer => failure
                .advice("Its certificate was not issued by an authority that this machine trusts.")
                .advice("Pass the orchestrator's own with --ca FILE (`authority.pem` in its data folder)."),
            Why::NotValidForName | Why::NotValidForNameContext { .. } => {
                failure.advice("Use a name or address in --server that the certificate was issued for.")
            }
            Why::Expired | Why::ExpiredContext { .. } | Why::NotValidYet | Why::NotValidYetContext { .. } => {
                failure.advice("Compare this machine's clock with the orchestrator's; a restart of the orchestrator renews its certificate.")
            }
            _ => failure.advice("Nothing was sent to it."),
        }
    }
}

/// The header that carries a token.
/// An answer that is no success.
enum Refused {
    /// What the orchestrator said.
    Problem(Box<Problem>),
    /// Something else answered.
    Otherwise(StatusCode),
}

impl Refused {
    fn failure(self) -> Failure {
        match self {
            Self::Problem(problem) => Failure::problem(&problem),
            Self::Otherwise(status) => unknown_answer(status),
        }
    }
}

fn bearer(token: &SecretString) -> Option<header::HeaderMap> {
    let text = format!("Bearer {}", token.expose_secret());
    let mut value = header::HeaderValue::from_str(&text).ok()?;
    value.set_sensitive(true);
    Some(header::HeaderMap::from_iter([(header::AUTHORIZATION, value)]))
}

/// A path segment: what is not unreserved (RFC 3986 §2.3) is escaped.
pub(crate) fn segment(text: &str) -> Result<String, Failure> {
    // Even escaped, these two would be resolved away.
    if text.is_empty() || text == "." || text == ".." {
        return Err(Failure::usage(format!("{text:?} is not a name or an id")));
    }
    Ok(escape(text))
}

/// Escapes for a path segment or a query.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            let _ = write!(escaped, "%{byte:02X}");
        }
    }
    escaped
}

fn with_query(path: &str, query: &Query) -> String {
    let mut text = path.to_owned();
    for (name, value) in query {
        let mark = if text.contains('?') { '&' } else { '?' };
        let _ = write!(text, "{mark}{name}={}", escape(value));
    }
    text
}

fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, Failure> {
    serde_json::from_slice(body).map_err(|error| {
        Failure::local(format!("the orchestrator's answer is not understood: {error}"))
            .advice("Is this client of the same version as the orchestrator?")
    })
}

fn unknown_answer(status: StatusCode) -> Failure {
    let exit = match status.as_u16() {
        401 | 403 => Exit::Denied,
        404 => Exit::NotFound,
        408 | 502 | 503 | 504 => Exit::Unreachable,
        _ => Exit::Other,
    };
    Failure::new(exit, format!("the answer was {status} without a reason"))
        .advice("Is this the orchestrator, or something in front of it?")
}

fn read_ca(path: &Path) -> Result<Vec<reqwest::Certificate>, Failure> {
    let broken = |reason: String| {
        Failure::usage(format!("the authority {} can't be used: {reason}", path.display()))
    };
    let size = std::fs::metadata(path).map_err(|error| broken(error.to_string()))?.len();
    if size > CA_BYTES_MAX {
        return Err(broken(format!("it is longer than {CA_BYTES_MAX} bytes")));
    }
    let pem = std::fs::read(path).map_err(|error| broken(error.to_string()))?;
    let certificates =
        reqwest::Certificate::from_pem_bundle(&pem).map_err(|error| broken(chain(&error)))?;
    if certificates.is_empty() {
        return Err(broken("there is no certificate in PEM form in it".to_owned()));
    }
    Ok(certificates)
}

fn is_loopback(server: &str) -> bool {
    let Ok(url) = reqwest::Url::parse(server) else { return false };
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost"
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The TLS error behind a request's, if it is one.
fn tls_error(error: &reqwest::Error) -> Option<&rustls::Error> {
    let mut at: Option<&(dyn StdError + 'static)> = error.source();
    while let Some(error) = at {
        if let Some(found) = error.downcast_ref::<rustls::Error>() {
            return Some(found);
        }
        // An I/O error skips what it wraps when it is asked for its source.
        at = match error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}

/// An error with its causes, without the address that reqwest puts in front.
fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut parts: Vec<String> = vec![];
    let mut at = error.source().or(Some(error));
    while let Some(error) = at {
        let text = error.to_string();
        if parts.last().is_none_or(|last| !last.contains(&text)) {
            parts.push(text);
        }
        at = error.source();
    }
    parts.join(": ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn what_people_type_stays_in_its_segment() {
        assert_eq!(segment("web-1.north_2").unwrap(), "web-1.north_2");
        assert_eq!(segment("a/../b?c#d é").unwrap(), "a%2F..%2Fb%3Fc%23d%20%C3%A9");
        assert!(segment("..").is_err() && segment("").is_err());
        assert_eq!(
            with_query("/x", &vec![("a", "b&c".into()), ("d", "=".into())]),
            "/x?a=b%26c&d=%3D"
        );
    }

    #[test]
    fn loopback_is_never_asked_through_a_proxy() {
        for own in ["https://localhost:4000", "https://127.0.0.9", "https://[::1]:1"] {
            assert!(is_loopback(own), "{own}");
        }
        assert!(!is_loopback("https://localhost.example") && !is_loopback("https://10.0.0.1"));
    }
}
