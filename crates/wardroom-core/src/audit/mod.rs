//! The audit log: what a record says, and the Merkle arithmetic that keeps it honest.

pub mod export;
pub mod merkle;
mod record;
pub use record::{
    AuditDraft, AuditOutcome, AuditRecord, DETAIL_BYTES_MAX, PersonalDetail, SEALED_PREFIX,
};

use crate::Timestamp;

/// A record at its place in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// Its leaf index.
    pub index: u64,
    /// The canonical JSON that is hashed.
    pub body: String,
    /// The leaf hash as stored.
    pub leaf: merkle::Hash,
}

/// A signed statement of the log's size and root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditCheckpoint {
    /// How many records it covers.
    pub size: u64,
    /// The Merkle root over them.
    pub root: merkle::Hash,
    /// When it was signed.
    pub at: Timestamp,
    /// The signed note (C2SP tlog-checkpoint).
    pub note: String,
}
