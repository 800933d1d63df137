//! The gateway: people and agents reach tools through it, and only through it.
//!
//! It speaks every revision of the Model Context Protocol to both sides and puts policy, limits and a record on every
//! call. This crate must never start a process, listen on a socket or know HTTP routes: doors hand it messages and
//! callers, and it asks tool servers.

pub mod door;
pub mod era;
pub mod outbound;
pub mod registry;
pub mod rpc;
pub mod trace;
pub mod upstream;
