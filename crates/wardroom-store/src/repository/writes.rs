//! Every write, and the placing of audit records.

/// Runs a statement; how many rows it touched.
macro_rules! statement {
    ($connection:expr, $sql:expr $(, $value:expr)* $(,)?) => {
        sqlx::query($sql)$(.bind($value))*.execute(&mut *$connection).await.map_err(crate::error::of)?.rows_affected()
    };
}
pub(crate) use statement;

macro_rules! writes {
    ($db:ty) => {
        mod writes {
            use super::*;
            use crate::{error::of, repository::{guarded, in_powers, json, personal::place_of, signed, statement as run}};
            use sqlx::QueryBuilder;
            use wardroom_core::{
                audit::{AuditDraft, merkle::{Frontier, Hash, leaf_hash}},
                change::Write,
                sealed::Sealed,
                secret::VERSIONS_KEPT,
                run::{Candidate, OutputChunk, Run, Target},
                identity::JoinToken,
                node::Node,
                store::{StoreError, StoreResult},
            };

            type Connection = <$db as sqlx::Database>::Connection;

            pub(super) async fn apply(c: &mut Connection, write: &Write) -> StoreResult<()> {
                match write {
                    Write::AddRun(run) => add_run(c, run).await,
                    Write::AddCandidates { run, candidates } => add_candidates(c, run.uuid(), candidates).await,
                    Write::UpdateRun(run) => update_run(c, run).await,
                    Write::AppendOutput { run, chunks } => append_output(c, run.uuid(), chunks).await,
                    Write::AddNode(node) => add_node(c, node).await,
                    Write::UpdateNode(node) => update_node(c, node).await,
                    other => apply_small(c, other).await,
                }
            }

            async fn apply_small(c: &mut Connection, write: &Write) -> StoreResult<()> {
                match write {
                    Write::AddJoinToken(t) => add_join_token(c, t).await,
                    Write::UseJoinToken { id, by, at } => guarded("the join token",
                        run!(c, "UPDATE join_tokens SET used_at = $2, used_by = $3 WHERE id = $1 AND used_at IS NULL AND revoked_at IS NULL AND expires_at > $2",
                            id.uuid(), at.as_micros(), by.uuid())),
                    Write::RevokeJoinToken { id, at } => guarded("the join token",
                        run!(c, "UPDATE join_tokens SET revoked_at = $2 WHERE id = $1 AND used_at IS NULL AND revoked_at IS NULL AND expires_at > $2",
                            id.uuid(), at.as_micros())),
                    Write::RemoveNode(id) => {
                        // What may fail first: by itself, a write is not undone.
                        guarded("the node", run!(c, "DELETE FROM nodes WHERE id = $1", id.uuid()))?;
                        run!(c, "DELETE FROM run_candidates WHERE node = $1", id.uuid());
                        Ok(())
                    }
                    Write::MarkLinked { id, link, at } => guarded("the node",
                        run!(c, "UPDATE nodes SET connected = $2, link = $3, seen_at = $4 WHERE id = $1", id.uuid(), true, link.uuid(), at.as_micros())),
                    Write::MarkUnlinked { id, link, at } => {
                        run!(c, "UPDATE nodes SET connected = $2, seen_at = $4 WHERE id = $1 AND link = $3", id.uuid(), false, link.uuid(), at.as_micros());
                        Ok(())
                    }
                    Write::ReportNode { id, report, at } => guarded("the node",
                        run!(c, "UPDATE nodes SET report = $2, seen_at = $3 WHERE id = $1", id.uuid(), json(report)?, at.as_micros())),
                    Write::PublishCatalogue { id, catalogue } => guarded("the node",
                        run!(c, "UPDATE nodes SET catalogue = $2 WHERE id = $1", id.uuid(), json(catalogue)?)),
                    Write::DisconnectAllNodes => {
                        run!(c, "UPDATE nodes SET connected = $1", false);
                        Ok(())
                    }
                    Write::AddCheckpoint(p) => {
                        run!(c, "INSERT INTO audit_checkpoints (size, root, at, note) VALUES ($1, $2, $3, $4)",
                            signed(p.size), p.root.to_vec(), p.at.as_micros(), p.note.clone());
                        Ok(())
                    }
                    other => apply_sealed(c, other).await,
                }
            }

            /// Writes to what is sealed under the key ring.
            async fn apply_sealed(c: &mut Connection, write: &Write) -> StoreResult<()> {
                match write {
                    Write::AddSealedKey(key) => {
                        run!(c, "INSERT INTO sealed_keys (name, sealed, created_at) VALUES ($1, $2, $3)",
                            key.name.clone(), key.sealed.clone(), key.created_at.as_micros());
                        Ok(())
                    }
                    Write::RemoveSealedKey(name) => guarded("the key", run!(c, "DELETE FROM sealed_keys WHERE name = $1", name.clone())),
                    Write::AddSecret(s) => {
                        run!(c, "INSERT INTO secrets (name, about, rotate_days, current, reminded, created_at, renewed_at) VALUES ($1, $2, $3, $4, 0, $5, $6)",
                            s.name.clone(), s.about.clone(), s.rotate_days.map(i64::from), s.current, s.created_at.as_micros(), s.renewed_at.as_micros());
                        Ok(())
                    }
                    Write::RenewSecret(s) => guarded("the secret",
                        run!(c, "UPDATE secrets SET current = $2, renewed_at = $3 WHERE name = $1 AND current = $2 - 1", s.name.clone(), s.current, s.renewed_at.as_micros())),
                    Write::RemindOfSecret { name, version } => {
                        run!(c, "UPDATE secrets SET reminded = $2 WHERE name = $1", name.clone(), *version);
                        Ok(())
                    }
                    Write::AddSecretVersion(v) => {
                        run!(c, "INSERT INTO secret_versions (name, number, sealed, created_by, created_at) VALUES ($1, $2, $3, $4, $5)",
                            v.name.clone(), v.number, v.sealed.clone(), v.created_by.uuid(), v.created_at.as_micros());
                        run!(c, "DELETE FROM secret_versions WHERE name = $1 AND number <= $2", v.name.clone(), v.number - i64::from(VERSIONS_KEPT));
                        Ok(())
                    }
                    Write::RemoveSecret(name) => guarded("the secret", run!(c, "DELETE FROM secrets WHERE name = $1", name.clone())),
                    Write::ResealPersonal { what, from, to } => {
                        let (place, id) = place_of(*what);
                        let sql = format!("UPDATE {0} SET {1} = $3 WHERE {2} = $1 AND {1} = $2", place.table, place.column, place.id);
                        run!(c, sqlx::AssertSqlSafe(sql), id, from.clone(), to.clone());
                        Ok(())
                    }
                    Write::Reseal { what, from, to } => {
                        let (from, to) = (from.clone(), to.clone());
                        match what {
                            Sealed::Run(id) => run!(c, "UPDATE runs SET parameters_sealed = $3 WHERE id = $1 AND parameters_sealed = $2", id.uuid(), from, to),
                            Sealed::Message(id) => run!(c, "UPDATE messages SET sealed = $3 WHERE id = $1 AND sealed = $2", id.uuid(), from, to),
                            Sealed::Secret(name, number) => run!(c, "UPDATE secret_versions SET sealed = $4 WHERE name = $1 AND number = $2 AND sealed = $3", name.clone(), *number, from, to),
                            Sealed::Key(name) => run!(c, "UPDATE sealed_keys SET sealed = $3 WHERE name = $1 AND sealed = $2", name.clone(), from, to),
                        };
                        Ok(())
                    }
                    other => apply_elsewhere(c, other).await,
                }
            }

            /// Writes that have files of their own.
            async fn apply_elsewhere(c: &mut Connection, write: &Write) -> StoreResult<()> {
                if let Write::Agent(write) = write {
                    return super::agent_writes::apply(c, write).await;
                }
                if let Write::Model(write) = write {
                    return super::model_writes::apply(c, write).await;
                }
                if let Write::Journal(write) = write {
                    return super::journal_writes::apply(c, write).await;
                }
                if let Write::Thread(write) = write {
                    return super::thread_writes::apply(c, write).await;
                }
                if let Write::Memory(write) = write {
                    return super::memory_writes::apply(c, write).await;
                }
                if let Write::Approval(write) = write {
                    return super::approval_writes::apply(c, write).await;
                }
                if let Write::ToolAccount(write) = write {
                    return super::tool_account_writes::apply(c, write).await;
                }
                if let Some(outcome) = super::identity_writes::apply(c, write).await {
                    return outcome;
                }
                if let Some(outcome) = super::watch_writes::apply(c, write).await {
                    return outcome;
                }
                if let Some(outcome) = super::oauth_writes::apply(c, write).await {
                    return outcome;
                }
                if let Some(outcome) = super::tool_writes::apply(c, write).await {
                    return outcome;
                }
                super::desk_writes::apply(c, write).await
            }

            async fn add_join_token(c: &mut Connection, t: &JoinToken) -> StoreResult<()> {
                run!(c, "INSERT INTO join_tokens (id, secret_hash, labels, created_by, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6)",
                    t.id.uuid(), t.secret_hash.0.to_vec(), json(&t.labels)?, t.created_by.clone(), t.created_at.as_micros(), t.expires_at.as_micros());
                Ok(())
            }

            async fn add_node(c: &mut Connection, n: &Node) -> StoreResult<()> {
                run!(c, "INSERT INTO nodes (id, version, name, public_key, labels, disabled, enrolled_at, connected, catalogue) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
                    n.id.uuid(), n.version, n.name.clone(), n.public_key.to_vec(), json(&n.labels)?, n.disabled, n.enrolled_at.as_micros(), n.connected, json(&n.catalogue)?);
                Ok(())
            }

            async fn update_node(c: &mut Connection, n: &Node) -> StoreResult<()> {
                guarded("the node", run!(c, "UPDATE nodes SET version = $2, name = $3, labels = $4, disabled = $5 WHERE id = $1 AND version = $2 - 1",
                    n.id.uuid(), n.version, n.name.clone(), json(&n.labels)?, n.disabled))
            }

            async fn add_run(c: &mut Connection, r: &Run) -> StoreResult<()> {
                let (kind, target_node) = match &r.target {
                    Target::Node { node } => ("node", Some(node.uuid())),
                    Target::OneOf { .. } => ("one_of", None),
                    Target::AllOf { .. } => ("all_of", None),
                    Target::Here {} => ("here", None),
                };
                let work = r.work.as_ref().map(json).transpose()?;
                let outcome = r.outcome.as_ref().map(json).transpose()?;
                run!(c, "INSERT INTO runs (id, version, submitted_by, command, command_digest, parameters_sealed, parameters_digest, target, target_kind, target_node, node, parent, replay_of, state, fence, attempt, attempts_max, backoff_ms, priority, idempotent, idempotency_key, request_digest, deadline, not_before, lease_until, cancel_requested_at, queued_at, started_at, finished_at, outcome, dead_letter, request_id, customer_id, work, holder) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35)",
                    r.id.uuid(), r.version, r.submitted_by.uuid(), r.command.clone(), r.command_digest.clone(), r.parameters_sealed.clone(), r.parameters_digest.clone(),
                    json(&r.target)?, kind, target_node, r.node.map(|id| id.uuid()), r.parent.map(|id| id.uuid()), r.replay_of.map(|id| id.uuid()), r.state.as_str(), r.fence,
                    i64::from(r.attempt), i64::from(r.retry.attempts_max), signed(r.retry.backoff_ms), i64::from(r.priority), r.idempotent, r.idempotency_key.clone(), r.request_digest.clone(),
                    r.deadline.map(|t| t.as_micros()), r.not_before.map(|t| t.as_micros()), r.lease_until.map(|t| t.as_micros()), r.cancel_requested_at.map(|t| t.as_micros()),
                    r.queued_at.as_micros(), r.started_at.map(|t| t.as_micros()), r.finished_at.map(|t| t.as_micros()), outcome, r.dead_letter, r.request.map(|id| id.uuid()), r.customer.map(|id| id.uuid()), work, r.holder.map(|id| id.uuid()));
                Ok(())
            }

            async fn update_run(c: &mut Connection, r: &Run) -> StoreResult<()> {
                let outcome = r.outcome.as_ref().map(json).transpose()?;
                guarded("the run", run!(c, "UPDATE runs SET version = $2, command_digest = $3, node = $4, state = $5, fence = $6, attempt = $7, idempotent = $8, deadline = $9, not_before = $10, lease_until = $11, cancel_requested_at = $12, started_at = $13, finished_at = $14, outcome = $15, dead_letter = $16, holder = $17, waits_since = $18 WHERE id = $1 AND version = $2 - 1",
                    r.id.uuid(), r.version, r.command_digest.clone(), r.node.map(|id| id.uuid()), r.state.as_str(), r.fence, i64::from(r.attempt), r.idempotent,
                    r.deadline.map(|t| t.as_micros()), r.not_before.map(|t| t.as_micros()), r.lease_until.map(|t| t.as_micros()), r.cancel_requested_at.map(|t| t.as_micros()),
                    r.started_at.map(|t| t.as_micros()), r.finished_at.map(|t| t.as_micros()), outcome, r.dead_letter, r.holder.map(|id| id.uuid()), r.waits_since.map(|t| t.as_micros())))?;
                if r.finished_at.is_some() && matches!(r.target, Target::Here {}) {
                    run!(c, "DELETE FROM run_waits WHERE run = $1", r.id.uuid());
                }
                if r.finished_at.is_some() && matches!(r.target, Target::OneOf { .. }) {
                    run!(c, "DELETE FROM run_candidates WHERE run = $1", r.id.uuid());
                }
                if let (Some(customer), true) = (r.customer, r.finished_at.is_some()) {
                    // What still came of it when its customer was erased meanwhile.
                    run!(c, "DELETE FROM run_output WHERE run = $1 AND EXISTS (SELECT 1 FROM customers WHERE id = $2 AND state = 'erased')", r.id.uuid(), customer.uuid());
                }
                Ok(())
            }

            async fn add_candidates(c: &mut Connection, run: uuid::Uuid, candidates: &[Candidate]) -> StoreResult<()> {
                for part in in_powers(candidates) {
                    let mut query = QueryBuilder::<$db>::new("INSERT INTO run_candidates (run, node, command_digest, idempotent) ");
                    query.push_values(part, |mut row, candidate| {
                        row.push_bind(run).push_bind(candidate.node.uuid()).push_bind(candidate.command_digest.clone()).push_bind(candidate.idempotent);
                    });
                    query.build().execute(&mut *c).await.map_err(of)?;
                }
                Ok(())
            }

            async fn append_output(c: &mut Connection, run: uuid::Uuid, chunks: &[OutputChunk]) -> StoreResult<()> {
                for part in in_powers(chunks) {
                    let mut query = QueryBuilder::<$db>::new("INSERT INTO run_output (run, fence, seq, stderr, bytes) ");
                    query.push_values(part, |mut row, chunk| {
                        row.push_bind(run).push_bind(chunk.fence).push_bind(i64::from(chunk.seq)).push_bind(chunk.stderr).push_bind(chunk.bytes.clone());
                    });
                    query.push(" ON CONFLICT DO NOTHING");
                    query.build().execute(&mut *c).await.map_err(of)?;
                }
                Ok(())
            }

            /// A record on its way into the log.
            pub(super) struct Leaf<'a> {
                pub(super) draft: &'a AuditDraft,
                pub(super) body: String,
                pub(super) hash: Hash,
            }

            /// Makes leaves of records.
            pub(super) fn leaves<'a>(drafts: impl IntoIterator<Item = &'a AuditDraft>) -> Vec<Leaf<'a>> {
                drafts
                    .into_iter()
                    .map(|draft| {
                        let body = draft.record.canonical();
                        let hash = leaf_hash(body.as_bytes());
                        Leaf { draft, body, hash }
                    })
                    .collect()
            }

            /// Inserts records: placed from `first` on, or without a place.
            pub(super) async fn add_records(c: &mut Connection, leaves: &[Leaf<'_>], first: Option<u64>) -> StoreResult<()> {
                let mut index = first;
                for part in in_powers(leaves) {
                    let mut query = QueryBuilder::<$db>::new("INSERT INTO audit_records (idx, at, action, actor, target, outcome, body, leaf) ");
                    query.push_values(part, |mut row, leaf| {
                        let record = &leaf.draft.record;
                        row.push_bind(index.map(signed))
                            .push_bind(record.at.as_micros())
                            .push_bind(record.action.clone())
                            .push_bind(record.actor.clone())
                            .push_bind(record.target.clone())
                            .push_bind(record.outcome.as_str())
                            .push_bind(leaf.body.clone())
                            .push_bind(leaf.hash.to_vec());
                        index = index.map(|index| index + 1);
                    });
                    query.build().execute(&mut *c).await.map_err(of)?;
                }
                Ok(())
            }

            /// Appends hashes to the tree and writes its new edge and complete tiles.
            pub(super) async fn grow_tree(c: &mut Connection, frontier: &mut Frontier, hashes: &[Hash]) -> StoreResult<()> {
                for hash in hashes {
                    if let Some(tile) = frontier.append(*hash) {
                        let index = frontier.size() / wardroom_core::audit::merkle::TILE_LEAVES - 1;
                        run!(c, "INSERT INTO audit_tiles (idx, hash) VALUES ($1, $2)", signed(index), tile.to_vec());
                    }
                }
                run!(c, "UPDATE audit_tree SET size = $1, frontier = $2 WHERE id = 1", signed(frontier.size()), frontier.to_bytes());
                Ok(())
            }

            /// Reads the tree's edge.
            pub(super) async fn read_tree(c: &mut Connection, lock: &str) -> StoreResult<Frontier> {
                let sql = format!("SELECT size, frontier FROM audit_tree WHERE id = 1{lock}");
                let row = sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_one(&mut *c).await.map_err(of)?;
                let size = crate::repository::unsigned("audit tree", row.try_get("size").map_err(of)?)?;
                let bytes: Vec<u8> = row.try_get("frontier").map_err(of)?;
                Frontier::from_bytes(size, &bytes)
                    .map_err(|error| StoreError::Corrupt { what: "audit tree", reason: error.to_string() })
            }
        }
    };
}
pub(crate) use writes;
