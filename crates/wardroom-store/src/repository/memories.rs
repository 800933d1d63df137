//! What agents remember of people.

macro_rules! memories {
    ($store:ty, $db:ty) => {
        mod memories {
            use super::*;
            use crate::{error::of, repository::{fixed, unsigned}};
            use uuid::Uuid;
            use wardroom_core::{
                MemoryId, Timestamp, UserId,
                memory::Memory,
                page::{Page, PageRequest},
                person::BlindIndex,
                store::{Memories, StoreResult},
            };

            type DbRow = <$db as sqlx::Database>::Row;

            fn memory(row: &DbRow) -> StoreResult<Memory> {
                let at = |column: &str| row.try_get(column).map(Timestamp::from_micros).map_err(of);
                let uuid = |column: &str| row.try_get::<Uuid, _>(column).map_err(of);
                Ok(Memory {
                    id: MemoryId::from_uuid(uuid("id")?),
                    user: UserId::from_uuid(uuid("user_id")?),
                    agent: row.try_get("agent").map_err(of)?,
                    namespace: row.try_get("namespace").map_err(of)?,
                    index: BlindIndex(fixed("key_index", row.try_get("key_index").map_err(of)?)?),
                    sealed: row.try_get("sealed").map_err(of)?,
                    size_bytes: unsigned("size_bytes", row.try_get("size_bytes").map_err(of)?)?,
                    written_at: at("written_at")?,
                    expires_at: at("expires_at")?,
                })
            }

            #[async_trait::async_trait]
            impl Memories for $store {
                async fn lookup_memory(&self, id: MemoryId) -> StoreResult<Option<Memory>> {
                    let row = sqlx::query("SELECT * FROM memories WHERE id = $1").bind(id.uuid()).fetch_optional(self.reader()).await;
                    row.map_err(of)?.as_ref().map(memory).transpose()
                }

                async fn lookup_memory_by_index(&self, index: BlindIndex, now: Timestamp) -> StoreResult<Option<Memory>> {
                    let row = sqlx::query("SELECT * FROM memories WHERE key_index = $1 AND expires_at > $2")
                        .bind(index.0.to_vec())
                        .bind(now.as_micros())
                        .fetch_optional(self.reader())
                        .await;
                    row.map_err(of)?.as_ref().map(memory).transpose()
                }

                async fn list_memories(
                    &self,
                    user: UserId,
                    agent: Option<&str>,
                    now: Timestamp,
                    page: PageRequest<MemoryId>,
                ) -> StoreResult<Page<Memory, MemoryId>> {
                    // Ids are made when something is written, and go up with time.
                    let rows = sqlx::query(
                        "SELECT * FROM memories WHERE user_id = $1 AND ($2 = '' OR agent = $2) AND expires_at > $3 AND id < $4 \
                         ORDER BY id DESC LIMIT $5",
                    )
                    .bind(user.uuid())
                    .bind(agent.unwrap_or_default())
                    .bind(now.as_micros())
                    .bind(page.after.map_or(Uuid::max(), MemoryId::uuid))
                    .bind(i64::from(page.limit) + 1)
                    .fetch_all(self.reader())
                    .await;
                    let memories = rows.map_err(of)?.iter().map(memory).collect::<StoreResult<Vec<_>>>()?;
                    Ok(Page::cut(memories, page.limit, |memory| memory.id))
                }
            }
        }
    };
}
pub(crate) use memories;

macro_rules! memory_writes {
    ($db:ty) => {
        mod memory_writes {
            use super::*;
            use crate::repository::{guarded, statement as run};
            use wardroom_core::{
                memory::{MEMORIES_MAX, MemoryWrite},
                store::StoreResult,
            };

            type Connection = <$db as sqlx::Database>::Connection;

            /// Applies a write to what is remembered.
            pub(super) async fn apply(c: &mut Connection, write: &MemoryWrite) -> StoreResult<()> {
                match write {
                    MemoryWrite::Put { memory: m, bytes_max } => {
                        // Held: on PostgreSQL what others write meanwhile would count for nothing. Of who was erased nothing is kept.
                        guarded("the account", run!(c, "UPDATE users SET id = id WHERE id = $1 AND state <> 'erased'", m.user.uuid()))?;
                        // What stands under the key is another one's room, and what is forgotten takes none.
                        guarded("room for a memory", run!(c, "INSERT INTO memories (id, user_id, agent, namespace, key_index, sealed, size_bytes, written_at, expires_at) \
                            SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9 \
                            WHERE (SELECT COUNT(*) FROM memories WHERE user_id = $2 AND agent = $3 AND key_index <> $5 AND expires_at > $8) < $10 \
                            AND (SELECT COALESCE(SUM(size_bytes), 0) FROM memories WHERE user_id = $2 AND agent = $3 AND key_index <> $5 AND expires_at > $8) + $7 <= $11 \
                            ON CONFLICT (key_index) DO UPDATE SET id = $1, sealed = $6, size_bytes = $7, written_at = $8, expires_at = $9",
                            m.id.uuid(), m.user.uuid(), m.agent.clone(), m.namespace.clone(), m.index.0.to_vec(), m.sealed.clone(),
                            i64::from(m.size_bytes), m.written_at.as_micros(), m.expires_at.as_micros(), MEMORIES_MAX, i64::from(*bytes_max)))
                    }
                    MemoryWrite::Remove(id) => guarded("the memory", run!(c, "DELETE FROM memories WHERE id = $1", id.uuid())),
                    MemoryWrite::RemoveByIndex(index) => {
                        guarded("the memory", run!(c, "DELETE FROM memories WHERE key_index = $1", index.0.to_vec()))
                    }
                    MemoryWrite::RemoveAll { user, agent } => {
                        guarded("the memory", run!(c, "DELETE FROM memories WHERE user_id = $1 AND agent = $2", user.uuid(), agent.clone()))
                    }
                    MemoryWrite::RemoveOf(user) => {
                        run!(c, "DELETE FROM memories WHERE user_id = $1", user.uuid());
                        Ok(())
                    }
                }
            }
        }
    };
}
pub(crate) use memory_writes;
