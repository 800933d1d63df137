//! A run that this node holds: from its acceptance to the moment when the orchestrator has its end.

use super::Output;
use crate::journal::{Asked, OpenRun};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use wardroom_wire::link::ResultShape;

/// A run that this node holds.
#[derive(Debug)]
pub struct Held {
    /// The run.
    pub run: String,
    /// What is run.
    pub asked: Asked,
    /// Goes off when it must stop.
    pub cancel: CancellationToken,
    /// Goes off when the orchestrator has its end, or does not want it.
    pub forget: CancellationToken,
    /// Goes off when nothing of it is executed any more.
    pub done: CancellationToken,
    pub(crate) output: Output,
    pub(crate) state: Mutex<State>,
    pub(crate) changed: Notify,
}

/// What becomes of it.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) fence: i64,
    /// Counts leases under which this node had it: with a new one, everything is told from the start.
    pub(crate) lease: u64,
    /// It is durable and the orchestrator was told so.
    pub(crate) accepted: bool,
    pub(crate) started_at: Option<String>,
    pub(crate) finished: Option<ResultShape>,
    /// Pieces of output that the orchestrator has, as far as it said so on this connection.
    pub(crate) recorded: u32,
}

impl Held {
    /// A run that is about to be accepted.
    pub fn new(
        run: String,
        fence: i64,
        cancel: CancellationToken,
        asked: Asked,
        output: Output,
    ) -> Arc<Self> {
        Arc::new(Self {
            run,
            asked,
            cancel,
            forget: CancellationToken::new(),
            done: CancellationToken::new(),
            output,
            state: Mutex::new(State { fence, ..State::default() }),
            changed: Notify::new(),
        })
    }

    /// A run of an earlier process, with what is kept of its output.
    pub fn found(open: &OpenRun, output: Output) -> Arc<Self> {
        let cancel = CancellationToken::new();
        let held = Self::new(open.run.clone(), open.fence, cancel, open.asked.clone(), output);
        held.done.cancel();
        held.accepted();
        if let Some(finish) = &open.finished {
            held.finish(finish.result.clone());
        }
        held
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its current fencing token.
    pub fn fence(&self) -> i64 {
        self.state().fence
    }

    /// How it ended, if it has.
    pub fn finished(&self) -> Option<ResultShape> {
        self.state().finished.clone()
    }

    /// From now on what becomes of it is told.
    pub fn accepted(&self) {
        self.state().accepted = true;
        self.changed.notify_one();
    }

    /// A newer lease takes it over: all is told again, under that one.
    pub fn adopt(&self, fence: i64) {
        let mut state = self.state();
        state.fence = fence;
        state.lease += 1;
        state.recorded = 0;
        drop(state);
        self.changed.notify_one();
    }

    /// The offer came again: all is told again.
    pub fn repeat(&self) {
        let fence = self.fence();
        self.adopt(fence);
    }

    /// The orchestrator has the pieces of output below `chunks`.
    pub fn recorded(&self, chunks: u32) {
        let mut state = self.state();
        state.recorded = state.recorded.max(chunks.min(self.output.chunks()));
        drop(state);
        self.changed.notify_one();
    }

    /// The connection is gone: what the orchestrator has is not known until it says so again.
    pub fn disconnected(&self) {
        self.state().recorded = 0;
    }

    pub(crate) fn started(&self, at: String) {
        self.state().started_at = Some(at);
        self.changed.notify_one();
    }

    pub(crate) fn finish(&self, result: ResultShape) {
        self.state().finished = Some(result);
        self.changed.notify_one();
    }
}
