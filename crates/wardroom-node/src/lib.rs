//! The node daemon: runs what its own allow-list defines, in a sandbox, and remembers what it did.
//!
//! The orchestrator asks; this daemon decides by a local file that the orchestrator can't write. It
//! must never link the store, trust or server crates: nothing of theirs is needed to say no.

pub mod allowlist;
pub mod command_line;
pub mod daemon;
pub mod identity;
pub mod journal;
pub mod link;
pub mod machine;
pub mod runner;
pub mod sandbox;
