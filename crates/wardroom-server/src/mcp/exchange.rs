//! One request and what comes back: notifications as they come, then the answer.

use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::Instrument as _;
use wardroom_gateway::{
    door::{Client, Gateway},
    rpc::{Object, Request, RpcError, response},
};

/// A request that is worked on.
pub(super) struct Exchange {
    /// What is said before the answer.
    pub(super) notes: mpsc::Receiver<String>,
    /// The answer.
    pub(super) done: oneshot::Receiver<Answered>,
    /// Ends the request when whoever asked is gone; nothing where it goes on without them.
    pub(super) guard: Option<DropGuard>,
}

/// An answer, as it is sent.
pub(super) struct Answered {
    /// The message.
    pub(super) text: String,
    /// The error, where it is one.
    pub(super) error: Option<RpcError>,
}

impl Answered {
    pub(super) fn of(
        id: Option<&wardroom_gateway::rpc::Id>,
        outcome: &Result<Object, RpcError>,
    ) -> Self {
        Self { text: response(id, outcome), error: outcome.as_ref().err().cloned() }
    }
}

/// Begins to work on a request. `kept` is held for as long as that takes.
pub(super) fn begin<K: Send + 'static>(
    gateway: &Arc<Gateway>,
    client: Client,
    request: Request,
    notes: mpsc::Receiver<String>,
    guard: Option<CancellationToken>,
    kept: K,
) -> Exchange {
    let (sender, done) = oneshot::channel();
    let gateway = Arc::clone(gateway);
    let work = async move {
        let _kept = kept;
        let id = request.id.clone();
        let outcome = gateway.answer(&client, request).await;
        let answered = Answered::of(Some(&id), &outcome);
        // What was said before is taken before: the answer closes what it belongs to.
        drop(client);
        let _ = sender.send(answered);
    };
    tokio::spawn(work.in_current_span());
    Exchange { notes, done, guard: guard.map(CancellationToken::drop_guard) }
}
