//! The engine: takes runs in, gives them to nodes, and brings every one of them to one end.
//!
//! The database is the queue and the truth; everything held in memory here is a cache of it or a
//! hint about it. This crate must never know HTTP: a door hands it domain values and gets them back.

pub mod agents;
pub mod approvals;
pub mod audit;
pub mod desk;
pub mod disclosure;
mod engine;
mod error;
mod gateway;
pub mod hub;
pub mod keys;
pub mod link;
pub mod measure;
pub mod models;
pub mod nodes;
pub mod people;
pub mod runs;
mod secrets;
mod ticker;
pub mod token_keys;
pub mod watch;

pub use engine::{Engine, Parts};
pub use error::EngineError;
pub use runs::Values;
pub use ticker::TICK;
