//! A scripted orchestrator on a loopback port: TLS by its own authority, the three requests, and the
//! link, of which the test itself writes every frame.

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use data_encoding::BASE64URL_NOPAD;
use futures_util::{SinkExt as _, StreamExt as _};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, LazyLock, Mutex, MutexGuard},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinHandle,
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, rustls, server::TlsStream};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Message,
        handshake::derive_accept_key,
        protocol::{Role, WebSocketConfig},
    },
};
use wardroom_core::digest::sha256;
use wardroom_wire::link::{
    CHALLENGE_CONTEXT, CHALLENGE_PATH, ChallengeRequest, ChallengeResponse, ENROL_CONTEXT,
    ENROL_PATH, EnrolRequest, EnrolResponse, FRAME_BYTES_MAX, LINK_PATH, LINK_SUBPROTOCOL,
    NodeFrame, OrchestratorFrame, TOKEN_PATH, TokenRequest, TokenResponse,
};

/// How long a test waits for anything before it fails.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// The one node that this orchestrator knows: another one for each test's process: a machine's daemons share /var/tmp.
pub static NODE: LazyLock<String> =
    LazyLock::new(|| format!("node_0123456789ab7def8123{:012x}", std::process::id()));
const JOIN_ID: &str = "00112233445566778899aabbccddeeff";

pub type Socket = WebSocketStream<TlsStream<TcpStream>>;

/// What the requests have come to.
#[derive(Default)]
pub struct Book {
    /// The enrolled key, raw.
    pub public_key: Vec<u8>,
    /// The name that the node asked for.
    pub name: String,
    /// How many access tokens were given out.
    pub tokens_issued: u64,
    /// Seconds that an access token is good for.
    pub token_seconds: u64,
    /// Seconds between heartbeats.
    pub heartbeat_seconds: u32,
    /// Requests that were refused, and why.
    pub refused: Vec<String>,
    /// Links that were asked for.
    pub links: u64,
    challenges: BTreeSet<String>,
}

/// A running fake.
pub struct Fake {
    /// `https://localhost:PORT`
    pub url: String,
    /// The authority's certificate, PEM.
    pub authority: String,
    fingerprint: [u8; 32],
    book: Arc<Mutex<Book>>,
    sockets: tokio::sync::Mutex<mpsc::Receiver<Socket>>,
    task: JoinHandle<()>,
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Fake {
    pub async fn start() -> Self {
        let (authority, fingerprint, config) = certificates();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
        let book = Book { token_seconds: 900, heartbeat_seconds: 1, ..Book::default() };
        let book = Arc::new(Mutex::new(book));
        let (sender, sockets) = mpsc::channel(16);
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let served = (Arc::clone(&book), authority.clone());
        let task = tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else { return };
                let (acceptor, sender, (book, authority)) =
                    (acceptor.clone(), sender.clone(), served.clone());
                tokio::spawn(async move {
                    // A client that goes away in the middle is none of the test's business.
                    if let Ok(stream) = acceptor.accept(stream).await {
                        let _ = serve(stream, &book, &authority, &sender).await;
                    }
                });
            }
        });
        Self { url, authority, fingerprint, book, sockets: tokio::sync::Mutex::new(sockets), task }
    }

    pub fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap()
    }

    /// A join token for this orchestrator.
    pub fn token(&self) -> String {
        join_token(&self.fingerprint)
    }

    /// The next link, past its `hello` and the answer to it.
    pub async fn link(&self) -> Conn {
        let (mut conn, holding) = self.greeted().await;
        conn.holding = holding;
        conn
    }

    async fn greeted(&self) -> (Conn, BTreeMap<String, i64>) {
        loop {
            let mut conn = Conn {
                socket: self.socket().await,
                holding: BTreeMap::new(),
                runs_max: 0,
                catalogue: None,
            };
            // A daemon that is killed while it says hello leaves a link that never talks.
            let Some(frame) = conn.try_next().await else { continue };
            let NodeFrame::Hello { version: 1, holding, runs_max } = frame else {
                panic!("no hello but {frame:?}")
            };
            let (heartbeat_seconds, token_expires_in) = {
                let book = self.book();
                (book.heartbeat_seconds, book.token_seconds)
            };
            conn.runs_max = runs_max;
            conn.say(&OrchestratorFrame::Welcome { heartbeat_seconds, token_expires_in }).await;
            return (conn, holding.into_iter().map(|held| (held.run, held.fence)).collect());
        }
    }

    /// The next WebSocket, before anything was said.
    pub async fn socket(&self) -> Socket {
        let mut sockets = self.sockets.lock().await;
        timeout(PATIENCE, sockets.recv()).await.expect("the node opens a link").unwrap()
    }
}

pub fn join_token(fingerprint: &[u8; 32]) -> String {
    format!(
        "wrj_{JOIN_ID}.{}.{}",
        BASE64URL_NOPAD.encode(&[7; 32]),
        BASE64URL_NOPAD.encode(fingerprint)
    )
}

/// An authority and a server certificate under it.
fn certificates() -> (String, [u8; 32], rustls::ServerConfig) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = params.self_signed(&key).unwrap();
    let issuer = Issuer::new(params, key);
    let server_key = KeyPair::generate().unwrap();
    let server = CertificateParams::new(vec!["localhost".to_owned()])
        .unwrap()
        .signed_by(&server_key, &issuer)
        .unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![server.der().clone(), authority.der().clone()],
            server_key.serialize_der().try_into().unwrap(),
        )
        .unwrap();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    (authority.pem(), sha256(&[authority.der()]), config)
}

async fn serve(
    mut stream: TlsStream<TcpStream>,
    book: &Mutex<Book>,
    authority: &str,
    sockets: &mpsc::Sender<Socket>,
) -> std::io::Result<()> {
    let (head, mut body) = read_head(&mut stream).await?;
    let header = |name: &str| {
        head.lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim().to_owned())
    };
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    if path == LINK_PATH {
        let token = header("authorization").unwrap_or_default();
        let known = {
            let mut book = book.lock().unwrap();
            book.links += 1;
            token == format!("Bearer token-{}", book.tokens_issued) && book.tokens_issued > 0
        };
        assert_eq!(header("sec-websocket-protocol").as_deref(), Some(LINK_SUBPROTOCOL));
        if !known {
            return answer(&mut stream, 401, "{}").await;
        }
        let accept = derive_accept_key(header("sec-websocket-key").unwrap_or_default().as_bytes());
        let upgrade = format!(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: {LINK_SUBPROTOCOL}\r\n\r\n"
        );
        stream.write_all(upgrade.as_bytes()).await?;
        stream.flush().await?;
        let config = WebSocketConfig::default()
            .max_message_size(Some(FRAME_BYTES_MAX))
            .max_frame_size(Some(FRAME_BYTES_MAX));
        let socket =
            WebSocketStream::from_partially_read(stream, body, Role::Server, Some(config)).await;
        let _ = sockets.send(socket).await;
        return Ok(());
    }
    let length: usize = header("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    while body.len() < length {
        let mut buffer = [0; 4096];
        let count = stream.read(&mut buffer).await?;
        if count == 0 {
            return Ok(());
        }
        body.extend_from_slice(&buffer[..count]);
    }
    let outcome = request(&path, &body, &mut book.lock().unwrap(), authority);
    match outcome {
        Ok(text) => answer(&mut stream, 200, &text).await,
        Err(why) => {
            book.lock().unwrap().refused.push(why.clone());
            let problem = format!(
                r#"{{"type":"/docs/errors/node_refused","title":"Node refused","status":401,"code":"node_refused","detail":"{why}","request_id":"req_1"}}"#
            );
            answer(&mut stream, 401, &problem).await
        }
    }
}

async fn read_head(stream: &mut TlsStream<TcpStream>) -> std::io::Result<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    loop {
        let mut buffer = [0; 4096];
        let count = stream.read(&mut buffer).await?;
        if count == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        bytes.extend_from_slice(&buffer[..count]);
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let rest = bytes.split_off(at + 4);
            return Ok((String::from_utf8(bytes).unwrap(), rest));
        }
    }
}

async fn answer(stream: &mut TlsStream<TcpStream>, status: u16, body: &str) -> std::io::Result<()> {
    let text = format!(
        "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(text.as_bytes()).await?;
    stream.shutdown().await
}

fn signed(key: &[u8], message: &str, signature: &str) -> Result<(), String> {
    let signature =
        BASE64URL_NOPAD.decode(signature.as_bytes()).map_err(|error| error.to_string())?;
    UnparsedPublicKey::new(&ED25519, key)
        .verify(message.as_bytes(), &signature)
        .map_err(|_| "the signature is wrong".to_owned())
}

fn request(path: &str, body: &[u8], book: &mut Book, authority: &str) -> Result<String, String> {
    let form = |error: serde_json::Error| error.to_string();
    match path {
        ENROL_PATH => {
            let asked: EnrolRequest = serde_json::from_slice(body).map_err(form)?;
            let key = BASE64URL_NOPAD
                .decode(asked.public_key.as_bytes())
                .map_err(|error| error.to_string())?;
            let message = format!("{ENROL_CONTEXT}join_{JOIN_ID}\n{}", asked.public_key);
            signed(&key, &message, &asked.signature)?;
            if !asked.token.starts_with(&format!("wrj_{JOIN_ID}.")) {
                return Err("another token".into());
            }
            (book.public_key, book.name) = (key, asked.name);
            let answer = EnrolResponse { node: NODE.clone(), authority: authority.into() };
            serde_json::to_string(&answer).map_err(form)
        }
        CHALLENGE_PATH => {
            let asked: ChallengeRequest = serde_json::from_slice(body).map_err(form)?;
            if asked.node != *NODE {
                return Err("another node".into());
            }
            let challenge = format!("challenge-{}-{}", book.tokens_issued, book.challenges.len());
            book.challenges.insert(challenge.clone());
            serde_json::to_string(&ChallengeResponse { challenge }).map_err(form)
        }
        TOKEN_PATH => {
            let asked: TokenRequest = serde_json::from_slice(body).map_err(form)?;
            if !book.challenges.remove(&asked.challenge) {
                return Err("a challenge that was never given".into());
            }
            signed(
                &book.public_key,
                &format!("{CHALLENGE_CONTEXT}{}", asked.challenge),
                &asked.signature,
            )?;
            book.tokens_issued += 1;
            let token = format!("token-{}", book.tokens_issued);
            serde_json::to_string(&TokenResponse { token, expires_in: book.token_seconds })
                .map_err(form)
        }
        _ => Err(format!("no such path: {path}")),
    }
}

/// An open link, from the orchestrator's side.
pub struct Conn {
    pub socket: Socket,
    /// What the node said that it holds.
    pub holding: BTreeMap<String, i64>,
    /// How many runs the node takes.
    pub runs_max: u32,
    /// The last catalogue that went by.
    pub catalogue: Option<wardroom_wire::link::CatalogueShape>,
}

impl Conn {
    pub async fn say(&mut self, frame: &OrchestratorFrame) {
        self.say_text(&serde_json::to_string(frame).unwrap()).await;
    }

    pub async fn say_text(&mut self, text: &str) {
        // A daemon that is gone shows when its next frame does not come.
        let _ = self.socket.send(Message::text(text)).await;
    }

    /// The next frame, or `None` when the link is gone.
    pub async fn try_next(&mut self) -> Option<NodeFrame> {
        loop {
            match timeout(PATIENCE, self.socket.next())
                .await
                .expect("a frame or the end comes in time")?
            {
                Ok(Message::Text(text)) => {
                    let frame = serde_json::from_str(&text)
                        .unwrap_or_else(|error| panic!("{error}: {text}"));
                    if let NodeFrame::Catalogue { catalogue } = &frame {
                        self.catalogue = Some(catalogue.clone());
                    }
                    return Some(frame);
                }
                Ok(Message::Ping(_) | Message::Pong(_)) => {}
                Ok(Message::Close(_)) | Err(_) => return None,
                Ok(other) => panic!("a node sends text, not {other:?}"),
            }
        }
    }

    /// Reads until the link is gone.
    pub async fn try_next_quietly(&mut self) -> Option<NodeFrame> {
        while self.try_next().await.is_some() {}
        None
    }

    /// The next frame that is about a run.
    pub async fn next(&mut self) -> NodeFrame {
        loop {
            match self.try_next().await.expect("the link stays open") {
                NodeFrame::Heartbeat { .. } | NodeFrame::Catalogue { .. } => {}
                frame => return frame,
            }
        }
    }

    /// The next frame for which `wanted` gives something; the others are passed over.
    pub async fn until<T>(&mut self, mut wanted: impl FnMut(NodeFrame) -> Option<T>) -> T {
        loop {
            if let Some(found) = wanted(self.try_next().await.expect("the link stays open")) {
                return found;
            }
        }
    }

    /// Waits for the catalogue, if it has not come yet, and gives a command's digest.
    pub async fn digest_of(&mut self, command: &str) -> String {
        while self.catalogue.is_none() {
            self.try_next().await.expect("the link stays open");
        }
        let catalogue = self.catalogue.as_ref().unwrap();
        catalogue
            .commands
            .iter()
            .find(|found| found.name == command)
            .map_or_else(String::new, |found| found.digest.clone())
    }

    /// Offers a run of `command` with `parameters` (a JSON object).
    pub async fn offer(
        &mut self,
        run: &str,
        fence: i64,
        command: &str,
        parameters: serde_json::Value,
    ) {
        let digest = self.digest_of(command).await;
        let parameters = serde_json::from_value(parameters).unwrap();
        let frame = OrchestratorFrame::Offer {
            salt: String::new(),
            run: run.into(),
            fence,
            command: command.into(),
            digest,
            parameters,
            deadline_ms: None,
        };
        self.say(&frame).await;
    }

    pub async fn record(&mut self, run: &str, fence: i64, chunks: u32, finished: bool) {
        self.say(&OrchestratorFrame::Recorded { run: run.into(), fence, chunks, finished }).await;
    }

    /// Reads on until `run` is over; acknowledges its output on the way, but not its end.
    pub async fn follow(&mut self, run: &str) -> Followed {
        let mut followed = Followed::default();
        loop {
            match self.next().await {
                NodeFrame::Accepted { run: of, fence } if of == run => {
                    followed.accepted.push(fence)
                }
                NodeFrame::Started { run: of, .. } if of == run => followed.started += 1,
                NodeFrame::Output { run: of, fence, seq, stream, data } if of == run => {
                    let bytes = data_encoding::BASE64.decode(data.as_bytes()).unwrap();
                    assert_eq!(
                        seq as usize,
                        followed.output.len(),
                        "chunks come in order, none twice"
                    );
                    followed.output.push((stream, bytes));
                    self.record(run, fence, seq + 1, false).await;
                }
                NodeFrame::Refused { run: of, code, message, .. } if of == run => {
                    followed.refused = Some((code, message));
                    return followed;
                }
                NodeFrame::Finished { run: of, fence, chunks, result } if of == run => {
                    assert_eq!(
                        chunks as usize,
                        followed.output.len(),
                        "the end comes after all output"
                    );
                    followed.finished = Some((fence, result));
                    return followed;
                }
                _ => {}
            }
        }
    }
}

/// What became of a run.
#[derive(Default, Debug)]
pub struct Followed {
    pub accepted: Vec<i64>,
    pub started: u32,
    pub output: Vec<(wardroom_wire::link::Stream, Vec<u8>)>,
    pub refused: Option<(String, String)>,
    pub finished: Option<(i64, wardroom_wire::link::ResultShape)>,
}

impl Followed {
    pub fn end(&self) -> &wardroom_wire::link::EndShape {
        &self.finished.as_ref().unwrap_or_else(|| panic!("not finished: {self:?}")).1.end
    }

    /// All of one stream.
    pub fn bytes(&self, wanted: wardroom_wire::link::Stream) -> Vec<u8> {
        self.output
            .iter()
            .filter(|(stream, _)| *stream == wanted)
            .flat_map(|(_, bytes)| bytes.clone())
            .collect()
    }
}

/// A run's id, made from a small number.
pub fn run(number: u128) -> String {
    format!("run_0123456789ab7def8{number:015x}")
}
