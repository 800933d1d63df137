//! Requests to servers with sessions that wait for what a client without a session has to say: the client was
//! answered, and comes again.

use super::request_state::GOOD_FOR;
use crate::{
    rpc::{Object, RpcError},
    upstream::{Event, Failure},
};
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, PoisonError},
};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::{CancellationToken, DropGuard};
use wardroom_core::{Timestamp, UserId};

/// Requests that wait, all together and of one account.
const PARKED_MAX: usize = 4096;
const PARKED_PER_USER_MAX: usize = 16;

/// A request that is under way at a tool server.
pub(super) struct UnderWay {
    /// What the server says meanwhile.
    pub(super) events: mpsc::Receiver<Event>,
    /// What came of it.
    pub(super) done: oneshot::Receiver<Result<Object, Failure>>,
    /// Goes off when nobody wants it any more.
    pub(super) cancel: CancellationToken,
    _guard: DropGuard,
}

impl UnderWay {
    pub(super) fn new(
        events: mpsc::Receiver<Event>,
        done: oneshot::Receiver<Result<Object, Failure>>,
        cancel: CancellationToken,
    ) -> Self {
        let guard = cancel.clone().drop_guard();
        Self { events, done, cancel, _guard: guard }
    }
}

/// Where a client's answer goes.
pub(super) type Answer = oneshot::Sender<Result<Object, RpcError>>;

/// A request that waits for its client.
pub(super) struct Parked {
    pub(super) under_way: UnderWay,
    /// What the server asked, and where each answer goes.
    pub(super) questions: BTreeMap<String, (Object, Answer)>,
    user: UserId,
    until: Timestamp,
}

impl Parked {
    pub(super) fn new(
        under_way: UnderWay,
        questions: BTreeMap<String, (Object, Answer)>,
        user: UserId,
        now: Timestamp,
    ) -> Self {
        Self { under_way, questions, user, until: now.plus(GOOD_FOR) }
    }
}

/// All requests that wait for their client.
#[derive(Default)]
pub(super) struct ParkedAsks(Mutex<HashMap<String, Parked>>);

impl ParkedAsks {
    /// Keeps one. `None` where too many wait already; then it is dropped, which ends it.
    pub(super) fn keep(&self, name: String, parked: Parked) -> Option<()> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let own = all.values().filter(|other| other.user == parked.user).count();
        if all.len() >= PARKED_MAX || own >= PARKED_PER_USER_MAX {
            return None;
        }
        all.insert(name, parked);
        Some(())
    }

    /// Takes one up again: once.
    pub(super) fn take(&self, name: &str, user: UserId) -> Option<Parked> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.get(name)?.user != user {
            return None;
        }
        all.remove(name)
    }

    /// Ends those whose client did not come again.
    pub(super) fn tidy(&self, now: Timestamp) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, parked| now < parked.until);
    }
}
