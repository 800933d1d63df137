//! Conversations with agents.

macro_rules! threads {
    ($store:ty, $db:ty) => {
        mod threads {
            use super::*;
            use crate::{error::of, repository::unsigned};
            use uuid::Uuid;
            use wardroom_core::{
                RunId, ThreadId, Timestamp, UserId,
                page::{Page, PageRequest},
                store::{StoreResult, ThreadKey, Threads},
                thread::{Thread, Turn},
            };

            type DbRow = <$db as sqlx::Database>::Row;

            fn thread(row: &DbRow) -> StoreResult<Thread> {
                let at = |column: &str| row.try_get(column).map(Timestamp::from_micros).map_err(of);
                let uuid = |column: &str| row.try_get::<Uuid, _>(column).map_err(of);
                Ok(Thread {
                    id: ThreadId::from_uuid(uuid("id")?),
                    user: UserId::from_uuid(uuid("user_id")?),
                    agent: row.try_get("agent").map_err(of)?,
                    title: row.try_get("title").map_err(of)?,
                    created_at: at("created_at")?,
                    updated_at: at("updated_at")?,
                })
            }

            #[async_trait::async_trait]
            impl Threads for $store {
                async fn lookup_thread(&self, id: ThreadId) -> StoreResult<Option<Thread>> {
                    let row = sqlx::query("SELECT * FROM threads WHERE id = $1").bind(id.uuid()).fetch_optional(self.reader()).await;
                    row.map_err(of)?.as_ref().map(thread).transpose()
                }

                async fn list_threads(
                    &self,
                    user: UserId,
                    agent: Option<&str>,
                    page: PageRequest<ThreadKey>,
                ) -> StoreResult<Page<Thread, ThreadKey>> {
                    let (at, id) = page.after.unwrap_or((Timestamp::from_micros(i64::MAX), ThreadId::from_uuid(Uuid::max())));
                    let rows = sqlx::query(
                        "SELECT * FROM threads WHERE user_id = $1 AND ($2 = '' OR agent = $2) AND (updated_at, id) < ($3, $4) \
                         ORDER BY updated_at DESC, id DESC LIMIT $5",
                    )
                    .bind(user.uuid())
                    .bind(agent.unwrap_or_default())
                    .bind(at.as_micros())
                    .bind(id.uuid())
                    .bind(i64::from(page.limit) + 1)
                    .fetch_all(self.reader())
                    .await;
                    let threads = rows.map_err(of)?.iter().map(thread).collect::<StoreResult<Vec<_>>>()?;
                    Ok(Page::cut(threads, page.limit, |thread| (thread.updated_at, thread.id)))
                }

                async fn list_turns(&self, thread: ThreadId, page: PageRequest<u32>) -> StoreResult<Page<Turn, u32>> {
                    let rows: Vec<(i64, Uuid)> = sqlx::query_as("SELECT seq, run FROM turns WHERE thread = $1 AND seq < $2 ORDER BY seq DESC LIMIT $3")
                        .bind(thread.uuid())
                        .bind(page.after.map_or(i64::MAX, i64::from))
                        .bind(i64::from(page.limit) + 1)
                        .fetch_all(self.reader())
                        .await
                        .map_err(of)?;
                    let turn = |(seq, run)| Ok(Turn { seq: unsigned("seq", seq)?, run: RunId::from_uuid(run) });
                    let turns = rows.into_iter().map(turn).collect::<StoreResult<Vec<_>>>()?;
                    Ok(Page::cut(turns, page.limit, |turn| turn.seq))
                }
            }
        }
    };
}
pub(crate) use threads;

macro_rules! thread_writes {
    ($db:ty) => {
        mod thread_writes {
            use super::*;
            use crate::repository::{guarded, statement as run};
            use wardroom_core::{
                store::StoreResult,
                thread::{THREADS_MAX, Thread, ThreadWrite},
            };

            type Connection = <$db as sqlx::Database>::Connection;

            /// Applies a write to threads.
            pub(super) async fn apply(c: &mut Connection, write: &ThreadWrite) -> StoreResult<()> {
                match write {
                    ThreadWrite::Begin(thread) => begin(c, thread).await,
                    ThreadWrite::Copy { thread, from, before } => {
                        held(c, from.uuid()).await?;
                        run!(c, "INSERT INTO turns (thread, seq, run) SELECT $1, t.seq, t.run FROM turns t JOIN threads o ON o.id = t.thread \
                            JOIN threads n ON n.id = $1 AND n.user_id = o.user_id AND n.agent = o.agent WHERE t.thread = $2 AND t.seq < $3",
                            thread.uuid(), from.uuid(), i64::from(*before));
                        Ok(())
                    }
                    ThreadWrite::Turn { thread, turn, at } => {
                        guarded("the thread", run!(c, "UPDATE threads SET updated_at = $2 WHERE id = $1", thread.uuid(), at.as_micros()))?;
                        // The run is there already, and no turn yet.
                        guarded("the thread", run!(c, "INSERT INTO turns (thread, seq, run) SELECT $1, $2, $3 \
                            WHERE (SELECT COUNT(*) FROM turns WHERE thread = $1) = $2 \
                            AND NOT EXISTS (SELECT 1 FROM turns t JOIN runs r ON r.id = t.run WHERE t.thread = $1 AND r.finished_at IS NULL) \
                            ON CONFLICT (thread, seq) DO NOTHING",
                            thread.uuid(), i64::from(turn.seq), turn.run.uuid()))
                    }
                    ThreadWrite::Retitle { thread, title } => guarded("the thread",
                        run!(c, "UPDATE threads SET title = $2 WHERE id = $1", thread.uuid(), title.clone())),
                    ThreadWrite::Remove(thread) => {
                        held(c, thread.uuid()).await?;
                        guarded("the thread", run!(c, "UPDATE threads SET id = id WHERE id = $1 AND NOT EXISTS \
                            (SELECT 1 FROM turns t JOIN runs r ON r.id = t.run WHERE t.thread = $1 AND r.finished_at IS NULL)", thread.uuid()))?;
                        // With what worked for them.
                        run!(c, "WITH RECURSIVE gone (id) AS (SELECT t.run FROM turns t WHERE t.thread = $1 \
                            AND NOT EXISTS (SELECT 1 FROM turns o WHERE o.run = t.run AND o.thread <> $1) \
                            UNION SELECT r.id FROM runs r JOIN gone g ON r.parent = g.id) \
                            DELETE FROM journal WHERE run IN (SELECT id FROM gone)", thread.uuid());
                        run!(c, "DELETE FROM threads WHERE id = $1", thread.uuid());
                        Ok(())
                    }
                }
            }

            /// Whoever writes to a thread, or takes turns of it, holds it until that is done: on PostgreSQL the next statement sees
            /// what others did until then.
            async fn held(c: &mut Connection, thread: uuid::Uuid) -> StoreResult<()> {
                guarded("the thread", run!(c, "UPDATE threads SET id = id WHERE id = $1", thread))
            }

            async fn begin(c: &mut Connection, t: &Thread) -> StoreResult<()> {
                guarded("room for a thread", run!(c, "UPDATE users SET id = id WHERE id = $1", t.user.uuid()))?;
                guarded("room for a thread", run!(c, "INSERT INTO threads (id, user_id, agent, title, created_at, updated_at) \
                    SELECT $1, $2, $3, $4, $5, $6 WHERE (SELECT COUNT(*) FROM threads WHERE user_id = $2) < $7",
                    t.id.uuid(), t.user.uuid(), t.agent.clone(), t.title.clone(), t.created_at.as_micros(), t.updated_at.as_micros(), THREADS_MAX))
            }
        }
    };
}
pub(crate) use thread_writes;
