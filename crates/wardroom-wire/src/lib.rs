//! The shapes of Wardroom's protocols: REST under `/api/v1`, the node link, and error codes.
//!
//! Types here are what travels, nothing more. This crate must never depend on the domain: a client
//! that compiles against it sees no orchestrator's internals, and the domain may change without it.

pub mod agents;
pub mod api;
pub mod approvals;
pub mod desk;
pub mod error;
pub mod identity;
pub mod link;
pub mod memories;
pub mod models;
pub mod oauth;
pub mod security;
pub mod threads;
pub mod tools;
