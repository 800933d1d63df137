//! The storage port of journals, and of the runs that have one.

use super::StoreResult;
use crate::{OrchestratorId, RunId, Timestamp, page::Page, run::Run, steps::KeptEntry};
use async_trait::async_trait;
use uuid::Uuid;

/// What of a journal is read at a time, in bytes.
pub const JOURNAL_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// Reads journals.
#[async_trait]
pub trait Journals: Send + Sync {
    /// Entries of a run's journal from number `from` on, in order; at most `limit`, and at most [`JOURNAL_BYTES_MAX`] (but at
    /// least one where there is one). The page's end is where to go on.
    async fn list_journal(
        &self,
        run: RunId,
        from: u32,
        limit: u32,
    ) -> StoreResult<Page<KeptEntry, u32>>;
    /// Runs that wait for an orchestrator to carry them on, by priority, then how long they wait.
    async fn list_queued_here(&self, limit: u32) -> StoreResult<Vec<Run>>;
    /// Runs that orchestrators other than `but` carry on.
    async fn list_held_here(&self, but: OrchestratorId, limit: u32) -> StoreResult<Vec<Run>>;
    /// Runs that wait for this approval or run.
    async fn list_awaiting(&self, awaited: Uuid) -> StoreResult<Vec<RunId>>;
    /// Runs that nobody took up since a time within the first span, or that wait for a person or another run since one within
    /// the second: after its first and until its second moment.
    async fn list_waiting_since(
        &self,
        queued: (Timestamp, Timestamp),
        waits: (Timestamp, Timestamp),
        limit: u32,
    ) -> StoreResult<Vec<Run>>;
    /// Runs that wait for something that is decided or over at `now`.
    async fn list_wakeable(&self, now: Timestamp, limit: u32) -> StoreResult<Vec<RunId>>;
}
