//! Policies that were in force. The newest one is.

use crate::Timestamp;

/// A policy at its place in history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredPolicy {
    /// Counts from 1.
    pub number: i64,
    /// The Cedar text.
    pub text: String,
    /// What its author says of it.
    pub note: String,
    /// Who put it in force.
    pub author: String,
    /// When.
    pub created_at: Timestamp,
}
