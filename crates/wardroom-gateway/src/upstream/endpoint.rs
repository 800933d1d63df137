//! The way to a tool server: requests over HTTP, or the lines of a process.

use super::{Failure, Listening, http::HttpEndpoint, pipe::Pipe};
use crate::rpc::{self, Id, Object};
use reqwest::header::{HeaderMap, HeaderValue};
use std::sync::Arc;

/// Where a request goes.
#[derive(Clone)]
pub(super) enum Endpoint {
    /// A request of its own.
    Http(HttpEndpoint),
    /// A line among others.
    Pipe(Arc<Pipe>),
}

impl Endpoint {
    /// Sends the request `id` and gives its answer, and the session that it came with; what the server says before
    /// goes to `listening`. `back` goes with what it is answered.
    pub(super) async fn exchange(
        &self,
        id: &Id,
        message: String,
        headers: HeaderMap,
        back: &HeaderMap,
        listening: &Listening,
    ) -> Result<(Object, Option<HeaderValue>), Failure> {
        match self {
            Self::Http(http) => http.exchange(id, message, headers, back, listening).await,
            Self::Pipe(pipe) => Ok((pipe.exchange(id, message, listening).await?, None)),
        }
    }

    /// Sends what is not answered.
    pub(super) async fn tell(&self, message: String, headers: HeaderMap) -> Result<(), Failure> {
        match self {
            Self::Http(http) => http.post(message, headers).await.map(drop),
            Self::Pipe(pipe) => pipe.say(message).await,
        }
    }

    /// Tells that nobody wants an answer to the request `id` any more. A process hears it when nobody waits for it.
    pub(super) async fn cancel(&self, id: &Id, headers: HeaderMap) {
        if let Self::Http(http) = self {
            let params = Object::default().with("requestId", id).with("reason", "cancelled");
            let message = rpc::notification("notifications/cancelled", &params);
            let _ = http.post(message, headers).await;
        }
    }
}
