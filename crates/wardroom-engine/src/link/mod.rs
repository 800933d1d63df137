//! Open node links: what travels in domain terms, and who is linked here.

mod allowance;
mod dispatch;
mod held;
mod instances;
mod open;
mod reconcile;
mod renew;
mod reports;
mod slots;

pub(crate) use allowance::Allowance;
pub use instances::{PIECE_BYTES_MAX, PIECES_MAX};
pub use open::Link;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};
use wardroom_core::{
    InstanceId, NodeId, RunId, Timestamp,
    command::Parameters,
    run::{Outcome, OutputChunk},
    tool::hosted::{INSTANCES_MAX, Variables},
};

/// Frames for one node that may wait to be sent. Enough for an offer and a stop of every run that it may
/// hold, an answer to every report of it that may wait, and all that may be on its way to its tool servers.
pub const FRAMES_WAITING_MAX: usize =
    1024 + (INSTANCES_MAX * (2 * instances::PIECES_MAX + 2)) as usize;
/// Reports of one node that may wait to be recorded.
pub const REPORTS_WAITING_MAX: u32 = 256;
/// The most output that is kept of one attempt, in bytes, whatever the node's own limit says.
pub const OUTPUT_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// The most runs that one node may hold, whatever it asks for.
pub const HELD_MAX: u32 = 256;

/// What goes to a node.
#[derive(Debug)]
pub enum ToNode {
    /// Run this.
    Offer {
        /// The run.
        run: RunId,
        /// Its fencing token.
        fence: i64,
        /// The command.
        command: String,
        /// Digest of the definition that the submitter saw.
        digest: String,
        /// What digests of the values are mixed with.
        salt: String,
        /// The values.
        parameters: Parameters,
        /// When it must be over.
        deadline: Option<Timestamp>,
    },
    /// Stop it.
    Cancel {
        /// The run.
        run: RunId,
        /// Its fencing token.
        fence: i64,
    },
    /// This much is durable.
    Recorded {
        /// The run.
        run: RunId,
        /// Its fencing token.
        fence: i64,
        /// Chunks below this number.
        chunks: u32,
        /// The end as well.
        finished: bool,
    },
    /// Not yours: stop and forget it.
    Discard {
        /// The run.
        run: RunId,
        /// The fencing token that was refused.
        fence: i64,
    },
    /// Start a process of a tool server.
    StartInstance {
        /// The instance.
        instance: InstanceId,
        /// The entry in the node's allow-list.
        server: String,
        /// The digest of that, as the node published it.
        digest: String,
        /// What is put into its environment.
        environment: Variables,
    },
    /// A piece of an instance's input.
    InstanceInput {
        /// The instance.
        instance: InstanceId,
        /// At most [`PIECE_BYTES_MAX`].
        bytes: Vec<u8>,
    },
    /// Pieces of an instance's output were taken.
    InstanceTook {
        /// The instance.
        instance: InstanceId,
        /// How many.
        pieces: u32,
    },
    /// Stop an instance.
    StopInstance {
        /// The instance.
        instance: InstanceId,
    },
}

/// Why a link closes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goodbye {
    /// The node was disabled.
    Disabled,
    /// The node was removed.
    Removed,
    /// The node opened another link.
    Replaced,
    /// The node said something that makes no sense.
    Protocol(&'static str),
    /// The store can't take the node's reports now; it keeps them and comes back.
    Store,
    /// The node does not take what is sent to it.
    Slow,
    /// The orchestrator goes down.
    Shutdown,
}

/// What a node says about one of its runs.
#[derive(Debug, Clone)]
pub struct Report {
    /// The run.
    pub run: RunId,
    /// Its fencing token.
    pub fence: i64,
    /// What.
    pub what: What,
}

/// What a node says.
#[derive(Debug, Clone)]
pub enum What {
    /// It is in the node's journal.
    Accepted,
    /// The node's allow-list refuses it.
    Refused {
        /// Why, as a code.
        code: String,
        /// Why, for people.
        message: String,
    },
    /// The program was started.
    Started(Timestamp),
    /// A piece of output.
    Output(OutputChunk),
    /// It is over.
    Finished {
        /// How many pieces of output there were.
        chunks: u32,
        /// When the program started.
        started_at: Option<Timestamp>,
        /// How it ended.
        outcome: Outcome,
    },
}

/// A run that a node says it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Held {
    /// The run.
    pub run: RunId,
    /// Its fencing token.
    pub fence: i64,
}

/// The links that are open here.
#[derive(Default)]
pub(crate) struct Links(Mutex<HashMap<NodeId, Arc<Link>>>);

impl Links {
    pub(crate) fn get(&self, node: NodeId) -> Option<Arc<Link>> {
        self.lock().get(&node).cloned()
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    /// Puts a link in; gives the one that it replaces.
    pub(crate) fn put(&self, link: Arc<Link>) -> Option<Arc<Link>> {
        self.lock().insert(link.node(), link)
    }

    /// Takes a link out, unless another has replaced it.
    pub(crate) fn take(&self, link: &Arc<Link>) -> bool {
        let mut links = self.lock();
        let ours = links.get(&link.node()).is_some_and(|found| Arc::ptr_eq(found, link));
        if ours {
            links.remove(&link.node());
        }
        ours
    }

    pub(crate) fn all(&self) -> Vec<Arc<Link>> {
        self.lock().values().cloned().collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<NodeId, Arc<Link>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
