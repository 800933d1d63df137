//! Journals of runs that the orchestrator itself carries on.

macro_rules! journals {
    ($store:ty, $db:ty) => {
        mod journals {
            use super::*;
            use crate::{error::of, repository::unsigned};
            use uuid::Uuid;
            use wardroom_core::{
                OrchestratorId, RunId, StepId, Timestamp,
                page::Page,
                run::Run,
                steps::KeptEntry,
                store::{JOURNAL_BYTES_MAX, Journals, StoreResult},
            };

            fn ids(rows: Vec<Uuid>) -> Vec<RunId> {
                rows.into_iter().map(RunId::from_uuid).collect()
            }

            #[async_trait::async_trait]
            impl Journals for $store {
                async fn list_journal(&self, run: RunId, from: u32, limit: u32) -> StoreResult<Page<KeptEntry, u32>> {
                    let lengths: Vec<(i64, i64)> = sqlx::query_as(
                        "SELECT seq, CAST(LENGTH(sealed) AS BIGINT) FROM journal WHERE run = $1 AND seq >= $2 ORDER BY seq LIMIT $3",
                    )
                    .bind(run.uuid())
                    .bind(i64::from(from))
                    .bind(i64::from(limit) + 1)
                    .fetch_all(self.reader())
                    .await
                    .map_err(of)?;
                    let mut bytes = 0;
                    let fits = |(at, (_, length)): (usize, &(i64, i64))| {
                        bytes += unsigned::<u64>("length", *length).unwrap_or(u64::MAX);
                        at == 0 || at < limit as usize && bytes <= JOURNAL_BYTES_MAX
                    };
                    let taken = lengths.iter().enumerate().map(fits).take_while(|fits| *fits).count();
                    let next = lengths.get(taken).map(|(seq, _)| unsigned("seq", *seq)).transpose()?;
                    let rows = sqlx::query("SELECT id, seq, at, sealed FROM journal WHERE run = $1 AND seq >= $2 ORDER BY seq LIMIT $3")
                        .bind(run.uuid())
                        .bind(i64::from(from))
                        .bind(taken as i64)
                        .fetch_all(self.reader())
                        .await
                        .map_err(of)?;
                    let entry = |row: &<$db as sqlx::Database>::Row| {
                        Ok(KeptEntry {
                            id: StepId::from_uuid(row.try_get("id").map_err(of)?),
                            seq: unsigned("seq", row.try_get("seq").map_err(of)?)?,
                            at: Timestamp::from_micros(row.try_get("at").map_err(of)?),
                            sealed: row.try_get("sealed").map_err(of)?,
                        })
                    };
                    let items = rows.iter().map(entry).collect::<StoreResult<_>>()?;
                    Ok(Page { items, next })
                }

                async fn list_queued_here(&self, limit: u32) -> StoreResult<Vec<Run>> {
                    let rows = sqlx::query("SELECT * FROM runs WHERE state = 'queued' AND target_kind = 'here' ORDER BY priority DESC, COALESCE(not_before, queued_at), id LIMIT $1")
                        .bind(i64::from(limit))
                        .fetch_all(self.reader())
                        .await
                        .map_err(of)?;
                    super::runs::all(rows)
                }

                async fn list_waiting_since(
                    &self,
                    queued: (Timestamp, Timestamp),
                    waits: (Timestamp, Timestamp),
                    limit: u32,
                ) -> StoreResult<Vec<Run>> {
                    let rows = sqlx::query(
                        "SELECT * FROM runs WHERE target_kind = 'here' AND finished_at IS NULL AND \
                         ((state = 'queued' AND started_at IS NULL AND queued_at > $1 AND queued_at <= $2) OR (waits_since > $3 AND waits_since <= $4)) \
                         ORDER BY id LIMIT $5",
                    )
                    .bind(queued.0.as_micros())
                    .bind(queued.1.as_micros())
                    .bind(waits.0.as_micros())
                    .bind(waits.1.as_micros())
                    .bind(i64::from(limit))
                    .fetch_all(self.reader())
                    .await
                    .map_err(of)?;
                    super::runs::all(rows)
                }

                async fn list_held_here(&self, but: OrchestratorId, limit: u32) -> StoreResult<Vec<Run>> {
                    let rows = sqlx::query("SELECT * FROM runs WHERE holder IS NOT NULL AND holder <> $1 LIMIT $2")
                        .bind(but.uuid())
                        .bind(i64::from(limit))
                        .fetch_all(self.reader())
                        .await
                        .map_err(of)?;
                    super::runs::all(rows)
                }

                async fn list_awaiting(&self, awaited: Uuid) -> StoreResult<Vec<RunId>> {
                    let rows = sqlx::query_scalar("SELECT run FROM run_waits WHERE awaited = $1 ORDER BY run")
                        .bind(awaited)
                        .fetch_all(self.reader())
                        .await;
                    rows.map(ids).map_err(of)
                }

                async fn list_wakeable(&self, now: Timestamp, limit: u32) -> StoreResult<Vec<RunId>> {
                    let rows = sqlx::query_scalar(
                        "SELECT r.id FROM runs r WHERE r.waits_since IS NOT NULL AND r.id IN ( \
                           SELECT w.run FROM run_waits w JOIN approvals a ON a.id = w.awaited \
                             WHERE a.approved IS NOT NULL OR a.used_at IS NOT NULL OR a.expires_at <= $1 \
                           UNION SELECT w.run FROM run_waits w JOIN runs c ON c.id = w.awaited WHERE c.finished_at IS NOT NULL \
                         ) ORDER BY r.waits_since LIMIT $2",
                    )
                    .bind(now.as_micros())
                    .bind(i64::from(limit))
                    .fetch_all(self.reader())
                    .await;
                    rows.map(ids).map_err(of)
                }
            }
        }
    };
}
pub(crate) use journals;

macro_rules! journal_writes {
    ($db:ty) => {
        mod journal_writes {
            use super::*;
            use crate::repository::{guarded, statement as run};
            use wardroom_core::{steps::JournalWrite, store::StoreResult};

            type Connection = <$db as sqlx::Database>::Connection;

            /// Applies a write to journals.
            pub(super) async fn apply(c: &mut Connection, write: &JournalWrite) -> StoreResult<()> {
                match write {
                    JournalWrite::Append { run: id, fence, entries } => {
                        for entry in entries {
                            guarded("the run", run!(c, "INSERT INTO journal (id, run, seq, at, sealed) SELECT $1, $2, $3, $4, $5 \
                                WHERE EXISTS (SELECT 1 FROM runs WHERE id = $2 AND fence = $6 AND finished_at IS NULL) ON CONFLICT (run, seq) DO NOTHING",
                                entry.id.uuid(), id.uuid(), i64::from(entry.seq), entry.at.as_micros(), entry.sealed.clone(), *fence))?;
                        }
                    }
                    // An update that changes nothing: it holds the row until the change is durable.
                    JournalWrite::Require { run: id, fence } => guarded("the run",
                        run!(c, "UPDATE runs SET id = id WHERE id = $1 AND fence = $2 AND holder IS NOT NULL", id.uuid(), *fence))?,
                    JournalWrite::Await { run: id, awaited } => {
                        for awaited in awaited {
                            run!(c, "INSERT INTO run_waits (awaited, run) VALUES ($1, $2) ON CONFLICT DO NOTHING", *awaited, id.uuid());
                        }
                    }
                    JournalWrite::Unawait(id) => {
                        run!(c, "DELETE FROM run_waits WHERE run = $1", id.uuid());
                    }
                    JournalWrite::Hold { holder, until } => {
                        run!(c, "UPDATE runs SET lease_until = $2 WHERE holder = $1", holder.uuid(), until.as_micros());
                    }
                }
                Ok(())
            }
        }
    };
}
pub(crate) use journal_writes;
