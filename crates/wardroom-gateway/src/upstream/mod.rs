//! Tool servers, as the gateway's client side sees them: asked within bounds, in the dialect that they speak.

mod breaker;
mod changes;
mod http;
mod legacy;
mod modern;
mod server;
mod sse;

pub use breaker::{BreakerRules, BreakerState};
pub use server::{Facts, Upstream, UpstreamParts};

use crate::rpc::{Object, RpcError};
use std::{collections::BTreeMap, time::Duration};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

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

/// What goes with a request to a tool server.
#[derive(Debug, Clone)]
pub struct Listening {
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
        "the tool server does not let the gateway in (HTTP {0}): look at the credential that it is shown"
    )]
    Denied(u16),
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
    /// What it is to be shown can't be had.
    #[error("the secret {0:?} that the tool server is shown is not there")]
    NoSecret(String),
    /// The gateway itself failed.
    #[error("{0}")]
    Internal(String),
}

impl Failure {
    /// Whether it says that the server is not well.
    fn is_the_servers(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::TimedOut(_) | Self::Denied(_))
    }
}
