//! A journal as it is kept: its entries are sealed under the key of whom the run works for.

use crate::{OrchestratorId, RunId, StepId, Timestamp};
use uuid::Uuid;

/// The longest entry, in bytes: what was asked for at the beginning, or what a tool gave back.
pub const ENTRY_BYTES_MAX: usize = 8 * 1024 * 1024;

/// An entry as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptEntry {
    /// Its id.
    pub id: StepId,
    /// Counts from 0 in the run.
    pub seq: u32,
    /// When it was written down.
    pub at: Timestamp,
    /// What it says, sealed.
    pub sealed: Vec<u8>,
}

/// A write to journals.
#[derive(Debug, Clone)]
pub enum JournalWrite {
    /// Entries behind those that are there. Fails where one of that number is there already, where the run has another
    /// fence by now, or where it is over: then somebody else carries it on.
    Append {
        /// The run.
        run: RunId,
        /// The lease.
        fence: i64,
        /// The entries.
        entries: Vec<KeptEntry>,
    },
    /// Nothing is written: fails unless the run has this fence and is carried on.
    Require {
        /// The run.
        run: RunId,
        /// The lease.
        fence: i64,
    },
    /// The run waits for these approvals and runs.
    Await {
        /// The run.
        run: RunId,
        /// For what.
        awaited: Vec<Uuid>,
    },
    /// The run waits for nothing.
    Unawait(RunId),
    /// The orchestrator is there: its claims hold longer.
    Hold {
        /// Which.
        holder: OrchestratorId,
        /// Until when.
        until: Timestamp,
    },
}
