//! Tool servers, as the gateway's client side sees them: asked within bounds, in the dialect that they speak.

mod bounds;
mod changes;
mod credentials;
mod endpoint;
mod greeting;
mod host;
mod http;
mod legacy;
mod modern;
mod oauth;
mod pipe;
mod pool;
mod server;
mod sessions;
mod spans;
mod together;

pub use host::{Ended, Hosts, Process, Start};
pub(crate) use oauth::Attempt;
pub use oauth::{AccountAnswer, Denial, Problem, SEAL_TOKENS, client_document};
pub use pool::ClientSession;
pub use server::{Facts, Upstream, UpstreamParts};

use crate::rpc::{Object, RpcError};
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use wardroom_core::UserId;

/// Notifications and questions of one request that wait to be taken.
pub const EVENTS_WAITING_MAX: usize = 256;

/// What a tool server is asked.
#[derive(Debug, Clone, Default)]
pub struct Ask {
    /// The method.
    pub method: String,
    /// Its parameters, as whoever asks wrote them; `_meta` without what the protocol itself reads.
    pub params: Object,
    /// What whoever asks can do: a server may ask back for that and nothing else.
    pub capabilities: Object,
    /// From which level on log messages are wanted.
    pub log_level: Option<String>,
    /// Parameters that are told in headers too, by the header's name.
    pub mirrored: BTreeMap<String, String>,
    /// Whose account is used, where each caller has their own there; its registrar's where the gateway asks by itself.
    pub person: Option<UserId>,
    /// Whose requests are counted together; nobody's where the gateway asks by itself.
    pub party: Option<Uuid>,
    /// The session in which it is asked, where there is one.
    pub session: Option<ClientSession>,
    /// Whether the server may ask back before it answers.
    pub asked_back: bool,
    /// Whether asking twice does no more than asking once.
    pub idempotent: bool,
    /// How long it may take.
    pub time: Duration,
}

/// What a tool server says before it answers.
#[derive(Debug)]
pub enum Event {
    /// Something to pass on.
    Note {
        /// The notification.
        method: String,
        /// What it tells.
        params: Object,
    },
    /// Something that it wants to know before it goes on.
    Question {
        /// The request.
        method: String,
        /// With what.
        params: Object,
        /// Where the answer goes. Without one, it is told that nobody answers.
        answer: oneshot::Sender<Result<Object, RpcError>>,
    },
}

/// Whether a request waits for its client rather than for its server.
#[derive(Debug, Default)]
pub struct Pace {
    /// Questions that are open.
    open: AtomicU32,
    /// Whether the client was ever waited for: then a late answer says nothing of the server.
    waited: AtomicBool,
    changed: Notify,
}

impl Pace {
    /// A question is open until what comes back is dropped.
    fn ask(self: &Arc<Self>) -> OpenQuestion {
        self.waited.store(true, Ordering::Release);
        self.open.fetch_add(1, Ordering::AcqRel);
        self.changed.notify_one();
        OpenQuestion(Arc::clone(self))
    }

    /// What the server says is not read.
    fn held_up(&self) {
        self.waited.store(true, Ordering::Release);
    }

    fn is_paused(&self) -> bool {
        self.open.load(Ordering::Acquire) > 0
    }

    fn has_waited(&self) -> bool {
        self.waited.load(Ordering::Acquire)
    }
}

/// A question that is open.
struct OpenQuestion(Arc<Pace>);

impl Drop for OpenQuestion {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::AcqRel);
        self.0.changed.notify_one();
    }
}

/// What goes with a request to a tool server.
#[derive(Debug, Clone)]
pub struct Listening {
    /// Whether the server is waited for.
    pub pace: Arc<Pace>,
    /// Takes what the server says meanwhile.
    pub events: mpsc::Sender<Event>,
    /// Goes off when nobody wants the answer any more.
    pub cancel: CancellationToken,
}

/// Why a tool server gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// It answered with an error.
    #[error(transparent)]
    Rpc(RpcError),
    /// It can't be reached, or answered with what is no answer.
    #[error("the tool server can't be reached: {0}")]
    Unreachable(String),
    /// It does not let the gateway in.
    #[error(
        "the tool server does not let the gateway in ({0}): look at the credential that it is shown"
    )]
    Denied(Denial),
    /// It does not know the session any more, and did nothing.
    #[error("the tool server ended the session")]
    SessionLost,
    /// Its answer is longer than it may be.
    #[error("the tool server's answer is longer than {0} bytes")]
    TooLong(u32),
    /// It took longer than it may.
    #[error("the tool server did not answer within {} ms", .0.as_millis())]
    TimedOut(Duration),
    /// Nobody wants the answer any more.
    #[error("the request was cancelled")]
    Cancelled,
    /// Too much waits for it already.
    #[error("the tool server is busy: {0} requests wait for it already")]
    Busy(u32),
    /// It failed too often and is left alone.
    #[error("the tool server failed too often: it is asked again in {} s", .0.as_secs().max(1))]
    Open(Duration),
    /// It can't be reached, and is not the reason: its node, or whoever shares it, is.
    #[error("the tool server is not there now: {0}")]
    Elsewhere(String),
    /// Its process ended, and is left alone for a while.
    #[error("the tool server is not there: {why}; it is started again in {} s", .left.as_secs().max(1))]
    Resting {
        /// How it ended.
        why: String,
        /// How long it still is.
        left: Duration,
    },
    /// What it is to be shown can't be had.
    #[error("the secret {0:?} that the tool server is shown is not there")]
    NoSecret(String),
    /// Nobody gave a token for it.
    #[error("there is no token for the tool server: {0}")]
    NoToken(String),
    /// Whoever asks has not connected their account there.
    #[error("{why}: connect it at {page}")]
    NoAccount {
        /// What is missing.
        why: String,
        /// Where it is done.
        page: String,
    },
    /// The gateway itself failed.
    #[error("{0}")]
    Internal(String),
}

impl Listening {
    /// Nobody is there to be told or asked.
    pub(crate) fn quiet() -> Self {
        let (events, _) = mpsc::channel(1);
        Self { events, cancel: CancellationToken::new(), pace: Arc::default() }
    }

    /// Passes on what a server says; a client that does not read is waited for.
    async fn tell(&self, event: Event) {
        if let Err(mpsc::error::TrySendError::Full(event)) = self.events.try_send(event) {
            self.pace.held_up();
            let _ = self.events.send(event).await;
        }
    }
}

impl Failure {
    /// Whether it says that the server is not well.
    fn is_the_servers(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::TimedOut(_) | Self::Denied(_))
    }
}
