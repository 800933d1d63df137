//! Watching: what the audit log gives reason to look at, what went wrong inside, and whom to tell.

pub mod alert;
pub mod fault;
pub mod message;
