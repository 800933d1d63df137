//! The domain of Wardroom: identifiers, types, pure state machines, ports and Merkle arithmetic.
//!
//! Everything here is a pure function of its arguments. This crate must never do IO, read a clock or
//! a random source by itself, or name tokio, sqlx or axum: time and randomness come in through
//! [`Clock`] and [`Rng`], and storage through the traits of [`store`].

pub mod action;
pub mod agent;
pub mod approval;
pub mod audit;
pub mod block;
pub mod causes;
pub mod change;
pub mod command;
pub mod desk;
pub mod digest;
pub mod field;
pub mod hint;
pub mod id;
pub mod identity;
pub mod memory;
pub mod model;
pub mod named;
pub mod nearest;
pub mod node;
pub mod oauth;
pub mod page;
pub mod person;
pub mod plain;
pub mod policy;
pub mod principal;
pub mod redact;
pub mod rng;
pub mod run;
pub mod sealed;
pub mod secret;
pub mod steps;
pub mod store;
pub mod thread;
pub mod time;
pub mod tool;
pub mod watch;

pub use action::Action;
pub use id::{
    AgentId, AlertId, ApiTokenId, ApprovalId, AttachmentId, BudgetId, CustomerId, FactorId,
    IdError, InstanceId, JoinTokenId, LinkId, MemoryId, MessageId, ModelCallId, NodeId, NoteId,
    OauthClientId, OrchestratorId, PassId, PersonId, RequestId, RunId, SavedViewId, ServiceId,
    ServiceRequestId, SessionId, StepId, ThreadId, ToolAccountId, ToolCallId, ToolServerId, UserId,
};
pub use plain::plain_name;
pub use principal::{Door, Origin, Principal, Role};
pub use rng::Rng;
pub use time::{Clock, Timestamp};
