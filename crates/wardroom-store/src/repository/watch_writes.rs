//! Writes to alerts, faults and messages to the outside.

macro_rules! watch_writes {
    ($db:ty) => {
        mod watch_writes {
            use super::*;
            use crate::repository::{guarded, signed, statement as run};
            use wardroom_core::{
                change::Write,
                store::{StoreError, StoreResult},
                watch::{alert::Alert, fault::Fault, message::Message},
            };

            type Connection = <$db as sqlx::Database>::Connection;

            /// Applies a write to what is watched; nothing where it is none.
            pub(super) async fn apply(c: &mut Connection, write: &Write) -> Option<StoreResult<()>> {
                Some(match write {
                    Write::MoveCursor { name, from, to } => move_cursor(c, name, *from, *to).await,
                    Write::AddAlert(alert) => add_alert(c, alert).await,
                    Write::AddMessage(message) => add_message(c, message).await,
                    Write::CountFault(fault) => count_fault(c, fault).await,
                    Write::RepeatAlert { .. } | Write::AcknowledgeAlert { .. } | Write::TryMessage { .. } | Write::FailMessage { .. } | Write::RemoveMessage { .. } | Write::ResolveFault { .. } => change(c, write).await,
                    _ => return None,
                })
            }

            async fn change(c: &mut Connection, write: &Write) -> StoreResult<()> {
                let (what, touched) = match write {
                    Write::RepeatAlert { id, times, at, detail } => ("the alert",
                        run!(c, "UPDATE alerts SET count = count + $2, last_at = $3, detail = $4 WHERE id = $1 AND acknowledged_at IS NULL", id.uuid(), i64::from(*times), at.as_micros(), detail.clone())),
                    Write::AcknowledgeAlert { id, by, at } => ("the alert",
                        run!(c, "UPDATE alerts SET acknowledged_by = $2, acknowledged_at = $3 WHERE id = $1 AND acknowledged_at IS NULL", id.uuid(), by.uuid(), at.as_micros())),
                    Write::TryMessage { id, attempts, due_at } => ("the message",
                        run!(c, "UPDATE messages SET attempts = attempts + 1, due_at = $3 WHERE id = $1 AND attempts = $2 AND NOT dead", id.uuid(), i64::from(*attempts), due_at.as_micros())),
                    Write::FailMessage { id, attempts, problem, due_at, dead } => ("the message",
                        run!(c, "UPDATE messages SET problem = $2, due_at = $3, dead = $4 WHERE id = $1 AND attempts = $5", id.uuid(), problem.clone(), due_at.as_micros(), *dead, i64::from(*attempts))),
                    Write::RemoveMessage { id, attempts } => ("the message", run!(c, "DELETE FROM messages WHERE id = $1 AND attempts = $2", id.uuid(), i64::from(*attempts))),
                    Write::ResolveFault { fingerprint, at } => ("the fault",
                        run!(c, "UPDATE faults SET resolved_at = $2 WHERE fingerprint = $1 AND resolved_at IS NULL", fingerprint.clone(), at.as_micros())),
                    _ => return Err(StoreError::Other("a write is not known".to_owned())),
                };
                guarded(what, touched)
            }

            async fn move_cursor(c: &mut Connection, name: &'static str, from: u64, to: u64) -> StoreResult<()> {
                // A reader that never moved has no row yet.
                run!(c, "INSERT INTO cursors (name, position) VALUES ($1, 0) ON CONFLICT (name) DO NOTHING", name);
                guarded("the reader of the log", run!(c, "UPDATE cursors SET position = $3 WHERE name = $1 AND position = $2", name, signed(from), signed(to)))
            }

            async fn add_alert(c: &mut Connection, a: &Alert) -> StoreResult<()> {
                run!(c, "INSERT INTO alerts (id, rule, subject, detail, count, first_at, last_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
                    a.id.uuid(), a.rule.as_str(), a.subject.clone(), a.detail.clone(), i64::from(a.count), a.first_at.as_micros(), a.last_at.as_micros());
                Ok(())
            }

            async fn add_message(c: &mut Connection, m: &Message) -> StoreResult<()> {
                run!(c, "INSERT INTO messages (id, channel, recipient, sealed, attempts, due_at, created_at, problem, dead) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
                    m.id.uuid(), m.channel.as_str(), m.recipient.map(|id| id.uuid()), m.sealed.clone(), i64::from(m.attempts), m.due_at.as_micros(), m.created_at.as_micros(), m.problem.clone(), m.dead);
                Ok(())
            }

            async fn count_fault(c: &mut Connection, f: &Fault) -> StoreResult<()> {
                run!(c, "INSERT INTO faults (fingerprint, place, message, count, first_at, last_at, request, run) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (fingerprint) DO UPDATE SET message = $3, count = faults.count + $4, last_at = $6, request = COALESCE($7, faults.request), run = COALESCE($8, faults.run), resolved_at = NULL",
                    f.fingerprint.clone(), f.place.clone(), f.message.clone(), signed(f.count), f.first_at.as_micros(), f.last_at.as_micros(), f.request.clone(), f.run.clone());
                Ok(())
            }
        }
    };
}
pub(crate) use watch_writes;
