//! Watching: alerts out of the audit log, faults, and messages to the outside.

mod agents;
mod alerts;
mod clock;
mod faults;
mod messages;

pub(crate) use clock::Watched;
pub(crate) use messages::LETTER;
pub use messages::{Letter, Outlets};
