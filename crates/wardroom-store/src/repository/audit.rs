//! Reading the audit log.

macro_rules! audit_log {
    ($store:ty, $db:ty, sequence = $sequence:ident) => {
        mod audit_log {
            use super::*;
            use crate::{error::of, repository::{fixed, like, signed, unsigned}};
            use sqlx::QueryBuilder;
            use std::ops::Range;
            use wardroom_core::{
                Timestamp,
                audit::{AuditCheckpoint, AuditEntry, merkle::{Frontier, Hash, TILE_LEAVES}},
                page::{Page, PageRequest},
                store::{AuditFilter, AuditLog, StoreError, StoreResult},
            };

            type DbRow = <$db as sqlx::Database>::Row;

            /// Records that one read has at most.
            const READ_MAX: u64 = 10_000;

            fn entry(row: &DbRow) -> StoreResult<AuditEntry> {
                Ok(AuditEntry {
                    index: unsigned("audit index", row.try_get("idx").map_err(of)?)?,
                    body: row.try_get("body").map_err(of)?,
                    leaf: fixed("audit leaf", row.try_get("leaf").map_err(of)?)?,
                })
            }

            fn checkpoint(row: &DbRow) -> StoreResult<AuditCheckpoint> {
                Ok(AuditCheckpoint {
                    size: unsigned("checkpoint", row.try_get("size").map_err(of)?)?,
                    root: fixed("checkpoint", row.try_get("root").map_err(of)?)?,
                    at: Timestamp::from_micros(row.try_get("at").map_err(of)?),
                    note: row.try_get("note").map_err(of)?,
                })
            }

            fn filtered(filter: &AuditFilter) -> QueryBuilder<$db> {
                let mut query =
                    QueryBuilder::<$db>::new("SELECT idx, body, leaf FROM audit_records WHERE idx IS NOT NULL");
                match &filter.action {
                    // Everything from «auth.» to «auth/», the next character: a stretch of the index.
                    Some(prefix) if prefix.ends_with('.') => {
                        let end = format!("{}/", prefix.trim_end_matches('.'));
                        query.push(" AND action >= ").push_bind(prefix.clone());
                        query.push(" AND action < ").push_bind(end);
                    }
                    Some(action) => {
                        query.push(" AND action = ").push_bind(action.clone());
                    }
                    None => {}
                }
                if let Some(actor) = &filter.actor {
                    query.push(" AND actor = ").push_bind(actor.clone());
                }
                if let Some(target) = &filter.target {
                    query.push(" AND target = ").push_bind(target.clone());
                }
                if let Some(outcome) = filter.outcome {
                    query.push(" AND outcome = ").push_bind(outcome.as_str());
                }
                if let Some(from) = filter.from {
                    query.push(" AND at >= ").push_bind(from.as_micros());
                }
                if let Some(to) = filter.to {
                    query.push(" AND at < ").push_bind(to.as_micros());
                }
                if let Some(text) = &filter.text {
                    query.push(" AND body LIKE ").push_bind(like(text)).push(" ESCAPE '\\'");
                }
                query
            }

            #[async_trait::async_trait]
            impl AuditLog for $store {
                async fn audit_head(&self) -> StoreResult<(u64, Hash)> {
                    let row = sqlx::query("SELECT size, frontier FROM audit_tree WHERE id = 1")
                        .fetch_one(self.reader())
                        .await
                        .map_err(of)?;
                    let size = unsigned("audit tree", row.try_get("size").map_err(of)?)?;
                    let frontier: Vec<u8> = row.try_get("frontier").map_err(of)?;
                    let frontier = Frontier::from_bytes(size, &frontier)
                        .map_err(|error| StoreError::Corrupt { what: "audit tree", reason: error.to_string() })?;
                    Ok((size, frontier.root()))
                }

                async fn list_audit(&self, filter: &AuditFilter, page: PageRequest<u64>) -> StoreResult<Page<AuditEntry, u64>> {
                    let mut query = filtered(filter);
                    if let Some(after) = page.after {
                        query.push(" AND idx < ").push_bind(signed(after));
                    }
                    query.push(" ORDER BY idx DESC LIMIT ").push_bind(i64::from(page.limit) + 1);
                    let rows = query.build().fetch_all(self.reader()).await.map_err(of)?;
                    let entries = rows.iter().map(entry).collect::<StoreResult<Vec<_>>>()?;
                    Ok(Page::cut(entries, page.limit, |entry| entry.index))
                }

                async fn read_audit(&self, range: Range<u64>) -> StoreResult<Vec<AuditEntry>> {
                    let end = range.end.min(range.start.saturating_add(READ_MAX));
                    let rows = sqlx::query("SELECT idx, body, leaf FROM audit_records WHERE idx >= $1 AND idx < $2 ORDER BY idx")
                        .bind(signed(range.start))
                        .bind(signed(end))
                        .fetch_all(self.reader())
                        .await
                        .map_err(of)?;
                    rows.iter().map(entry).collect()
                }

                async fn audit_subtree(&self, range: Range<u64>) -> StoreResult<Hash> {
                    let corrupt = |reason: String| StoreError::Corrupt { what: "audit log", reason };
                    let tiles = if range.start.is_multiple_of(TILE_LEAVES) {
                        range.start / TILE_LEAVES..range.end / TILE_LEAVES
                    } else {
                        0..0
                    };
                    let mut frontier = Frontier::default();
                    let rows = sqlx::query("SELECT hash FROM audit_tiles WHERE idx >= $1 AND idx < $2 ORDER BY idx")
                        .bind(signed(tiles.start))
                        .bind(signed(tiles.end))
                        .fetch_all(self.reader())
                        .await
                        .map_err(of)?;
                    for row in rows {
                        let hash = fixed("audit tile", row.try_get("hash").map_err(of)?)?;
                        frontier.append_tile(hash).map_err(|error| corrupt(error.to_string()))?;
                    }
                    let rows = sqlx::query("SELECT leaf FROM audit_records WHERE idx >= $1 AND idx < $2 ORDER BY idx")
                        .bind(signed(range.start + frontier.size()))
                        .bind(signed(range.end))
                        .fetch_all(self.reader())
                        .await
                        .map_err(of)?;
                    for row in rows {
                        frontier.append(fixed("audit leaf", row.try_get("leaf").map_err(of)?)?);
                    }
                    if frontier.size() == range.end - range.start {
                        Ok(frontier.root())
                    } else {
                        Err(corrupt(format!("records are missing between {} and {}", range.start, range.end)))
                    }
                }

                async fn lookup_checkpoint(&self, size: u64) -> StoreResult<Option<AuditCheckpoint>> {
                    Ok(self.list_checkpoints(size, 1).await?.pop())
                }

                async fn last_checkpoint(&self) -> StoreResult<Option<AuditCheckpoint>> {
                    let row = sqlx::query("SELECT * FROM audit_checkpoints ORDER BY size DESC LIMIT 1")
                        .fetch_optional(self.reader())
                        .await;
                    row.map_err(of)?.as_ref().map(checkpoint).transpose()
                }

                async fn list_checkpoints(&self, size: u64, limit: u32) -> StoreResult<Vec<AuditCheckpoint>> {
                    let rows = sqlx::query("SELECT * FROM audit_checkpoints WHERE size >= $1 ORDER BY size LIMIT $2")
                        .bind(signed(size))
                        .bind(i64::from(limit))
                        .fetch_all(self.reader())
                        .await
                        .map_err(of)?;
                    rows.iter().map(checkpoint).collect()
                }

                async fn sequence_audit(&self) -> StoreResult<u64> {
                    self.$sequence().await
                }
            }
        }
    };
}
pub(crate) use audit_log;
