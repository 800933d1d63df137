//! Sessions over Streamable HTTP (revisions 2025-03-26 to 2025-11-25).

use super::{
    exchange::{Answered, Exchange, begin},
    http::Arrived,
    reply::{comment, document, event, keep_alive, reply, stream_of},
};
use crate::error::ApiError;
use axum::{
    body::Bytes,
    http::{HeaderValue, StatusCode},
    response::{IntoResponse, Response},
};
use futures_util::{future::BoxFuture, stream::unfold};
use std::{convert::Infallible, sync::Arc, time::Duration};
use wardroom_gateway::{
    door::{Client, Opening, Outlet, Session, Speaks},
    era::WITH_BATCHES,
    rpc::{Message, Object, Request, RpcError, parse, split_batch},
    trace::TraceContext,
};
use wardroom_wire::error::ErrorCode;

/// By which a client names its session.
pub(super) const SESSION: &str = "mcp-session-id";
/// How long a session's stream lasts. SECURITY: who listens proves themselves anew when they come back, so that a
/// token that was ended hears nothing after this.
const STREAM_TTL: Duration = Duration::from_secs(300);
/// How soon a listener comes back, in milliseconds.
const RETRY_MS: u32 = 500;

/// `initialize`
pub(super) async fn open_session(
    arrived: &Arrived,
    request: Request,
) -> Result<Response, ApiError> {
    let opening =
        Opening { caller: &*arrived.caller, scope: arrived.scope.as_deref(), of_channel: false };
    let opened = arrived.ctx.app.gateway.initialize(opening, &request.params).await;
    let (session, outcome) = match opened {
        Ok((session, result)) => (Some(session), Ok(result)),
        Err(error) => (None, Err(error)),
    };
    let mut response = document(200, Answered::of(Some(&request.id), &outcome).text);
    if let Some(session) = session
        && let Ok(id) = HeaderValue::from_str(&session.id)
    {
        response.headers_mut().insert(SESSION, id);
    }
    Ok(response)
}

/// The session that a message names.
fn session(arrived: &Arrived) -> Result<Arc<Session>, ApiError> {
    let missing = || {
        let why = "The header Mcp-Session-Id is missing: open a session by `initialize`.";
        ApiError::say(ErrorCode::BadRequest, why)
    };
    let id = arrived.header(SESSION).ok_or_else(missing)?;
    let app = &arrived.ctx.app;
    let (party, scope) = (arrived.caller.party(), arrived.scope.as_deref());
    let found = app.gateway.sessions.find(id, party, scope, app.engine.now());
    found.ok_or_else(|| {
        ApiError::say(ErrorCode::NotFound, "There is no such session: open one by `initialize`.")
    })
}

/// A message within a session.
pub(super) async fn in_session(arrived: &Arrived, message: Message) -> Result<Response, ApiError> {
    let session = session(arrived)?;
    match message {
        Message::Request(request) => {
            let id = request.id.clone();
            match work_on(arrived, &session, request) {
                Ok(exchange) => Ok(reply(exchange, false, arrived.ctx.app.stop.clone()).await),
                Err(error) => {
                    let outcome: Result<Object, RpcError> = Err(error);
                    Ok(document(200, Answered::of(Some(&id), &outcome).text))
                }
            }
        }
        other => {
            take(&session, other);
            Ok(StatusCode::ACCEPTED.into_response())
        }
    }
}

/// Takes what wants no answer.
fn take(session: &Session, message: Message) {
    match message {
        Message::Notification(note) if note.method == "notifications/cancelled" => {
            session.cancel(&note.params);
        }
        Message::Response(response) => session.answered(response),
        Message::Notification(_) | Message::Request(_) => {}
    }
}

fn work_on(
    arrived: &Arrived,
    session: &Arc<Session>,
    mut request: Request,
) -> Result<Exchange, RpcError> {
    TraceContext::inject_from_headers(&arrived.headers, &mut request.params);
    // A client that lost its connection has not said that it does not want the answer.
    let running = session.begin(&request.id, arrived.ctx.app.engine.now())?;
    let (outlet, notes) = Outlet::new();
    let client = Client {
        caller: Arc::clone(&arrived.caller),
        scope: arrived.scope.clone(),
        speaks: Speaks::Legacy(Arc::clone(session)),
        outlet,
        cancel: running.cancel.clone(),
    };
    Ok(begin(&arrived.ctx.app.gateway, client, request, notes, None, running))
}

/// Several messages in one list, where the session's revision has that: answered in one list.
pub(super) fn batch<'a>(
    arrived: &'a Arrived,
    body: &'a Bytes,
) -> Option<BoxFuture<'a, Result<Response, ApiError>>> {
    let session = session(arrived).ok().filter(|session| session.version == WITH_BATCHES)?;
    let parts = split_batch(body)?;
    Some(Box::pin(async move {
        let mut waiting = Vec::new();
        let mut answers = Vec::new();
        for (at, part) in parts.into_iter().enumerate() {
            // The first was counted with the request.
            if at > 0 {
                arrived.ctx.app.rates.principal(arrived.caller.party())?;
            }
            match parse(part.as_bytes()) {
                Ok(Message::Request(request)) => {
                    let id = request.id.clone();
                    match work_on(arrived, &session, request) {
                        Ok(exchange) => waiting.push(exchange),
                        Err(error) => answers.push(Answered::of(Some(&id), &Err(error)).text),
                    }
                }
                Ok(other) => take(&session, other),
                Err(malformed) => {
                    arrived.malformed(&malformed.error).await?;
                    answers.push(Answered::of(malformed.id.as_ref(), &Err(malformed.error)).text);
                }
            }
        }
        for mut exchange in waiting {
            // What is said meanwhile has no place in a list.
            let draining = async { while exchange.notes.recv().await.is_some() {} };
            let (done, ()) = tokio::join!(&mut exchange.done, draining);
            answers.extend(done.ok().map(|answered| answered.text));
        }
        if answers.is_empty() {
            return Ok(StatusCode::ACCEPTED.into_response());
        }
        Ok(document(200, format!("[{}]", answers.join(","))))
    }))
}

/// The stream on which a session is told what belongs to no request.
pub(super) fn listen(arrived: &Arrived) -> Result<Response, ApiError> {
    if !arrived.headers.contains_key(SESSION) {
        // Revision 2026-07-28 has no such stream.
        return Err(ApiError::new(ErrorCode::MethodNotAllowed));
    }
    let session = session(arrived)?;
    let app = &arrived.ctx.app;
    let busy = || ApiError::say(ErrorCode::Busy, "Too many streams are open.");
    let place = Arc::clone(&app.streams).try_acquire_owned().map_err(|_| busy())?;
    let (outlet, notes) = Outlet::new();
    session.open_stream(outlet, Arc::clone(&arrived.caller));
    let end = tokio::time::Instant::now() + STREAM_TTL;
    let (ended, stop) = (session.ended.clone(), app.stop.clone());
    let first = Some(Bytes::from(format!("retry: {RETRY_MS}\n\n")));
    let state = (notes, first, place, ended, stop);
    Ok(stream_of(unfold(state, move |(mut notes, first, place, ended, stop)| async move {
        if let Some(first) = first {
            return Some((Ok::<_, Infallible>(first), (notes, None, place, ended, stop)));
        }
        let bytes = tokio::select! {
            () = ended.cancelled() => return None,
            () = stop.cancelled() => return None,
            () = tokio::time::sleep_until(end) => return None,
            note = notes.recv() => event(&note?),
            () = tokio::time::sleep(keep_alive()) => comment(),
        };
        Some((Ok(bytes), (notes, None, place, ended, stop)))
    })))
}

/// Ends a session.
pub(super) fn end(arrived: &Arrived) -> Result<(), ApiError> {
    let session = session(arrived)?;
    arrived.ctx.app.gateway.sessions.end(&session);
    Ok(())
}
