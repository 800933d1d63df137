//! The link: one outbound WebSocket to the orchestrator.

mod backoff;
mod conversation;

pub use backoff::{Backoff, STABLE};
pub use conversation::{Parted, converse};

use crate::identity::Identity;
use anyhow::{Context as _, ensure};
use rustls_pki_types::ServerName;
use std::time::Duration;
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{client::IntoClientRequest as _, http::HeaderValue, protocol::WebSocketConfig},
};
use wardroom_wire::link::{FRAME_BYTES_MAX, LINK_PATH, LINK_SUBPROTOCOL};

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// What a connection's read buffer starts with, in bytes.
const BUFFER_BYTES: usize = 16 * 1024;

/// An open WebSocket.
pub type Socket = WebSocketStream<TlsStream<TcpStream>>;

/// Opens the WebSocket with an access token.
pub async fn connect(identity: &Identity, token: &str) -> anyhow::Result<Socket> {
    timeout(CONNECT_TIMEOUT, open(identity, token))
        .await
        .context("the orchestrator did not answer in time")?
}

async fn open(identity: &Identity, token: &str) -> anyhow::Result<Socket> {
    let server = &identity.enrolment.server;
    let authority =
        server.strip_prefix("https://").context("the server's URL must begin with https://")?;
    let authority = authority.trim_end_matches('/');
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => {
            (host, port.parse().context("the server's port is not a number")?)
        }
        _ => (authority, 443),
    };
    let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let stream = TcpStream::connect((bare.as_str(), port))
        .await
        .with_context(|| format!("{server} can't be reached"))?;
    stream.set_nodelay(true)?;
    let mut tls = (*identity.tls()).clone();
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    let name = ServerName::try_from(bare).context("the server's name can't be verified")?;
    let stream = TlsConnector::from(std::sync::Arc::new(tls))
        .connect(name, stream)
        .await
        .context("TLS with the orchestrator failed")?;
    let mut request = format!("wss://{authority}{LINK_PATH}").into_client_request()?;
    let mut bearer = HeaderValue::from_str(&format!("Bearer {token}"))?;
    bearer.set_sensitive(true);
    request.headers_mut().insert("authorization", bearer);
    request
        .headers_mut()
        .insert("sec-websocket-protocol", HeaderValue::from_static(LINK_SUBPROTOCOL));
    let config = WebSocketConfig::default()
        .read_buffer_size(BUFFER_BYTES)
        .write_buffer_size(BUFFER_BYTES)
        .max_write_buffer_size(4 * FRAME_BYTES_MAX)
        .max_message_size(Some(FRAME_BYTES_MAX))
        .max_frame_size(Some(FRAME_BYTES_MAX));
    let (socket, answer) = client_async_with_config(request, stream, Some(config))
        .await
        .context("the orchestrator refused the link")?;
    let agreed = answer.headers().get("sec-websocket-protocol");
    ensure!(
        agreed.is_some_and(|protocol| protocol == LINK_SUBPROTOCOL),
        "the orchestrator does not speak {LINK_SUBPROTOCOL}"
    );
    Ok(socket)
}
