//! Alerts, faults and messages to the outside.

macro_rules! watch {
    ($store:ty, $db:ty) => {
        mod watch {
            use super::*;
            use crate::{error::of, repository::{named, unsigned}};
            use uuid::Uuid;
            use wardroom_core::{
                AlertId, MessageId, Timestamp, UserId,
                page::{Page, PageRequest},
                store::{StoreResult, Watch},
                watch::{alert::Alert, fault::Fault, message::Message},
            };

            type DbRow = <$db as sqlx::Database>::Row;

            fn time(row: &DbRow, column: &str) -> StoreResult<Timestamp> {
                Ok(Timestamp::from_micros(row.try_get(column).map_err(of)?))
            }

            fn time_if_any(row: &DbRow, column: &str) -> StoreResult<Option<Timestamp>> {
                Ok(row.try_get::<Option<i64>, _>(column).map_err(of)?.map(Timestamp::from_micros))
            }

            fn alert(row: &DbRow) -> StoreResult<Alert> {
                let by: Option<Uuid> = row.try_get("acknowledged_by").map_err(of)?;
                Ok(Alert {
                    id: AlertId::from_uuid(row.try_get("id").map_err(of)?),
                    rule: named("rule", row.try_get("rule").map_err(of)?)?,
                    subject: row.try_get("subject").map_err(of)?,
                    detail: row.try_get("detail").map_err(of)?,
                    count: unsigned("count", row.try_get("count").map_err(of)?)?,
                    first_at: time(row, "first_at")?,
                    last_at: time(row, "last_at")?,
                    acknowledged: by.map(UserId::from_uuid).zip(time_if_any(row, "acknowledged_at")?),
                })
            }

            fn message(row: &DbRow) -> StoreResult<Message> {
                let recipient: Option<Uuid> = row.try_get("recipient").map_err(of)?;
                Ok(Message {
                    id: MessageId::from_uuid(row.try_get("id").map_err(of)?),
                    channel: named("channel", row.try_get("channel").map_err(of)?)?,
                    recipient: recipient.map(UserId::from_uuid),
                    sealed: row.try_get("sealed").map_err(of)?,
                    attempts: unsigned("attempts", row.try_get("attempts").map_err(of)?)?,
                    due_at: time(row, "due_at")?,
                    created_at: time(row, "created_at")?,
                    problem: row.try_get("problem").map_err(of)?,
                    dead: row.try_get("dead").map_err(of)?,
                })
            }

            fn fault(row: &DbRow) -> StoreResult<Fault> {
                Ok(Fault {
                    fingerprint: row.try_get("fingerprint").map_err(of)?,
                    place: row.try_get("place").map_err(of)?,
                    message: row.try_get("message").map_err(of)?,
                    count: unsigned("count", row.try_get("count").map_err(of)?)?,
                    first_at: time(row, "first_at")?,
                    last_at: time(row, "last_at")?,
                    request: row.try_get("request").map_err(of)?,
                    run: row.try_get("run").map_err(of)?,
                    resolved_at: time_if_any(row, "resolved_at")?,
                })
            }

            #[async_trait::async_trait]
            impl Watch for $store {
                async fn cursor(&self, name: &str) -> StoreResult<u64> {
                    let found: Option<i64> = sqlx::query_scalar("SELECT position FROM cursors WHERE name = $1").bind(name).fetch_optional(self.reader()).await.map_err(of)?;
                    unsigned("position", found.unwrap_or(0))
                }

                async fn lookup_alert(&self, id: AlertId) -> StoreResult<Option<Alert>> {
                    let row = sqlx::query("SELECT * FROM alerts WHERE id = $1").bind(id.uuid()).fetch_optional(self.reader()).await;
                    row.map_err(of)?.as_ref().map(alert).transpose()
                }

                async fn lookup_open_alert(&self, rule: &str, subject: &str) -> StoreResult<Option<Alert>> {
                    let row = sqlx::query("SELECT * FROM alerts WHERE rule = $1 AND subject = $2 AND acknowledged_at IS NULL").bind(rule).bind(subject).fetch_optional(self.reader()).await;
                    row.map_err(of)?.as_ref().map(alert).transpose()
                }

                async fn list_alerts(&self, open: bool, page: PageRequest<AlertId>) -> StoreResult<Page<Alert, AlertId>> {
                    let rows = sqlx::query("SELECT * FROM alerts WHERE (NOT $1 OR acknowledged_at IS NULL) AND id < $2 ORDER BY id DESC LIMIT $3")
                        .bind(open)
                        .bind(page.after.map_or(Uuid::max(), |id| id.uuid()))
                        .bind(i64::from(page.limit) + 1)
                        .fetch_all(self.reader())
                        .await;
                    let items = rows.map_err(of)?.iter().map(alert).collect::<StoreResult<_>>()?;
                    Ok(Page::cut(items, page.limit, |alert| alert.id))
                }

                async fn count_open_alerts(&self) -> StoreResult<u64> {
                    let count: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM alerts WHERE acknowledged_at IS NULL").fetch_one(self.reader()).await.map_err(of)?;
                    unsigned("count", count)
                }

                async fn list_due_messages(&self, now: Timestamp, limit: u32) -> StoreResult<Vec<Message>> {
                    let rows = sqlx::query("SELECT * FROM messages WHERE NOT dead AND due_at <= $1 ORDER BY due_at LIMIT $2").bind(now.as_micros()).bind(i64::from(limit)).fetch_all(self.reader()).await;
                    rows.map_err(of)?.iter().map(message).collect()
                }

                async fn count_messages(&self) -> StoreResult<(u64, u64)> {
                    let mut counts = [0, 0];
                    for (count, dead) in counts.iter_mut().zip([false, true]) {
                        let found: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM messages WHERE dead = $1").bind(dead).fetch_one(self.reader()).await.map_err(of)?;
                        *count = unsigned("count", found)?;
                    }
                    Ok(counts.into())
                }

                async fn list_faults(&self, open: bool, limit: u32) -> StoreResult<Vec<Fault>> {
                    let rows = sqlx::query("SELECT * FROM faults WHERE NOT $1 OR resolved_at IS NULL ORDER BY last_at DESC, fingerprint LIMIT $2").bind(open).bind(i64::from(limit)).fetch_all(self.reader()).await;
                    rows.map_err(of)?.iter().map(fault).collect()
                }

                async fn lookup_fault(&self, fingerprint: &str) -> StoreResult<Option<Fault>> {
                    let row = sqlx::query("SELECT * FROM faults WHERE fingerprint = $1").bind(fingerprint).fetch_optional(self.reader()).await;
                    row.map_err(of)?.as_ref().map(fault).transpose()
                }
            }
        }
    };
}
pub(crate) use watch;
