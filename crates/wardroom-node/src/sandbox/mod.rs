//! The sandbox: every program that this node starts runs inside it.
//!
//! The daemon starts its own binary a second time, which has one thread and so may fork: a launcher for
//! each run. The launcher leaves the host's namespaces, confines itself and becomes the program. The
//! program's process namespace dies as a whole with the program, with a limit, with a cancellation and
//! with the daemon.

mod confine;
mod filters;
mod forker;
pub mod launcher;
mod spec;
mod supervise;
mod sys;

pub use forker::Forker;
pub use spec::{Ability, Access, FailCode, Limits, RunAs, Spec};
pub use supervise::{Chunk, End, Outcome, Sandbox, SandboxError};
