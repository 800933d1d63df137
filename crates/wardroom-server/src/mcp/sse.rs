//! MCP over HTTP with Server-Sent Events (revision 2024-11-05): a client listens on a stream, which first tells it where
//! to post what it says; the answers come on the stream. Clients of later revisions don't listen before they have a session.

use super::{
    channel::Channel,
    http::Arrived,
    reply::{comment, event, keep_alive, stream_of},
};
use crate::{App, error::ApiError};
use axum::{
    body::Bytes,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use data_encoding::HEXLOWER;
use futures_util::stream::unfold;
use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
    time::Duration,
};
use tokio::{
    sync::mpsc,
    time::{MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use wardroom_core::Door;
use wardroom_gateway::door::Outlet;
use wardroom_wire::error::ErrorCode;

/// How long a message waits for the one before it to be taken.
const TAKE_TIME_MAX: Duration = Duration::from_secs(10);
/// How often it is looked whether who listens is still let in.
const CHECK_EVERY: Duration = Duration::from_secs(30);

/// Where messages to open streams' connections are posted, by the name that each stream was told.
#[derive(Default)]
pub(crate) struct Inboxes(Mutex<HashMap<String, Inbox>>);

#[derive(Clone)]
struct Inbox {
    party: Uuid,
    scope: Option<String>,
    messages: mpsc::Sender<Bytes>,
}

impl Inboxes {
    fn open(&self) -> std::sync::MutexGuard<'_, HashMap<String, Inbox>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An inbox's name; forgotten with it.
struct Named {
    app: Arc<App>,
    name: String,
}

impl Drop for Named {
    fn drop(&mut self) {
        self.app.inboxes.open().remove(&self.name);
    }
}

/// Opens a stream for who was let in.
pub(super) async fn open(arrived: Arrived) -> Result<Response, ApiError> {
    let app = Arc::clone(&arrived.ctx.app);
    let busy = || ApiError::say(ErrorCode::Busy, "Too many streams are open.");
    let place = Arc::clone(&app.streams).try_acquire_owned().map_err(|_| busy())?;
    let mut random = [0; 16];
    app.engine.rng().fill(&mut random);
    let named = Named { app: Arc::clone(&app), name: HEXLOWER.encode(&random) };
    let (messages, inbox) = mpsc::channel(1);
    let (party, scope) = (arrived.caller.party(), arrived.scope.clone());
    let at = app.mcp_resource(scope.as_deref());
    let at = at.strip_prefix(app.issuer()).unwrap_or(&at);
    let first = Bytes::from(format!("event: endpoint\ndata: {at}?channel={}\n\n", named.name));
    app.inboxes.open().insert(named.name.clone(), Inbox { party, scope, messages });
    let (channel, outlet, said) = Channel::open(arrived, Door::Mcp).await?;
    let (told, over) = (Arc::clone(channel.told()), CancellationToken::new());
    let guard = over.clone().drop_guard();
    tokio::spawn(async move {
        let _kept = (place, named, guard);
        serve(&app, channel, inbox, outlet).await;
    });
    let state = (said, Some(first), over);
    Ok(stream_of(unfold(state, move |(mut said, first, over)| {
        let told = Arc::clone(&told);
        async move {
            if let Some(first) = first {
                return Some((Ok::<_, Infallible>(first), (said, None, over)));
            }
            let bytes = tokio::select! {
                biased;
                text = said.recv() => event(&text?),
                () = over.cancelled() => return None,
                () = tokio::time::sleep(keep_alive()) => comment(),
            };
            told.bytes_out.fetch_add(bytes.len() as u64, Ordering::Relaxed);
            Some((Ok(bytes), (said, None, over)))
        }
    })))
}

async fn serve(app: &App, mut channel: Channel, mut inbox: mpsc::Receiver<Bytes>, outlet: Outlet) {
    let end = channel.told().end.clone();
    let mut check = interval(CHECK_EVERY);
    check.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = app.stop.cancelled() => return,
            () = end.cancelled() => return,
            () = outlet.closed() => return,
            said = inbox.recv() => {
                let Some(said) = said else { return };
                if channel.take(&said).await.is_err() {
                    return;
                }
            }
            // SECURITY: who only listens must still be let in.
            _ = check.tick() => if !channel.is_let_in().await { return },
        }
    }
}

/// Takes a message to the connection of this name. SECURITY: the name alone opens nothing; it is its opener's.
pub(super) async fn post(arrived: &Arrived, name: &str, body: Bytes) -> Result<Response, ApiError> {
    let found = arrived.ctx.app.inboxes.open().get(name).cloned();
    let own = |inbox: &Inbox| inbox.party == arrived.caller.party() && inbox.scope == arrived.scope;
    let inbox = found.filter(own).ok_or_else(ApiError::not_found)?;
    match inbox.messages.send_timeout(body, TAKE_TIME_MAX).await {
        Ok(()) => Ok(StatusCode::ACCEPTED.into_response()),
        Err(mpsc::error::SendTimeoutError::Closed(_)) => Err(ApiError::not_found()),
        Err(mpsc::error::SendTimeoutError::Timeout(_)) => {
            Err(ApiError::say(ErrorCode::Busy, "What was sent before is not taken yet: try again."))
        }
    }
}
