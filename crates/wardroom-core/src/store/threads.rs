//! The storage port of threads.

use super::StoreResult;
use crate::{
    ThreadId, Timestamp, UserId,
    page::{Page, PageRequest},
    thread::{Thread, Turn},
};
use async_trait::async_trait;

/// By what a list of threads goes on: when the last turn of the one before began, and its id.
pub type ThreadKey = (Timestamp, ThreadId);

/// Reads threads.
#[async_trait]
pub trait Threads: Send + Sync {
    /// A thread by its id.
    async fn lookup_thread(&self, id: ThreadId) -> StoreResult<Option<Thread>>;
    /// A person's threads, with one agent or with all, the last used first.
    async fn list_threads(
        &self,
        user: UserId,
        agent: Option<&str>,
        page: PageRequest<ThreadKey>,
    ) -> StoreResult<Page<Thread, ThreadKey>>;
    /// A thread's turns, the last first.
    async fn list_turns(
        &self,
        thread: ThreadId,
        page: PageRequest<u32>,
    ) -> StoreResult<Page<Turn, u32>>;
}
