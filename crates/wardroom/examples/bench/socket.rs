//! WebSockets from many loopback addresses.

use crate::world::World;
use anyhow::Context as _;
use std::net::{Ipv4Addr, SocketAddr};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{client::IntoClientRequest as _, http::HeaderValue, protocol::WebSocketConfig},
};
use wardroom_wire::link::FRAME_BYTES_MAX;

/// Connections from one loopback address; the orchestrator's own default allows 512.
const PER_ADDRESS: usize = 400;

pub(crate) type Socket = WebSocketStream<TlsStream<TcpStream>>;

/// Opens the WebSocket `number` at a path with its sub-protocol.
pub(crate) async fn open(
    world: &World,
    tls: &TlsConnector,
    number: usize,
    (path, protocol): (&str, &'static str),
    token: &str,
) -> anyhow::Result<Socket> {
    let authority = world.url.strip_prefix("https://").context("a URL of another form")?;
    let port = authority.rsplit(':').next().context("a URL without a port")?.parse()?;
    let place = u8::try_from(number / PER_ADDRESS + 1)?;
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from((Ipv4Addr::new(127, 1, 0, place), 0)))?;
    let stream = socket.connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await?;
    stream.set_nodelay(true)?;
    let name = Ipv4Addr::LOCALHOST.into();
    let stream = tls.connect(rustls_pki_types::ServerName::IpAddress(name), stream).await?;
    let mut request = format!("wss://127.0.0.1:{port}{path}").into_client_request()?;
    let headers = request.headers_mut();
    headers.insert("authorization", HeaderValue::from_str(&format!("Bearer {token}"))?);
    headers.insert("sec-websocket-protocol", HeaderValue::from_static(protocol));
    let config = WebSocketConfig::default()
        .read_buffer_size(2 * 1024)
        .write_buffer_size(0)
        .max_write_buffer_size(4 * FRAME_BYTES_MAX);
    Ok(client_async_with_config(request, stream, Some(config)).await?.0)
}
