//! Writes to customers, services and requests.

/// Counts what a statement counts.
macro_rules! number {
    ($connection:expr, $sql:expr $(, $value:expr)* $(,)?) => {
        sqlx::query_scalar::<_, i64>($sql)$(.bind($value))*.fetch_one(&mut *$connection).await.map_err(crate::error::of)?
    };
}
pub(crate) use number;

macro_rules! desk_writes {
    ($db:ty) => {
        mod desk_writes {
            use super::*;
            use crate::repository::{guarded, json, number, signed, statement as run};
            use uuid::Uuid;
            use wardroom_core::{
                change::{RequestRoom, Write},
                desk::{customer::Customer, request::{ATTACHMENTS_MAX, Attachment, NOTES_MAX, Note, ServiceRequest}, service::Service},
                store::{StoreError, StoreResult},
            };

            type Connection = <$db as sqlx::Database>::Connection;

            /// Applies a write to the desk.
            pub(super) async fn apply(c: &mut Connection, write: &Write) -> StoreResult<()> {
                match write {
                    Write::AddCustomer(customer) => add_customer(c, customer).await,
                    Write::UpdateCustomer(customer) => update_customer(c, customer).await,
                    Write::HoldCustomer(id) => hold_customer(c, id.uuid()).await,
                    Write::RequireNoUsersOf(id) => {
                        let there = number!(c, "SELECT COUNT(*) FROM users WHERE customer_id = $1 AND state <> 'erased'", id.uuid());
                        guarded("the customer's accounts", u64::from(there == 0))
                    }
                    Write::RemoveRunDataOf(id) => {
                        run!(c, "DELETE FROM run_output WHERE run IN (SELECT id FROM runs WHERE customer_id = $1)", id.uuid());
                        run!(c, "UPDATE runs SET parameters_sealed = $2 WHERE customer_id = $1", id.uuid(), Vec::<u8>::new());
                        Ok(())
                    }
                    Write::AddService(service) => add_service(c, service).await,
                    Write::UpdateService(service) => update_service(c, service).await,
                    Write::AddRequest { request, room } => add_request(c, request, *room).await,
                    Write::UpdateRequest(request) => update_request(c, request).await,
                    Write::AwaitRequest { id, at } => {
                        run!(c, "UPDATE requests SET attention = $2, version = version + 1, updated_at = $3 WHERE id = $1 AND attention AND closed_at IS NULL", id.uuid(), false, at.as_micros());
                        Ok(())
                    }
                    Write::CancelRequestsOf { customer, at } => {
                        run!(c, "UPDATE requests SET state = 'cancelled', attention = $2, scheduled_for = NULL, version = version + 1, updated_at = $3, closed_at = $3 WHERE customer_id = $1 AND closed_at IS NULL", customer.uuid(), false, at.as_micros());
                        Ok(())
                    }
                    Write::AddNote(note) => add_note(c, note).await,
                    Write::AddAttachment { attachment, content, quota_bytes } => add_attachment(c, attachment, content, *quota_bytes).await,
                    Write::RemoveAttachment(id) => guarded("the attachment", run!(c, "DELETE FROM attachments WHERE id = $1", id.uuid())),
                    Write::PutView(v) => {
                        run!(c, "INSERT INTO saved_views (id, user_id, list, name, query, created_at) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (user_id, list, name) DO UPDATE SET query = $5",
                            v.id.uuid(), v.user.uuid(), v.list.clone(), v.name.clone(), v.query.clone(), v.created_at.as_micros());
                        Ok(())
                    }
                    Write::RemoveView(id) => guarded("the view", run!(c, "DELETE FROM saved_views WHERE id = $1", id.uuid())),
                    _ => Err(StoreError::Other("a write is not known".to_owned())),
                }
            }

            async fn put_operators(c: &mut Connection, customer: &Customer) -> StoreResult<()> {
                run!(c, "DELETE FROM customer_operators WHERE customer_id = $1", customer.id.uuid());
                for user in &customer.operators {
                    run!(c, "INSERT INTO customer_operators (customer_id, user_id) VALUES ($1, $2)", customer.id.uuid(), user.uuid());
                }
                Ok(())
            }

            async fn add_customer(c: &mut Connection, x: &Customer) -> StoreResult<()> {
                run!(c, "INSERT INTO customers (id, version, profile, email_index, operators, state, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
                    x.id.uuid(), x.version, x.profile.clone(), x.email_index.map(|index| index.0.to_vec()), json(&x.operators)?, x.state.as_str(), x.created_at.as_micros());
                put_operators(c, x).await
            }

            async fn update_customer(c: &mut Connection, x: &Customer) -> StoreResult<()> {
                guarded("the customer", run!(c, "UPDATE customers SET version = $2, profile = $3, email_index = $4, operators = $5, state = $6 WHERE id = $1 AND version = $2 - 1",
                    x.id.uuid(), x.version, x.profile.clone(), x.email_index.map(|index| index.0.to_vec()), json(&x.operators)?, x.state.as_str()))?;
                put_operators(c, x).await
            }

            /// An update that changes nothing: what is counted behind it stays so until the change is durable.
            async fn hold_customer(c: &mut Connection, id: Uuid) -> StoreResult<()> {
                guarded("the customer", run!(c, "UPDATE customers SET id = id WHERE id = $1 AND state = 'active'", id))
            }

            async fn add_service(c: &mut Connection, s: &Service) -> StoreResult<()> {
                let audience = s.audience.as_ref().map(json).transpose()?;
                run!(c, "INSERT INTO services (id, version, name, title, description, state, audience, form, fulfilment, limits, author, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
                    s.id.uuid(), s.version, s.name.clone(), s.title.clone(), s.description.clone(), s.state.as_str(), audience, json(&s.form)?, json(&s.fulfilment)?, json(&s.limits)?,
                    s.author.uuid(), s.created_at.as_micros(), s.updated_at.as_micros());
                Ok(())
            }

            async fn update_service(c: &mut Connection, s: &Service) -> StoreResult<()> {
                let audience = s.audience.as_ref().map(json).transpose()?;
                guarded("the service", run!(c, "UPDATE services SET version = $2, name = $3, title = $4, description = $5, state = $6, audience = $7, form = $8, fulfilment = $9, limits = $10, author = $11, updated_at = $12 WHERE id = $1 AND version = $2 - 1",
                    s.id.uuid(), s.version, s.name.clone(), s.title.clone(), s.description.clone(), s.state.as_str(), audience, json(&s.form)?, json(&s.fulfilment)?, json(&s.limits)?,
                    s.author.uuid(), s.updated_at.as_micros()))
            }

            async fn add_request(c: &mut Connection, r: &ServiceRequest, room: Option<RequestRoom>) -> StoreResult<()> {
                hold_customer(c, r.customer.uuid()).await?;
                if let Some(room) = room {
                    let (customer, service) = (r.customer.uuid(), r.service.uuid());
                    let open = number!(c, "SELECT COUNT(*) FROM requests WHERE customer_id = $1 AND service_id = $2 AND closed_at IS NULL", customer, service);
                    if open >= i64::from(room.open_max) {
                        return Err(StoreError::Conflict("room for open requests"));
                    }
                    let recent = number!(c, "SELECT COUNT(*) FROM requests WHERE customer_id = $1 AND service_id = $2 AND created_at >= $3", customer, service, room.since.as_micros());
                    if recent >= i64::from(room.recent_max) {
                        return Err(StoreError::Conflict("room for requests of a day"));
                    }
                }
                run!(c, "INSERT INTO requests (id, version, customer_id, service_id, requested_by, sealed, state, priority, assignee, due_at, scheduled_for, automatic, attention, created_at, updated_at, closed_at, idempotency_key) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)",
                    r.id.uuid(), r.version, r.customer.uuid(), r.service.uuid(), r.requested_by.uuid(), r.sealed.clone(), r.state.as_str(), i64::from(r.priority.rank()),
                    r.assignee.map(|id| id.uuid()), r.due_at.map(|t| t.as_micros()), r.scheduled_for.map(|t| t.as_micros()), r.automatic, r.attention,
                    r.created_at.as_micros(), r.updated_at.as_micros(), r.closed_at.map(|t| t.as_micros()), r.idempotency_key.clone());
                Ok(())
            }

            async fn update_request(c: &mut Connection, r: &ServiceRequest) -> StoreResult<()> {
                guarded("the request", run!(c, "UPDATE requests SET version = $2, sealed = $3, state = $4, priority = $5, assignee = $6, due_at = $7, scheduled_for = $8, automatic = $9, attention = $10, updated_at = $11, closed_at = $12 WHERE id = $1 AND version = $2 - 1",
                    r.id.uuid(), r.version, r.sealed.clone(), r.state.as_str(), i64::from(r.priority.rank()), r.assignee.map(|id| id.uuid()), r.due_at.map(|t| t.as_micros()),
                    r.scheduled_for.map(|t| t.as_micros()), r.automatic, r.attention, r.updated_at.as_micros(), r.closed_at.map(|t| t.as_micros())))
            }

            async fn add_note(c: &mut Connection, n: &Note) -> StoreResult<()> {
                let said = number!(c, "SELECT COUNT(*) FROM notes WHERE request_id = $1", n.request.uuid());
                guarded("room for notes", u64::from(said < i64::from(NOTES_MAX)))?;
                run!(c, "INSERT INTO notes (id, request_id, author, internal, sealed, created_at) VALUES ($1, $2, $3, $4, $5, $6)",
                    n.id.uuid(), n.request.uuid(), n.author.map(|id| id.uuid()), n.internal, n.sealed.clone(), n.created_at.as_micros());
                Ok(())
            }

            async fn add_attachment(c: &mut Connection, a: &Attachment, content: &[u8], quota_bytes: u64) -> StoreResult<()> {
                hold_customer(c, a.customer.uuid()).await?;
                let used = number!(c, "SELECT CAST(COALESCE(SUM(size_bytes), 0) AS BIGINT) FROM attachments WHERE customer_id = $1", a.customer.uuid());
                if used.saturating_add(signed(a.size_bytes)) > signed(quota_bytes) {
                    return Err(StoreError::Conflict("room for attachments"));
                }
                let there = number!(c, "SELECT COUNT(*) FROM attachments WHERE request_id = $1", a.request.uuid());
                if there >= signed(ATTACHMENTS_MAX as u64) {
                    return Err(StoreError::Conflict("room for attachments of the request"));
                }
                run!(c, "INSERT INTO attachments (id, request_id, customer_id, sealed_name, media_type, size_bytes, uploaded_by, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
                    a.id.uuid(), a.request.uuid(), a.customer.uuid(), a.sealed_name.clone(), a.media_type.clone(), signed(a.size_bytes), a.uploaded_by.uuid(), a.created_at.as_micros());
                run!(c, "INSERT INTO attachment_contents (attachment_id, sealed) VALUES ($1, $2)", a.id.uuid(), content.to_vec());
                Ok(())
            }
        }
    };
}
pub(crate) use desk_writes;
