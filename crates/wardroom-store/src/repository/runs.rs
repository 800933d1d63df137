//! Runs and their output.

macro_rules! runs {
    ($store:ty, $db:ty) => {
        mod runs {
            use super::*;
            use crate::{error::of, repository::{first_id_at, named, parse, unsigned}};
            use sqlx::QueryBuilder;
            use uuid::Uuid;
            use wardroom_core::{
                CustomerId, OrchestratorId, NodeId, RunId, ServiceRequestId, Timestamp, UserId,
                page::{Page, PageRequest},
                run::{Candidate, OutputChunk, RetryPolicy, Run, RunState, WAIT_MAX},
                store::{Extent, HourCount, OUTPUT_CHUNKS_MAX, RunFilter, Runs, StoreResult},
            };

            type DbRow = <$db as sqlx::Database>::Row;

            const HOUR_MICROS: i64 = 3_600_000_000;

            fn time(row: &DbRow, column: &str) -> StoreResult<Option<Timestamp>> {
                Ok(row.try_get::<Option<i64>, _>(column).map_err(of)?.map(Timestamp::from_micros))
            }

            fn id(row: &DbRow, column: &str) -> StoreResult<Option<Uuid>> {
                row.try_get::<Option<Uuid>, _>(column).map_err(of)
            }

            fn number<T: TryFrom<i64>>(row: &DbRow, column: &'static str) -> StoreResult<T> {
                unsigned(column, row.try_get::<i64, _>(column).map_err(of)?)
            }

            fn run(row: &DbRow) -> StoreResult<Run> {
                let outcome: Option<&str> = row.try_get("outcome").map_err(of)?;
                let work: Option<&str> = row.try_get("work").map_err(of)?;
                Ok(Run {
                    id: RunId::from_uuid(row.try_get::<Uuid, _>("id").map_err(of)?),
                    version: row.try_get("version").map_err(of)?,
                    submitted_by: UserId::from_uuid(row.try_get::<Uuid, _>("submitted_by").map_err(of)?),
                    command: row.try_get("command").map_err(of)?,
                    work: work.map(|text| parse("work", text)).transpose()?,
                    command_digest: row.try_get("command_digest").map_err(of)?,
                    parameters_sealed: row.try_get("parameters_sealed").map_err(of)?,
                    parameters_digest: row.try_get("parameters_digest").map_err(of)?,
                    target: parse("target", row.try_get("target").map_err(of)?)?,
                    node: id(row, "node")?.map(NodeId::from_uuid),
                    holder: id(row, "holder")?.map(OrchestratorId::from_uuid),
                    parent: id(row, "parent")?.map(RunId::from_uuid),
                    replay_of: id(row, "replay_of")?.map(RunId::from_uuid),
                    request: id(row, "request_id")?.map(ServiceRequestId::from_uuid),
                    customer: id(row, "customer_id")?.map(CustomerId::from_uuid),
                    state: named("run state", row.try_get("state").map_err(of)?)?,
                    fence: row.try_get("fence").map_err(of)?,
                    attempt: number(row, "attempt")?,
                    retry: RetryPolicy { attempts_max: number(row, "attempts_max")?, backoff_ms: number(row, "backoff_ms")? },
                    priority: number(row, "priority")?,
                    idempotent: row.try_get("idempotent").map_err(of)?,
                    idempotency_key: row.try_get("idempotency_key").map_err(of)?,
                    request_digest: row.try_get("request_digest").map_err(of)?,
                    deadline: time(row, "deadline")?,
                    not_before: time(row, "not_before")?,
                    lease_until: time(row, "lease_until")?,
                    waits_since: time(row, "waits_since")?,
                    cancel_requested_at: time(row, "cancel_requested_at")?,
                    queued_at: Timestamp::from_micros(row.try_get("queued_at").map_err(of)?),
                    started_at: time(row, "started_at")?,
                    finished_at: time(row, "finished_at")?,
                    outcome: outcome.map(|text| parse("outcome", text)).transpose()?,
                    dead_letter: row.try_get("dead_letter").map_err(of)?,
                })
            }

            pub(super) fn all(rows: Vec<DbRow>) -> StoreResult<Vec<Run>> {
                rows.iter().map(run).collect()
            }

            fn filtered(filter: &RunFilter) -> QueryBuilder<$db> {
                let mut query = QueryBuilder::<$db>::new("SELECT * FROM runs WHERE 1 = 1");
                if let Some(state) = filter.state {
                    query.push(" AND state = ").push_bind(state.as_str());
                }
                if let Some(node) = filter.node {
                    query.push(" AND node = ").push_bind(node.uuid());
                }
                if let Some(command) = &filter.command {
                    query.push(" AND command = ").push_bind(command.clone());
                }
                if let Some(user) = filter.submitted_by {
                    query.push(" AND submitted_by = ").push_bind(user.uuid());
                }
                if let Some(parent) = filter.parent {
                    query.push(" AND parent = ").push_bind(parent.uuid());
                }
                if let Some(request) = filter.request {
                    query.push(" AND request_id = ").push_bind(request.uuid());
                }
                if filter.dead_letter {
                    query.push(" AND dead_letter");
                }
                if filter.top_level {
                    query.push(" AND parent IS NULL");
                }
                query
            }

            #[async_trait::async_trait]
            impl Runs for $store {
                async fn lookup_run(&self, id: RunId) -> StoreResult<Option<Run>> {
                    let row = sqlx::query("SELECT * FROM runs WHERE id = $1").bind(id.uuid()).fetch_optional(self.reader()).await;
                    row.map_err(of)?.as_ref().map(run).transpose()
                }

                async fn lookup_run_by_key(&self, user: UserId, key: &str) -> StoreResult<Option<Run>> {
                    let row = sqlx::query("SELECT * FROM runs WHERE submitted_by = $1 AND idempotency_key = $2")
                        .bind(user.uuid())
                        .bind(key)
                        .fetch_optional(self.reader())
                        .await;
                    row.map_err(of)?.as_ref().map(run).transpose()
                }

                async fn list_runs(&self, filter: &RunFilter, page: PageRequest<RunId>) -> StoreResult<Page<Run, RunId>> {
                    let mut query = filtered(filter);
                    if let Some(after) = page.after {
                        query.push(" AND id < ").push_bind(after.uuid());
                    }
                    query.push(" ORDER BY id DESC LIMIT ").push_bind(i64::from(page.limit) + 1);
                    let rows = query.build().fetch_all(self.reader()).await.map_err(of)?;
                    Ok(Page::cut(all(rows)?, page.limit, |run| run.id))
                }

                async fn lookup_replay(&self, of_run: RunId) -> StoreResult<Option<Run>> {
                    let row = sqlx::query("SELECT * FROM runs WHERE replay_of = $1").bind(of_run.uuid()).fetch_optional(self.reader()).await;
                    row.map_err(of)?.as_ref().map(run).transpose()
                }

                async fn lookup_candidate(&self, run: RunId, node: NodeId) -> StoreResult<Option<Candidate>> {
                    let row = sqlx::query("SELECT command_digest, idempotent FROM run_candidates WHERE run = $1 AND node = $2")
                        .bind(run.uuid())
                        .bind(node.uuid())
                        .fetch_optional(self.reader())
                        .await
                        .map_err(of)?;
                    row.map(|row| {
                        Ok(Candidate {
                            node,
                            command_digest: row.try_get("command_digest").map_err(of)?,
                            idempotent: row.try_get("idempotent").map_err(of)?,
                        })
                    })
                    .transpose()
                }

                async fn list_candidates(&self, run: RunId) -> StoreResult<Vec<NodeId>> {
                    let nodes: Vec<Uuid> = sqlx::query_scalar("SELECT node FROM run_candidates WHERE run = $1 ORDER BY node")
                        .bind(run.uuid())
                        .fetch_all(self.reader())
                        .await
                        .map_err(of)?;
                    Ok(nodes.into_iter().map(NodeId::from_uuid).collect())
                }

                async fn list_awaited_nodes(&self, now: Timestamp) -> StoreResult<Vec<NodeId>> {
                    let nodes: Vec<Uuid> = sqlx::query_scalar(
                        "SELECT target_node FROM runs WHERE state = 'queued' AND target_node IS NOT NULL \
                           AND (not_before IS NULL OR not_before <= $1) \
                         UNION SELECT c.node FROM runs r JOIN run_candidates c ON c.run = r.id \
                           WHERE r.state = 'queued' AND r.target_node IS NULL AND (r.not_before IS NULL OR r.not_before <= $1)",
                    )
                    .bind(now.as_micros())
                    .fetch_all(self.reader())
                    .await
                    .map_err(of)?;
                    Ok(nodes.into_iter().map(NodeId::from_uuid).collect())
                }

                async fn list_queued(&self, node: NodeId, now: Timestamp, limit: u32) -> StoreResult<Vec<Run>> {
                    let rows = sqlx::query(
                        "SELECT * FROM runs WHERE state = 'queued' AND id IN ( \
                           SELECT id FROM runs WHERE state = 'queued' AND target_node = $1 \
                           UNION SELECT run FROM run_candidates WHERE node = $1) \
                         AND (not_before IS NULL OR not_before <= $2) ORDER BY priority DESC, id LIMIT $3",
                    )
                    .bind(node.uuid())
                    .bind(now.as_micros())
                    .bind(i64::from(limit))
                    .fetch_all(self.reader())
                    .await
                    .map_err(of)?;
                    all(rows)
                }

                async fn list_held(&self, node: NodeId) -> StoreResult<Vec<Run>> {
                    // Sorted here: a sort by id would lead SQLite to the index of all that the node ever had.
                    let rows = sqlx::query("SELECT * FROM runs WHERE lease_until IS NOT NULL AND node = $1")
                        .bind(node.uuid())
                        .fetch_all(self.reader())
                        .await
                        .map_err(of)?;
                    let mut held = all(rows)?;
                    held.sort_by_key(|run| run.id);
                    Ok(held)
                }

                async fn list_due(&self, now: Timestamp, lapsed_by: Timestamp, limit: u32) -> StoreResult<Vec<Run>> {
                    // One branch per partial index; a union lets each engine use them all.
                    let rows = sqlx::query(
                        "SELECT * FROM runs WHERE id IN ( \
                           SELECT id FROM runs WHERE lease_until IS NOT NULL AND lease_until <= $2 \
                           UNION SELECT id FROM runs WHERE deadline IS NOT NULL AND finished_at IS NULL AND deadline <= $1 AND target_kind <> 'all_of' AND waits_since IS NULL \
                           UNION SELECT id FROM runs WHERE waits_since IS NOT NULL AND waits_since <= $4 \
                           UNION SELECT id FROM runs WHERE not_before IS NOT NULL AND not_before <= $1 AND state = 'retrying' \
                           UNION SELECT p.id FROM runs p WHERE p.target_kind = 'all_of' AND p.finished_at IS NULL \
                             AND p.parent IS NULL AND NOT EXISTS (SELECT 1 FROM runs c WHERE c.parent = p.id AND c.finished_at IS NULL) \
                         ) ORDER BY id LIMIT $3",
                    )
                    .bind(now.as_micros())
                    .bind(lapsed_by.as_micros())
                    .bind(i64::from(limit))
                    .bind(now.minus(WAIT_MAX).as_micros())
                    .fetch_all(self.reader())
                    .await
                    .map_err(of)?;
                    all(rows)
                }

                async fn list_orphaned(&self, limit: u32) -> StoreResult<Vec<Run>> {
                    let rows = sqlx::query(
                        // A branch for each index, as above.
                        "SELECT * FROM runs WHERE id IN ( \
                           SELECT r.id FROM runs r WHERE r.lease_until IS NOT NULL AND r.holder IS NULL \
                             AND NOT EXISTS (SELECT 1 FROM nodes n WHERE n.id = r.node) \
                           UNION SELECT r.id FROM runs r WHERE r.finished_at IS NULL AND r.target_kind = 'node' AND r.lease_until IS NULL \
                             AND NOT EXISTS (SELECT 1 FROM nodes n WHERE n.id = r.target_node) \
                           UNION SELECT r.id FROM runs r WHERE r.finished_at IS NULL AND r.target_kind = 'one_of' AND r.lease_until IS NULL \
                             AND NOT EXISTS (SELECT 1 FROM run_candidates c JOIN nodes n ON n.id = c.node WHERE c.run = r.id) \
                         ) ORDER BY id LIMIT $1",
                    )
                    .bind(i64::from(limit))
                    .fetch_all(self.reader())
                    .await
                    .map_err(of)?;
                    all(rows)
                }

                async fn list_unwanted(&self, limit: u32) -> StoreResult<Vec<Run>> {
                    let rows = sqlx::query(
                        "SELECT * FROM runs WHERE finished_at IS NULL AND cancel_requested_at IS NULL AND id IN ( \
                            SELECT r.id FROM runs r JOIN requests q ON q.id = r.request_id WHERE q.state = 'cancelled' AND r.finished_at IS NULL AND r.parent IS NULL \
                            UNION SELECT r.id FROM runs r JOIN customers c ON c.id = r.customer_id WHERE c.state = 'erased' AND r.finished_at IS NULL AND r.parent IS NULL \
                            UNION SELECT r.id FROM runs r JOIN runs p ON p.id = r.parent WHERE p.target_kind = 'here' AND p.finished_at IS NOT NULL AND r.finished_at IS NULL \
                         ) ORDER BY id LIMIT $1",
                    )
                    .bind(i64::from(limit))
                    .fetch_all(self.reader())
                    .await
                    .map_err(of)?;
                    all(rows)
                }

                async fn list_stopping(&self, limit: u32) -> StoreResult<Vec<Run>> {
                    let rows = sqlx::query(
                        "SELECT * FROM runs WHERE cancel_requested_at IS NOT NULL AND finished_at IS NULL ORDER BY id LIMIT $1",
                    )
                    .bind(i64::from(limit))
                    .fetch_all(self.reader())
                    .await
                    .map_err(of)?;
                    all(rows)
                }

                async fn count_children(&self, parent: RunId) -> StoreResult<Vec<(RunState, u32)>> {
                    let rows = sqlx::query("SELECT state, COUNT(*) AS n FROM runs WHERE parent = $1 GROUP BY state")
                        .bind(parent.uuid())
                        .fetch_all(self.reader())
                        .await
                        .map_err(of)?;
                    rows.iter()
                        .map(|row| Ok((named("run state", row.try_get("state").map_err(of)?)?, number(row, "n")?)))
                        .collect()
                }

                async fn count_runs_by_hour(&self, since: Timestamp) -> StoreResult<Vec<HourCount>> {
                    let rows = sqlx::query(
                        "SELECT queued_at / $1 AS hour, COUNT(*) AS runs, \
                           COUNT(CASE WHEN state IN ('failed', 'timed_out', 'interrupted') THEN 1 END) AS failed \
                         FROM runs WHERE id >= $2 GROUP BY queued_at / $1 ORDER BY 1",
                    )
                    .bind(HOUR_MICROS)
                    .bind(first_id_at(since))
                    .fetch_all(self.reader())
                    .await
                    .map_err(of)?;
                    rows.iter()
                        .map(|row| {
                            let hour: i64 = row.try_get("hour").map_err(of)?;
                            Ok(HourCount {
                                hour: Timestamp::from_micros(hour * HOUR_MICROS),
                                runs: number(row, "runs")?,
                                failed: number(row, "failed")?,
                            })
                        })
                        .collect()
                }

                async fn count_runs_by_state(&self, since: Timestamp) -> StoreResult<Vec<(RunState, u64)>> {
                    let rows = sqlx::query("SELECT state, COUNT(*) AS n FROM runs WHERE id >= $1 OR finished_at IS NULL GROUP BY state")
                        .bind(first_id_at(since))
                        .fetch_all(self.reader())
                        .await
                        .map_err(of)?;
                    rows.iter()
                        .map(|row| Ok((named("run state", row.try_get("state").map_err(of)?)?, number(row, "n")?)))
                        .collect()
                }

                async fn list_output(&self, run: RunId, from: (i64, u32), bytes_max: u64) -> StoreResult<Vec<OutputChunk>> {
                    let rows = sqlx::query(
                        "SELECT fence, seq, stderr, bytes FROM run_output \
                         WHERE run = $1 AND (fence > $2 OR (fence = $2 AND seq >= $3)) ORDER BY fence, seq LIMIT $4",
                    )
                    .bind(run.uuid())
                    .bind(from.0)
                    .bind(i64::from(from.1))
                    .bind(OUTPUT_CHUNKS_MAX as i64)
                    .fetch_all(self.reader())
                    .await
                    .map_err(of)?;
                    let mut chunks: Vec<OutputChunk> = Vec::with_capacity(rows.len());
                    let mut bytes = 0;
                    for row in rows {
                        let data: Vec<u8> = row.try_get("bytes").map_err(of)?;
                        bytes += data.len() as u64;
                        if bytes > bytes_max && !chunks.is_empty() {
                            break;
                        }
                        chunks.push(OutputChunk {
                            fence: row.try_get("fence").map_err(of)?,
                            seq: number(&row, "seq")?,
                            stderr: row.try_get("stderr").map_err(of)?,
                            bytes: data,
                        });
                    }
                    Ok(chunks)
                }

                async fn output_extent(&self, run: RunId, fence: i64) -> StoreResult<Extent> {
                    // Chunks are stored without gaps, so their count is the next one's number.
                    let row = sqlx::query(
                        "SELECT COUNT(*) AS chunks, CAST(COALESCE(SUM(LENGTH(bytes)), 0) AS BIGINT) AS bytes \
                         FROM run_output WHERE run = $1 AND fence = $2",
                    )
                    .bind(run.uuid())
                    .bind(fence)
                    .fetch_one(self.reader())
                    .await
                    .map_err(of)?;
                    Ok(Extent { chunks: number(&row, "chunks")?, bytes: number(&row, "bytes")? })
                }
            }

        }
    };
}
pub(crate) use runs;
