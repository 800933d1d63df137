//! How an exchange leaves over HTTP: as one JSON document when nothing is said before the answer, as a stream of
//! Server-Sent Events otherwise.

use super::exchange::{Answered, Exchange};
use axum::{
    body::{Body, Bytes},
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures_util::stream::unfold;
use std::{convert::Infallible, time::Duration};
use tokio_util::sync::CancellationToken;
use wardroom_core::Action;
use wardroom_gateway::{
    door::{REQUIRED_SCOPE, status_of},
    rpc::{Object, RpcError},
};

/// How long an answer is waited for before a stream is begun, so that no one on the way takes it for lost.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often a quiet stream shows that it is open.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const STREAM: HeaderValue = HeaderValue::from_static("text/event-stream");

/// A JSON-RPC message as a document.
pub(super) fn document(status: u16, text: String) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [(header::CONTENT_TYPE, JSON)], text).into_response()
}

/// What comes of an exchange. `modern` says whether errors have a status of their own.
pub(super) async fn reply(
    mut exchange: Exchange,
    modern: bool,
    stop: CancellationToken,
) -> Response {
    let first = tokio::select! {
        biased;
        Some(note) = exchange.notes.recv() => Some(note),
        done = &mut exchange.done => return done.map_or_else(|_| lost(), |answered| one(answered, modern)),
        () = tokio::time::sleep(PATIENCE) => None,
    };
    let state = Streaming { exchange: Some(exchange), first, stop };
    stream_of(unfold(state, |mut state| async move {
        let event = state.next().await?;
        Some((Ok::<_, Infallible>(event), state))
    }))
}

/// A response of events.
pub(super) fn stream_of<S>(stream: S) -> Response
where
    S: futures_util::Stream<Item = Result<Bytes, Infallible>> + Send + 'static,
{
    let unbuffered = HeaderName::from_static("x-accel-buffering");
    let headers = [(header::CONTENT_TYPE, STREAM), (unbuffered, HeaderValue::from_static("no"))];
    (headers, Body::from_stream(stream)).into_response()
}

fn one(answered: Answered, modern: bool) -> Response {
    let lacks = answered.error.as_ref().and_then(lacking);
    let status = match &answered.error {
        Some(_) if lacks.is_some() => 403,
        Some(error) if modern => status_of(error),
        _ => 200,
    };
    let mut response = document(status, answered.text);
    if let Some(scope) = lacks {
        response.extensions_mut().insert(Lacks(scope));
    }
    response
}

/// The scope for which a client would have to ask, behind its answer: the edge tells it so (RFC 6750 §3.1).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lacks(pub(crate) Action);

fn lacking(error: &RpcError) -> Option<Action> {
    Object::parse(error.data.as_ref()?.get())?.text(REQUIRED_SCOPE)?.parse().ok()
}

fn lost() -> Response {
    StatusCode::INTERNAL_SERVER_ERROR.into_response()
}

/// A message as an event.
pub(super) fn event(text: &str) -> Bytes {
    Bytes::from(format!("event: message\ndata: {text}\n\n"))
}

/// What keeps a quiet stream open.
pub(super) fn comment() -> Bytes {
    Bytes::from_static(b": open\n\n")
}

struct Streaming {
    exchange: Option<Exchange>,
    first: Option<String>,
    stop: CancellationToken,
}

impl Streaming {
    async fn next(&mut self) -> Option<Bytes> {
        if let Some(note) = self.first.take() {
            return Some(event(&note));
        }
        let exchange = self.exchange.as_mut()?;
        tokio::select! {
            biased;
            Some(note) = exchange.notes.recv() => Some(event(&note)),
            done = &mut exchange.done => {
                // It came to its end by itself.
                if let Some(exchange) = self.exchange.take()
                    && let Some(guard) = exchange.guard
                {
                    drop(guard.disarm());
                }
                done.ok().map(|answered| event(&answered.text))
            }
            () = self.stop.cancelled() => None,
            () = tokio::time::sleep(KEEP_ALIVE) => Some(comment()),
        }
    }
}

/// The time between signs of life.
pub(super) const fn keep_alive() -> Duration {
    KEEP_ALIVE
}
