//! Where tool servers are started that speak on their standard input and output: elsewhere, on a node.

use async_trait::async_trait;
use tokio::sync::{mpsc, watch};
use wardroom_core::{InstanceId, NodeId, tool::hosted::Variables};

/// A process that is wanted.
#[derive(Debug)]
pub struct Start {
    /// The tool server, as it is registered.
    pub server: String,
    /// The node.
    pub node: NodeId,
    /// The entry in the node's allow-list.
    pub entry: String,
    /// The digest of that, as the node published it.
    pub digest: String,
    /// What is put into its environment.
    pub environment: Variables,
}

/// A process that was started. Whoever drops its input stops it.
#[derive(Debug)]
pub struct Process {
    /// Its id.
    pub id: InstanceId,
    /// What it is to read.
    pub input: mpsc::Sender<Vec<u8>>,
    /// What it wrote; the end comes with its own.
    pub output: mpsc::Receiver<Vec<u8>>,
    /// How it ended, once it has.
    pub ended: watch::Receiver<Option<Ended>>,
}

/// How a process ended, or why none was started.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Ended {
    /// Whether it, rather than its node or whoever started it, is the reason.
    pub by_itself: bool,
    /// For people.
    pub message: String,
}

/// Starts processes on nodes.
#[async_trait]
pub trait Hosts: Send + Sync {
    /// Starts one. What comes back was really executed.
    async fn start(&self, start: Start) -> Result<Process, Ended>;
}
