//! Approvals.

macro_rules! approvals {
    ($store:ty, $db:ty) => {
        mod approvals {
            use super::*;
            use crate::{
                error::of,
                repository::{fixed, named, parse, unsigned},
            };
            use uuid::Uuid;
            use wardroom_core::{
                Action, ApprovalId, OauthClientId, RunId, Timestamp, UserId,
                approval::{Approval, ApprovalState, Use, Verdict},
                page::{Page, PageRequest},
                person::BlindIndex,
                store::{ApprovalFilter, Approvals, StoreError, StoreResult},
            };

            type DbRow = <$db as sqlx::Database>::Row;

            fn time(row: &DbRow, column: &str) -> StoreResult<Option<Timestamp>> {
                Ok(row.try_get::<Option<i64>, _>(column).map_err(of)?.map(Timestamp::from_micros))
            }

            fn verdict(row: &DbRow) -> StoreResult<Option<Verdict>> {
                let approved: Option<bool> = row.try_get("approved").map_err(of)?;
                let by: Option<Uuid> = row.try_get("decided_by").map_err(of)?;
                let receipt: Option<String> = row.try_get("receipt").map_err(of)?;
                let reason = row.try_get("reason").map_err(of)?;
                Ok(match (approved, by, time(row, "decided_at")?, receipt) {
                    (Some(approved), Some(by), Some(at), Some(receipt)) => {
                        Some(Verdict { approved, by: UserId::from_uuid(by), at, reason, receipt })
                    }
                    _ => None,
                })
            }

            fn approval(row: &DbRow) -> StoreResult<Approval> {
                let corrupt = |reason: &str| StoreError::Corrupt { what: "approval", reason: reason.to_owned() };
                let uuid = |column: &str| row.try_get::<Uuid, _>(column).map_err(of);
                let maybe = |column: &str| row.try_get::<Option<Uuid>, _>(column).map_err(of);
                let text = |column: &str| row.try_get::<String, _>(column).map_err(of);
                let always = |column: &str| time(row, column)?.ok_or_else(|| corrupt("a time is missing"));
                Ok(Approval {
                    id: ApprovalId::from_uuid(uuid("id")?),
                    action: named::<Action>("action", &text("action")?)?,
                    target: text("target")?,
                    run: maybe("run")?.map(RunId::from_uuid),
                    user: UserId::from_uuid(uuid("user_id")?),
                    client: maybe("client_id")?.map(OauthClientId::from_uuid),
                    author: maybe("author")?.map(UserId::from_uuid),
                    agent_run: maybe("agent_run")?.map(RunId::from_uuid),
                    door: named("door", &text("door")?)?,
                    binding: BlindIndex(fixed("binding", row.try_get("binding").map_err(of)?)?),
                    arguments: row.try_get("arguments").map_err(of)?,
                    arguments_digest: text("arguments_digest")?,
                    policies: parse("policies", &text("policies")?)?,
                    policy_version: text("policy_version")?,
                    asked_at: always("asked_at")?,
                    expires_at: always("expires_at")?,
                    verdict: verdict(row)?,
                    used: maybe("used_by")?.zip(time(row, "used_at")?).map(|(by, at)| Use { by, at }),
                })
            }

            /// What a state is in columns, `$1` being the time now.
            const fn condition(state: ApprovalState) -> &'static str {
                match state {
                    ApprovalState::Waiting => "approved IS NULL AND expires_at > $1 AND NOT EXISTS (SELECT 1 FROM runs r WHERE r.id = approvals.run AND r.finished_at IS NOT NULL)",
                    ApprovalState::Approved => "approved AND used_at IS NULL AND expires_at > $1",
                    ApprovalState::Denied => "NOT approved",
                    ApprovalState::Used => "used_at IS NOT NULL",
                    ApprovalState::Expired => "used_at IS NULL AND (approved IS NULL OR approved) AND expires_at <= $1",
                }
            }

            #[async_trait::async_trait]
            impl Approvals for $store {
                async fn lookup_approval(&self, id: ApprovalId) -> StoreResult<Option<Approval>> {
                    let row = sqlx::query("SELECT * FROM approvals WHERE id = $1").bind(id.uuid()).fetch_optional(self.reader()).await;
                    row.map_err(of)?.as_ref().map(approval).transpose()
                }

                async fn lookup_open_approval(&self, binding: BlindIndex, now: Timestamp) -> StoreResult<Option<Approval>> {
                    let row = sqlx::query("SELECT * FROM approvals WHERE binding = $1 AND expires_at > $2 AND used_at IS NULL ORDER BY (approved IS NULL), id DESC LIMIT 1")
                        .bind(binding.0.to_vec())
                        .bind(now.as_micros())
                        .fetch_optional(self.reader())
                        .await;
                    row.map_err(of)?.as_ref().map(approval).transpose()
                }

                async fn lookup_approval_of(&self, run: RunId) -> StoreResult<Option<Approval>> {
                    let row = sqlx::query("SELECT * FROM approvals WHERE run = $1").bind(run.uuid()).fetch_optional(self.reader()).await;
                    row.map_err(of)?.as_ref().map(approval).transpose()
                }

                async fn lookup_approval_used(&self, by: Uuid) -> StoreResult<Option<Approval>> {
                    let row = sqlx::query("SELECT * FROM approvals WHERE used_by = $1").bind(by).fetch_optional(self.reader()).await;
                    row.map_err(of)?.as_ref().map(approval).transpose()
                }

                async fn list_approvals(&self, filter: &ApprovalFilter, now: Timestamp, page: PageRequest<ApprovalId>) -> StoreResult<Page<Approval, ApprovalId>> {
                    // The first condition brings the time in as `$1`, whether the state needs it or not.
                    let mut query = sqlx::QueryBuilder::<$db>::new("SELECT * FROM approvals WHERE asked_at <= ");
                    query.push_bind(now.as_micros());
                    query.push(" AND id < ").push_bind(page.after.map_or(Uuid::max(), |id| id.uuid()));
                    if let Some(state) = filter.state {
                        query.push(" AND ").push(condition(state));
                    }
                    if let Some(user) = filter.user {
                        query.push(" AND user_id = ").push_bind(user.uuid());
                    }
                    query.push(" ORDER BY id DESC LIMIT ").push_bind(i64::from(page.limit) + 1);
                    let rows = query.build().fetch_all(self.reader()).await.map_err(of)?;
                    let items = rows.iter().map(approval).collect::<StoreResult<_>>()?;
                    Ok(Page::cut(items, page.limit, |approval| approval.id))
                }

                async fn count_waiting_approvals(&self, user: Option<UserId>, now: Timestamp) -> StoreResult<u32> {
                    let waiting = condition(ApprovalState::Waiting);
                    let sql = format!("SELECT COUNT(*) FROM approvals WHERE {waiting} AND ($2 IS NULL OR user_id = $2)");
                    let count: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
                        .bind(now.as_micros())
                        .bind(user.map(|user| user.uuid()))
                        .fetch_one(self.reader())
                        .await
                        .map_err(of)?;
                    unsigned("count", count)
                }

                async fn list_overdue_approvals(&self, now: Timestamp, limit: u32) -> StoreResult<Vec<Approval>> {
                    let rows = sqlx::query(
                        "SELECT a.* FROM approvals a JOIN runs r ON r.id = a.run \
                         WHERE a.approved IS NULL AND a.expires_at <= $1 AND r.state = 'awaiting_approval' AND r.cancel_requested_at IS NULL \
                         ORDER BY a.id LIMIT $2",
                    )
                    .bind(now.as_micros())
                    .bind(i64::from(limit))
                    .fetch_all(self.reader())
                    .await;
                    rows.map_err(of)?.iter().map(approval).collect()
                }
            }
        }
    };
}
pub(crate) use approvals;

macro_rules! approval_writes {
    ($db:ty) => {
        mod approval_writes {
            use super::*;
            use crate::repository::{guarded, json, statement as run};
            use wardroom_core::{
                approval::{Approval, ApprovalWrite},
                store::StoreResult,
            };

            type Connection = <$db as sqlx::Database>::Connection;

            /// Applies a write to approvals.
            pub(super) async fn apply(c: &mut Connection, write: &ApprovalWrite) -> StoreResult<()> {
                match write {
                    ApprovalWrite::Ask(approval) => ask(c, approval).await,
                    ApprovalWrite::Decide { id, verdict } => guarded("the approval",
                        run!(c, "UPDATE approvals SET approved = $2, decided_by = $3, decided_at = $4, reason = $5, receipt = $6 WHERE id = $1 AND approved IS NULL AND expires_at > $4",
                            id.uuid(), verdict.approved, verdict.by.uuid(), verdict.at.as_micros(), verdict.reason.clone(), verdict.receipt.clone())),
                    ApprovalWrite::Use { id, used } => guarded("the approval",
                        run!(c, "UPDATE approvals SET used_by = $2, used_at = $3 WHERE id = $1 AND approved AND used_at IS NULL AND expires_at > $3",
                            id.uuid(), used.by, used.at.as_micros())),
                    ApprovalWrite::Withdraw { id, at } => {
                        run!(c, "UPDATE approvals SET expires_at = $2 WHERE id = $1 AND used_at IS NULL AND expires_at > $2", id.uuid(), at.as_micros());
                        Ok(())
                    }
                    ApprovalWrite::WithdrawOfEnded(at) => {
                        run!(c, "UPDATE approvals SET expires_at = $1 WHERE used_at IS NULL AND expires_at > $1 \
                            AND EXISTS (SELECT 1 FROM runs WHERE runs.id = COALESCE(approvals.agent_run, approvals.run) AND finished_at IS NOT NULL)", at.as_micros());
                        Ok(())
                    }
                    ApprovalWrite::QueueParts(parent) => {
                        run!(c, "UPDATE runs SET state = 'queued', version = version + 1 WHERE parent = $1 AND state = 'awaiting_approval'", parent.uuid());
                        Ok(())
                    }
                    ApprovalWrite::Forget(before) => {
                        run!(c, "DELETE FROM approvals WHERE asked_at < $1 AND expires_at < $1", before.as_micros());
                        Ok(())
                    }
                }
            }

            async fn ask(c: &mut Connection, a: &Approval) -> StoreResult<()> {
                run!(c, "INSERT INTO approvals (id, action, target, run, user_id, client_id, author, door, binding, arguments, arguments_digest, policies, policy_version, asked_at, expires_at, reason, agent_run) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)",
                    a.id.uuid(), a.action.as_str(), a.target.clone(), a.run.map(|id| id.uuid()), a.user.uuid(), a.client.map(|id| id.uuid()), a.author.map(|id| id.uuid()), a.door.as_str(), a.binding.0.to_vec(),
                    a.arguments.clone(), a.arguments_digest.clone(), json(&a.policies)?, a.policy_version.clone(), a.asked_at.as_micros(), a.expires_at.as_micros(), Vec::<u8>::new(), a.agent_run.map(|id| id.uuid()));
                Ok(())
            }
        }
    };
}
pub(crate) use approval_writes;
