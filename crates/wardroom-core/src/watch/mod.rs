//! Watching: what the audit log gives reason to look at, what went wrong inside, and whom to tell.

pub mod alert;
pub mod fault;
pub mod message;

use std::time::Duration;

/// How long what was seen to is remembered: acknowledged alerts, mended faults, messages that were given up.
pub const WATCH_MEMORY: Duration = Duration::from_secs(90 * 24 * 3600);
