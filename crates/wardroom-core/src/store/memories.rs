//! The storage port of what agents remember of people.

use super::StoreResult;
use crate::{MemoryId, Timestamp, UserId, memory::Memory};
use async_trait::async_trait;

/// Reads what agents remember.
#[async_trait]
pub trait Memories: Send + Sync {
    /// Something by its id.
    async fn lookup_memory(&self, id: MemoryId) -> StoreResult<Option<Memory>>;
    /// What is remembered of a person at `now`, by one agent or by all, the last written first. There are at most
    /// [`MEMORIES_MAX`](crate::memory::MEMORIES_MAX) of each agent, and of all agents that many are told.
    async fn list_memories(
        &self,
        user: UserId,
        agent: Option<&str>,
        now: Timestamp,
    ) -> StoreResult<Vec<Memory>>;
}
