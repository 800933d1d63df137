//! The storage port of what agents remember of people.

use super::StoreResult;
use crate::{
    MemoryId, Timestamp, UserId,
    memory::Memory,
    page::{Page, PageRequest},
    person::BlindIndex,
};
use async_trait::async_trait;

/// Reads what agents remember.
#[async_trait]
pub trait Memories: Send + Sync {
    /// Something by its id.
    async fn lookup_memory(&self, id: MemoryId) -> StoreResult<Option<Memory>>;
    /// Something that is not forgotten at `now`, by its index.
    async fn lookup_memory_by_index(
        &self,
        index: BlindIndex,
        now: Timestamp,
    ) -> StoreResult<Option<Memory>>;
    /// What is remembered of a person at `now`, by one agent or by all, the last written first.
    async fn list_memories(
        &self,
        user: UserId,
        agent: Option<&str>,
        now: Timestamp,
        page: PageRequest<MemoryId>,
    ) -> StoreResult<Page<Memory, MemoryId>>;
}
