//! TLS listeners with bounds: connections in all and per address, handshake and header time.

use crate::{
    App, mcp,
    middleware::{self, Peer},
    places::{self, PerAddress},
    routes,
};
use axum::{Router, extract::Request};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
};
use std::{
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::{either::Either, sync::CancellationToken};
use tower::ServiceExt;

/// The time in which a client must finish its TLS handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// The time in which a client must send a request's head.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// The most header bytes, before anything of them is parsed into a request.
const HEADER_BYTES_MAX: usize = 32 * 1024;
/// Requests at the same time on one HTTP/2 connection.
const STREAMS_PER_CONNECTION_MAX: u32 = 64;
/// The time that open requests get at shutdown.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);

/// Why a listener could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("can't listen on {address}; choose another address with --listen, or stop what has it")]
pub struct ListenError {
    /// The address.
    address: SocketAddr,
    /// The system's answer.
    source: std::io::Error,
}

/// Which routes a listener serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Serves {
    People,
    Nodes,
    All,
    /// The gateway's WebSockets.
    WebSockets,
    /// The gateway's lines.
    Tcp,
}

/// An open listener.
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    serves: Serves,
    /// Without TLS: only on loopback, and only when asked for.
    plain: bool,
}

impl Listener {
    /// Listens for people and nodes.
    pub async fn all(address: SocketAddr) -> Result<Self, ListenError> {
        Self::open(address, Serves::All).await
    }

    /// Listens for people only.
    pub async fn people(address: SocketAddr) -> Result<Self, ListenError> {
        Self::open(address, Serves::People).await
    }

    /// Listens for nodes only.
    pub async fn nodes(address: SocketAddr) -> Result<Self, ListenError> {
        Self::open(address, Serves::Nodes).await
    }

    /// Listens for the gateway's WebSockets only.
    pub async fn websockets(address: SocketAddr, plain: bool) -> Result<Self, ListenError> {
        Ok(Self {
            plain: plain && address.ip().is_loopback(),
            ..Self::open(address, Serves::WebSockets).await?
        })
    }

    /// Listens for the gateway's lines only.
    pub async fn tcp(address: SocketAddr, plain: bool) -> Result<Self, ListenError> {
        Ok(Self {
            plain: plain && address.ip().is_loopback(),
            ..Self::open(address, Serves::Tcp).await?
        })
    }

    async fn open(address: SocketAddr, serves: Serves) -> Result<Self, ListenError> {
        let error = |source| ListenError { address, source };
        let socket = TcpListener::bind(address).await.map_err(error)?;
        let address = socket.local_addr().map_err(error)?;
        Ok(Self { socket, address, serves, plain: false })
    }

    /// The address, with the port that the system chose where 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until the application stops.
    pub async fn serve(self, app: Arc<App>, tls: Arc<rustls::ServerConfig>) {
        let table = match self.serves {
            Serves::People => routes::people(&app),
            Serves::Nodes => routes::nodes(&app),
            Serves::All => routes::people(&app).merge(routes::nodes(&app)),
            Serves::WebSockets | Serves::Tcp => routes::sockets(&app),
        };
        let router = middleware::wrap(&app, table);
        let by_address = PerAddress::new(app.limits.connections_per_address_max);
        app.connections.lock().unwrap_or_else(PoisonError::into_inner).push(by_address.clone());
        let door = Arc::new(DoorState {
            router,
            acceptor: (!self.plain).then(|| TlsAcceptor::from(tls)),
            lines: self.serves == Serves::Tcp,
            all: Arc::new(Semaphore::new(app.limits.connections_max)),
            by_address,
            stop: app.stop.clone(),
            app,
        });
        let graceful = GracefulShutdown::new();
        loop {
            let accepted = tokio::select! {
                () = door.stop.cancelled() => break,
                accepted = self.socket.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => door.take(stream, peer, &graceful),
                Err(error) => {
                    // Out of file descriptors, mostly: wait for some to come back.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
        let _ = tokio::time::timeout(SHUTDOWN_TIMEOUT, graceful.shutdown()).await;
    }
}

struct DoorState {
    router: Router,
    /// Nothing where there is no TLS.
    acceptor: Option<TlsAcceptor>,
    /// Whether messages come in lines rather than by HTTP.
    lines: bool,
    all: Arc<Semaphore>,
    by_address: PerAddress,
    stop: CancellationToken,
    app: Arc<App>,
}

/// A connection's place within the bounds; given back when it is dropped.
struct Admitted {
    _all: OwnedSemaphorePermit,
    _of_address: Option<places::Place>,
}

impl DoorState {
    fn place(&self, address: IpAddr) -> Option<Admitted> {
        let all = Arc::clone(&self.all).try_acquire_owned().ok()?;
        // Everybody behind a trusted proxy comes from its address.
        let of_address = match self.app.doors.trusts(address) {
            true => None,
            false => Some(self.by_address.take(address)?),
        };
        Some(Admitted { _all: all, _of_address: of_address })
    }

    /// The connection after its TLS handshake.
    async fn secured(&self, stream: TcpStream) -> Option<Either<TlsStream<TcpStream>, TcpStream>> {
        let Some(acceptor) = &self.acceptor else { return Some(Either::Right(stream)) };
        let handshake = tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await;
        handshake.ok()?.ok().map(Either::Left)
    }

    fn take(self: &Arc<Self>, stream: TcpStream, peer: SocketAddr, graceful: &GracefulShutdown) {
        let Some(place) = self.place(peer.ip()) else {
            self.app.metrics().connection_refused();
            return;
        };
        let watcher = graceful.watcher();
        let door = Arc::clone(self);
        tokio::spawn(async move {
            let _ = stream.set_nodelay(true);
            let Some(stream) = door.secured(stream).await else {
                door.app.metrics().handshake_failed();
                return;
            };
            if door.lines {
                mcp::tcp::serve(Arc::clone(&door.app), stream, peer).await;
                drop(place);
                return;
            }
            let place = Arc::new(place);
            let router = door.router.clone();
            let asked = Arc::new(AtomicBool::new(false));
            let first = Arc::clone(&asked);
            let service = hyper::service::service_fn(
                move |request: hyper::Request<hyper::body::Incoming>| {
                    first.store(true, Ordering::Relaxed);
                    let mut request = request.map(axum::body::Body::new);
                    request.extensions_mut().insert(Peer(peer));
                    // An upgraded connection outlives this one's task and must keep its place.
                    request.extensions_mut().insert(KeptPlace(Arc::clone(&place)));
                    router.clone().oneshot(request as Request)
                },
            );
            let mut builder = auto::Builder::new(TokioExecutor::new());
            builder
                .http1()
                .timer(TokioTimer::new())
                .header_read_timeout(HEADER_TIMEOUT)
                .max_buf_size(HEADER_BYTES_MAX);
            builder
                .http2()
                .timer(TokioTimer::new())
                .max_concurrent_streams(STREAMS_PER_CONNECTION_MAX)
                .max_header_list_size(HEADER_BYTES_MAX as u32)
                .keep_alive_interval(Duration::from_secs(30));
            let connection =
                builder.serve_connection_with_upgrades(TokioIo::new(stream), service).into_owned();
            let silent = async {
                // Neither HTTP/2's preface nor telling the versions apart has a time limit of its own.
                tokio::time::sleep(2 * HEADER_TIMEOUT).await;
                if asked.load(Ordering::Relaxed) {
                    std::future::pending::<()>().await;
                }
            };
            tokio::select! {
                ended = watcher.watch(connection) => if let Err(error) = ended {
                    tracing::debug!(%error, "a connection ended badly");
                },
                () = silent => tracing::debug!("a connection asked for nothing"),
            }
        });
    }
}

/// Keeps a connection's place while it lives.
#[derive(Clone)]
pub(crate) struct KeptPlace(#[expect(dead_code, reason = "held for its drop")] Arc<Admitted>);
