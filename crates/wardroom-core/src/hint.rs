//! Hints: «something changed there, look again». Losing one costs latency, never work.

use crate::{ApprovalId, CustomerId, NodeId, PersonId, RunId, ServiceRequestId};
use serde::{Deserialize, Serialize};

/// What changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", content = "id", rename_all = "snake_case")]
pub enum Hint {
    /// A run's state or output.
    Run(RunId),
    /// A node's record, catalogue or state.
    Node(NodeId),
    /// Something may be waiting for this node to take.
    Queue(NodeId),
    /// Something may be waiting for an orchestrator to carry it on.
    Here,
    /// This run, which an orchestrator carries on, is to stop.
    Halt(RunId),
    /// A person wants this run, which this node holds, to stop.
    Cancel(NodeId),
    /// A node was disabled or removed: its connection must go at once.
    Sever(NodeId),
    /// A person's key changed or was destroyed.
    Person(PersonId),
    /// Keys of many people changed.
    People,
    /// A customer's record, operators or key.
    Customer(CustomerId),
    /// A request, or what was said about it.
    Request(ServiceRequestId),
    /// The services.
    Services,
    /// The blocked networks.
    Blocks,
    /// The tool servers, or what one of them offers.
    Tools,
    /// An approval that was asked for, decided or used.
    Approval(ApprovalId),
    /// The policy in force.
    Policy,
    /// New audit records.
    Audit,
    /// Hints may have been lost: look at everything again.
    Resync,
}

/// Where the store tells of what it has committed.
pub trait HintSink: Send + Sync + 'static {
    /// Takes one hint; must not block.
    fn publish(&self, hint: Hint);
}
