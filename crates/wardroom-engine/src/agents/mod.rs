//! AI agents: their definitions, read and kept.

mod import;
mod keep;
mod located;
pub mod memory;
mod read;
pub mod threads;
mod words;
pub mod work;

pub use import::{Imported, of_agentrunner};
pub use keep::{Applied, Proposal, read_aside, with_plain_ends};
pub use located::Place;
pub use read::{DEFINITION_BYTES_MAX, Flaw, Flaws, read, schema};
