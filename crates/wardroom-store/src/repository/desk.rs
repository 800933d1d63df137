//! Customers, services and requests.

macro_rules! desk {
    ($store:ty, $db:ty) => {
        mod desk {
            use super::*;
            use crate::{error::of, repository::{fixed, named, parse, unsigned}};
            use sqlx::QueryBuilder;
            use uuid::Uuid;
            use wardroom_core::{
                AttachmentId, CustomerId, NoteId, SavedViewId, ServiceId, ServiceRequestId, Timestamp, UserId,
                desk::{
                    SavedView,
                    customer::Customer,
                    request::{Attachment, NOTES_MAX, Note, Priority, RequestState, ServiceRequest},
                    service::{Service, ServiceState},
                },
                page::{Page, PageRequest},
                person::BlindIndex,
                store::{Desk, RequestFilter, StoreError, StoreResult},
            };

            type DbRow = <$db as sqlx::Database>::Row;

            /// A request with those who look after its customer.
            const REQUEST: &str = "SELECT r.*, c.operators AS operators FROM requests r JOIN customers c ON c.id = r.customer_id WHERE ";

            fn uuid(row: &DbRow, column: &str) -> StoreResult<Uuid> {
                row.try_get(column).map_err(of)
            }

            fn uuid_if_any(row: &DbRow, column: &str) -> StoreResult<Option<Uuid>> {
                row.try_get(column).map_err(of)
            }

            fn time(row: &DbRow, column: &str) -> StoreResult<Timestamp> {
                Ok(Timestamp::from_micros(row.try_get(column).map_err(of)?))
            }

            fn time_if_any(row: &DbRow, column: &str) -> StoreResult<Option<Timestamp>> {
                Ok(row.try_get::<Option<i64>, _>(column).map_err(of)?.map(Timestamp::from_micros))
            }

            fn customer(row: &DbRow) -> StoreResult<Customer> {
                let index: Option<Vec<u8>> = row.try_get("email_index").map_err(of)?;
                Ok(Customer {
                    id: CustomerId::from_uuid(uuid(row, "id")?),
                    version: row.try_get("version").map_err(of)?,
                    profile: row.try_get("profile").map_err(of)?,
                    email_index: index.map(|bytes| Ok(BlindIndex(fixed("index", bytes)?))).transpose()?,
                    operators: parse("operators", row.try_get("operators").map_err(of)?)?,
                    state: named("customer state", row.try_get("state").map_err(of)?)?,
                    created_at: time(row, "created_at")?,
                })
            }

            fn service(row: &DbRow) -> StoreResult<Service> {
                let audience: Option<&str> = row.try_get("audience").map_err(of)?;
                Ok(Service {
                    id: ServiceId::from_uuid(uuid(row, "id")?),
                    version: row.try_get("version").map_err(of)?,
                    name: row.try_get("name").map_err(of)?,
                    title: row.try_get("title").map_err(of)?,
                    description: row.try_get("description").map_err(of)?,
                    state: named("service state", row.try_get("state").map_err(of)?)?,
                    audience: audience.map(|text| parse("audience", text)).transpose()?,
                    form: parse("form", row.try_get("form").map_err(of)?)?,
                    fulfilment: parse("fulfilment", row.try_get("fulfilment").map_err(of)?)?,
                    limits: parse("limits", row.try_get("limits").map_err(of)?)?,
                    author: UserId::from_uuid(uuid(row, "author")?),
                    created_at: time(row, "created_at")?,
                    updated_at: time(row, "updated_at")?,
                })
            }

            fn request(row: &DbRow) -> StoreResult<ServiceRequest> {
                let rank: u8 = unsigned("priority", row.try_get("priority").map_err(of)?)?;
                let unknown = || StoreError::Corrupt { what: "priority", reason: format!("{rank} is not known") };
                Ok(ServiceRequest {
                    id: ServiceRequestId::from_uuid(uuid(row, "id")?),
                    version: row.try_get("version").map_err(of)?,
                    customer: CustomerId::from_uuid(uuid(row, "customer_id")?),
                    operators: parse("operators", row.try_get("operators").map_err(of)?)?,
                    service: ServiceId::from_uuid(uuid(row, "service_id")?),
                    requested_by: UserId::from_uuid(uuid(row, "requested_by")?),
                    sealed: row.try_get("sealed").map_err(of)?,
                    state: named("request state", row.try_get("state").map_err(of)?)?,
                    priority: Priority::from_rank(rank).ok_or_else(unknown)?,
                    assignee: uuid_if_any(row, "assignee")?.map(UserId::from_uuid),
                    due_at: time_if_any(row, "due_at")?,
                    scheduled_for: time_if_any(row, "scheduled_for")?,
                    automatic: row.try_get("automatic").map_err(of)?,
                    attention: row.try_get("attention").map_err(of)?,
                    idempotency_key: row.try_get("idempotency_key").map_err(of)?,
                    created_at: time(row, "created_at")?,
                    updated_at: time(row, "updated_at")?,
                    closed_at: time_if_any(row, "closed_at")?,
                })
            }

            fn note(row: &DbRow) -> StoreResult<Note> {
                Ok(Note {
                    id: NoteId::from_uuid(uuid(row, "id")?),
                    request: ServiceRequestId::from_uuid(uuid(row, "request_id")?),
                    author: uuid_if_any(row, "author")?.map(UserId::from_uuid),
                    internal: row.try_get("internal").map_err(of)?,
                    sealed: row.try_get("sealed").map_err(of)?,
                    created_at: time(row, "created_at")?,
                })
            }

            fn attachment(row: &DbRow) -> StoreResult<Attachment> {
                Ok(Attachment {
                    id: AttachmentId::from_uuid(uuid(row, "id")?),
                    request: ServiceRequestId::from_uuid(uuid(row, "request_id")?),
                    customer: CustomerId::from_uuid(uuid(row, "customer_id")?),
                    sealed_name: row.try_get("sealed_name").map_err(of)?,
                    media_type: row.try_get("media_type").map_err(of)?,
                    size_bytes: unsigned("size", row.try_get("size_bytes").map_err(of)?)?,
                    uploaded_by: UserId::from_uuid(uuid(row, "uploaded_by")?),
                    created_at: time(row, "created_at")?,
                })
            }

            fn view(row: &DbRow) -> StoreResult<SavedView> {
                Ok(SavedView {
                    id: SavedViewId::from_uuid(uuid(row, "id")?),
                    user: UserId::from_uuid(uuid(row, "user_id")?),
                    list: row.try_get("list").map_err(of)?,
                    name: row.try_get("name").map_err(of)?,
                    query: row.try_get("query").map_err(of)?,
                    created_at: time(row, "created_at")?,
                })
            }

            /// Adds what a filter demands of requests.
            fn demand(query: &mut QueryBuilder<$db>, filter: &RequestFilter) {
                if let Some(state) = filter.state {
                    query.push(" AND r.state = ").push_bind(state.as_str());
                }
                if filter.open {
                    query.push(" AND r.closed_at IS NULL");
                }
                if let Some(customers) = &filter.customers {
                    one_of(query.push(" AND r.customer_id "), customers.iter().map(|id| id.uuid()));
                }
                if let Some(service) = filter.service {
                    query.push(" AND r.service_id = ").push_bind(service.uuid());
                }
                if let Some(priority) = filter.priority {
                    query.push(" AND r.priority = ").push_bind(i64::from(priority.rank()));
                }
                if let Some(user) = filter.assignee {
                    query.push(" AND r.assignee = ").push_bind(user.uuid());
                }
                if filter.unassigned {
                    query.push(" AND r.assignee IS NULL");
                }
                if let Some(due) = filter.due_before {
                    query.push(" AND r.due_at < ").push_bind(due.as_micros());
                }
                if filter.attention {
                    query.push(" AND r.attention");
                }
                if let Some((user, customer)) = filter.concerning {
                    query.push(" AND (r.requested_by = ").push_bind(user.uuid());
                    query.push(" OR r.assignee = ").push_bind(user.uuid());
                    query.push(" OR r.customer_id IN (SELECT customer_id FROM customer_operators WHERE user_id = ").push_bind(user.uuid()).push(")");
                    if let Some(customer) = customer {
                        query.push(" OR r.customer_id = ").push_bind(customer.uuid());
                    }
                    query.push(")");
                }
            }

            fn one_of(query: &mut QueryBuilder<$db>, ids: impl Iterator<Item = Uuid>) {
                query.push("IN (");
                let mut listed = query.separated(", ");
                // A list of nothing is no SQL: the id of nobody stands in it.
                listed.push_bind(Uuid::nil());
                for id in ids {
                    listed.push_bind(id);
                }
                listed.push_unseparated(")");
            }

            impl $store {
                async fn requests(&self, mut query: QueryBuilder<$db>) -> StoreResult<Vec<ServiceRequest>> {
                    let rows = query.build().fetch_all(self.reader()).await.map_err(of)?;
                    rows.iter().map(request).collect()
                }

                async fn one_service<'q, V>(&self, condition: &str, value: V) -> StoreResult<Option<Service>>
                where
                    V: sqlx::Encode<'q, $db> + sqlx::Type<$db> + Send + 'q,
                {
                    let sql = format!("SELECT * FROM services WHERE {condition}");
                    let row = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(value).fetch_optional(self.reader()).await;
                    row.map_err(of)?.as_ref().map(service).transpose()
                }
            }

            #[async_trait::async_trait]
            impl Desk for $store {
                async fn lookup_customer(&self, id: CustomerId) -> StoreResult<Option<Customer>> {
                    Ok(self.lookup_customers(&[id]).await?.pop())
                }

                async fn lookup_customer_by_email(&self, email: BlindIndex) -> StoreResult<Option<Customer>> {
                    let row = sqlx::query("SELECT * FROM customers WHERE email_index = $1").bind(email.0.to_vec()).fetch_optional(self.reader()).await;
                    row.map_err(of)?.as_ref().map(customer).transpose()
                }

                async fn lookup_customers(&self, ids: &[CustomerId]) -> StoreResult<Vec<Customer>> {
                    let mut query = QueryBuilder::<$db>::new("SELECT * FROM customers WHERE id ");
                    one_of(&mut query, ids.iter().map(|id| id.uuid()));
                    let rows = query.build().fetch_all(self.reader()).await.map_err(of)?;
                    rows.iter().map(customer).collect()
                }

                async fn walk_customers(&self, after: Option<CustomerId>, limit: u32) -> StoreResult<Vec<Customer>> {
                    let rows = sqlx::query("SELECT * FROM customers WHERE id > $1 ORDER BY id LIMIT $2")
                        .bind(after.map_or(Uuid::nil(), |id| id.uuid()))
                        .bind(i64::from(limit))
                        .fetch_all(self.reader())
                        .await;
                    rows.map_err(of)?.iter().map(customer).collect()
                }

                async fn lookup_service(&self, id: ServiceId) -> StoreResult<Option<Service>> {
                    self.one_service("id = $1", id.uuid()).await
                }

                async fn lookup_service_by_name(&self, name: &str) -> StoreResult<Option<Service>> {
                    self.one_service("name = $1", name.to_owned()).await
                }

                async fn list_services(&self, state: Option<ServiceState>, page: PageRequest<String>) -> StoreResult<Page<Service, String>> {
                    let mut query = QueryBuilder::<$db>::new("SELECT * FROM services WHERE name > ");
                    query.push_bind(page.after.unwrap_or_default());
                    if let Some(state) = state {
                        query.push(" AND state = ").push_bind(state.as_str());
                    }
                    query.push(" ORDER BY name LIMIT ").push_bind(i64::from(page.limit) + 1);
                    let rows = query.build().fetch_all(self.reader()).await.map_err(of)?;
                    let services = rows.iter().map(service).collect::<StoreResult<Vec<_>>>()?;
                    Ok(Page::cut(services, page.limit, |service| service.name.clone()))
                }

                async fn lookup_request(&self, id: ServiceRequestId) -> StoreResult<Option<ServiceRequest>> {
                    let mut query = QueryBuilder::<$db>::new(REQUEST);
                    query.push("r.id = ").push_bind(id.uuid());
                    Ok(self.requests(query).await?.pop())
                }

                async fn lookup_request_by_key(&self, user: UserId, key: &str) -> StoreResult<Option<ServiceRequest>> {
                    let mut query = QueryBuilder::<$db>::new(REQUEST);
                    query.push("r.requested_by = ").push_bind(user.uuid()).push(" AND r.idempotency_key = ").push_bind(key.to_owned());
                    Ok(self.requests(query).await?.pop())
                }

                async fn list_requests(&self, filter: &RequestFilter, page: PageRequest<ServiceRequestId>) -> StoreResult<Page<ServiceRequest, ServiceRequestId>> {
                    let mut query = QueryBuilder::<$db>::new(REQUEST);
                    query.push("r.id < ").push_bind(page.after.map_or(Uuid::max(), |id| id.uuid()));
                    demand(&mut query, filter);
                    query.push(" ORDER BY r.id DESC LIMIT ").push_bind(i64::from(page.limit) + 1);
                    Ok(Page::cut(self.requests(query).await?, page.limit, |request| request.id))
                }

                async fn list_due_requests(&self, now: Timestamp, limit: u32) -> StoreResult<Vec<ServiceRequest>> {
                    let mut query = QueryBuilder::<$db>::new(REQUEST);
                    query.push("r.state = 'scheduled' AND r.automatic AND r.scheduled_for <= ").push_bind(now.as_micros());
                    query.push(" ORDER BY r.scheduled_for LIMIT ").push_bind(i64::from(limit));
                    self.requests(query).await
                }

                async fn list_settled_requests(&self, limit: u32) -> StoreResult<Vec<ServiceRequest>> {
                    let mut query = QueryBuilder::<$db>::new(REQUEST);
                    query.push("r.state = 'in_progress' AND r.closed_at IS NULL AND r.automatic AND NOT r.attention");
                    query.push(" AND EXISTS (SELECT 1 FROM runs WHERE request_id = r.id)");
                    query.push(" AND NOT EXISTS (SELECT 1 FROM runs WHERE request_id = r.id AND finished_at IS NULL)");
                    query.push(" ORDER BY r.id LIMIT ").push_bind(i64::from(limit));
                    self.requests(query).await
                }

                async fn count_requests(&self, filter: &RequestFilter) -> StoreResult<Vec<(RequestState, u64)>> {
                    let mut query = QueryBuilder::<$db>::new("SELECT r.state AS state, COUNT(*) AS n FROM requests r WHERE r.closed_at IS NULL");
                    demand(&mut query, filter);
                    query.push(" GROUP BY r.state");
                    let rows = query.build().fetch_all(self.reader()).await.map_err(of)?;
                    rows.iter()
                        .map(|row| Ok((named("request state", row.try_get("state").map_err(of)?)?, unsigned("count", row.try_get("n").map_err(of)?)?)))
                        .collect()
                }

                async fn list_notes(&self, request: ServiceRequestId) -> StoreResult<Vec<Note>> {
                    let rows = sqlx::query("SELECT * FROM notes WHERE request_id = $1 ORDER BY id LIMIT $2")
                        .bind(request.uuid())
                        .bind(i64::from(NOTES_MAX))
                        .fetch_all(self.reader())
                        .await;
                    rows.map_err(of)?.iter().map(note).collect()
                }

                async fn list_attachments(&self, request: ServiceRequestId) -> StoreResult<Vec<Attachment>> {
                    let rows = sqlx::query("SELECT * FROM attachments WHERE request_id = $1 ORDER BY id").bind(request.uuid()).fetch_all(self.reader()).await;
                    rows.map_err(of)?.iter().map(attachment).collect()
                }

                async fn lookup_attachment(&self, id: AttachmentId) -> StoreResult<Option<(Attachment, Vec<u8>)>> {
                    let sql = "SELECT a.*, t.sealed AS sealed FROM attachments a JOIN attachment_contents t ON t.attachment_id = a.id WHERE a.id = $1";
                    let row = sqlx::query(sql).bind(id.uuid()).fetch_optional(self.reader()).await.map_err(of)?;
                    row.map(|row| Ok((attachment(&row)?, row.try_get("sealed").map_err(of)?))).transpose()
                }

                async fn attachment_bytes(&self, customer: CustomerId) -> StoreResult<u64> {
                    // PostgreSQL sums BIGINT to NUMERIC, which is no integer.
                    let sum: i64 = sqlx::query_scalar("SELECT CAST(COALESCE(SUM(size_bytes), 0) AS BIGINT) FROM attachments WHERE customer_id = $1")
                        .bind(customer.uuid())
                        .fetch_one(self.reader())
                        .await
                        .map_err(of)?;
                    unsigned("size", sum)
                }

                async fn list_views(&self, user: UserId, list: Option<&str>) -> StoreResult<Vec<SavedView>> {
                    let rows = sqlx::query("SELECT * FROM saved_views WHERE user_id = $1 ORDER BY list, name").bind(user.uuid()).fetch_all(self.reader()).await;
                    let views = rows.map_err(of)?.iter().map(view).collect::<StoreResult<Vec<_>>>()?;
                    Ok(views.into_iter().filter(|view| list.is_none_or(|list| list == view.list)).collect())
                }

                async fn lookup_view(&self, id: SavedViewId) -> StoreResult<Option<SavedView>> {
                    let row = sqlx::query("SELECT * FROM saved_views WHERE id = $1").bind(id.uuid()).fetch_optional(self.reader()).await;
                    row.map_err(of)?.as_ref().map(view).transpose()
                }
            }
        }
    };
}
pub(crate) use desk;
