//! Accounts and what proves them.

macro_rules! identities {
    ($store:ty, $db:ty) => {
        mod identities {
            use super::*;
            use crate::{error::of, repository::{fixed, named, parse, personal::{PLACES, older}, unsigned}};
            use sqlx::QueryBuilder;
            use uuid::Uuid;
            use wardroom_core::{
                sealed::{Personal, Sealed},
                secret::{NamedSecret, SecretVersion},
                ApiTokenId, CustomerId, FactorId, PassId, SessionId, Timestamp, UserId,
                block::{BLOCK_MEMORY, Block},
                identity::{ApiToken, Factor, Pass, SealedKey, SecretHash, Session, User, UserState},
                page::{Page, PageRequest},
                person::BlindIndex,
                policy::StoredPolicy,
                store::{Identities, StoreResult, UserFilter},
            };

            type DbRow = <$db as sqlx::Database>::Row;

            const USER: &str = "u.id AS u_id, u.version AS u_version, u.profile AS u_profile, u.name_index AS u_name_index, u.email_index AS u_email_index, u.role AS u_role, u.user_groups AS u_groups, u.customer_id AS u_customer, u.state AS u_state, u.password_hash AS u_password_hash, u.password_temporary AS u_password_temporary, u.password_changed_at AS u_password_changed_at, u.second_factor AS u_second_factor, u.created_at AS u_created_at";

            fn time(row: &DbRow, column: &str) -> StoreResult<Timestamp> {
                Ok(Timestamp::from_micros(row.try_get(column).map_err(of)?))
            }

            fn time_if_any(row: &DbRow, column: &str) -> StoreResult<Option<Timestamp>> {
                Ok(row.try_get::<Option<i64>, _>(column).map_err(of)?.map(Timestamp::from_micros))
            }

            fn user_id(row: &DbRow) -> StoreResult<UserId> {
                Ok(UserId::from_uuid(row.try_get::<Uuid, _>("user_id").map_err(of)?))
            }

            fn index(row: &DbRow, column: &str) -> StoreResult<Option<BlindIndex>> {
                let bytes: Option<Vec<u8>> = row.try_get(column).map_err(of)?;
                bytes.map(|bytes| Ok(BlindIndex(fixed("index", bytes)?))).transpose()
            }

            fn sealed_key(row: &DbRow) -> StoreResult<SealedKey> {
                Ok(SealedKey {
                    name: row.try_get("name").map_err(of)?,
                    sealed: row.try_get("sealed").map_err(of)?,
                    created_at: time(row, "created_at")?,
                })
            }

            fn user(row: &DbRow) -> StoreResult<User> {
                Ok(User {
                    id: UserId::from_uuid(row.try_get::<Uuid, _>("u_id").map_err(of)?),
                    version: row.try_get("u_version").map_err(of)?,
                    profile: row.try_get("u_profile").map_err(of)?,
                    // Absent only while an account from before waits to be sealed: found by no name.
                    name_index: index(row, "u_name_index")?.unwrap_or(BlindIndex([0; 32])),
                    email_index: index(row, "u_email_index")?,
                    role: named("role", row.try_get("u_role").map_err(of)?)?,
                    groups: parse("groups", row.try_get("u_groups").map_err(of)?)?,
                    customer: row.try_get::<Option<Uuid>, _>("u_customer").map_err(of)?.map(CustomerId::from_uuid),
                    state: named("state", row.try_get("u_state").map_err(of)?)?,
                    password_hash: row.try_get("u_password_hash").map_err(of)?,
                    password_temporary: row.try_get("u_password_temporary").map_err(of)?,
                    password_changed_at: time(row, "u_password_changed_at")?,
                    second_factor: row.try_get("u_second_factor").map_err(of)?,
                    created_at: time(row, "u_created_at")?,
                })
            }

            fn secret(row: &DbRow) -> StoreResult<NamedSecret> {
                let days: Option<i64> = row.try_get("rotate_days").map_err(of)?;
                Ok(NamedSecret {
                    name: row.try_get("name").map_err(of)?,
                    about: row.try_get("about").map_err(of)?,
                    rotate_days: days.map(|days| unsigned("days", days)).transpose()?,
                    current: row.try_get("current").map_err(of)?,
                    reminded: row.try_get("reminded").map_err(of)?,
                    created_at: time(row, "created_at")?,
                    renewed_at: time(row, "renewed_at")?,
                })
            }

            fn session(row: &DbRow) -> StoreResult<Session> {
                let outside: Option<Vec<u8>> = row.try_get("outside").map_err(of)?;
                Ok(Session {
                    id: SessionId::from_uuid(row.try_get::<Uuid, _>("id").map_err(of)?),
                    secret_hash: SecretHash(fixed("session", row.try_get("secret_hash").map_err(of)?)?),
                    user: user_id(row)?,
                    kind: named("session kind", row.try_get("kind").map_err(of)?)?,
                    created_at: time(row, "created_at")?,
                    expires_at: time(row, "expires_at")?,
                    idle_until: time(row, "idle_until")?,
                    seen_at: time(row, "seen_at")?,
                    proved_at: time(row, "proved_at")?,
                    second_factor: row.try_get("second_factor").map_err(of)?,
                    grant: super::oauth::grant(row)?,
                    outside: outside.map(|sid| Ok(BlindIndex(fixed("session", sid)?))).transpose()?,
                    about: row.try_get("about").map_err(of)?,
                })
            }

            fn api_token(row: &DbRow) -> StoreResult<ApiToken> {
                Ok(ApiToken {
                    id: ApiTokenId::from_uuid(row.try_get::<Uuid, _>("id").map_err(of)?),
                    secret_hash: SecretHash(fixed("token", row.try_get("secret_hash").map_err(of)?)?),
                    user: user_id(row)?,
                    name: row.try_get("name").map_err(of)?,
                    scopes: parse("scopes", row.try_get("scopes").map_err(of)?)?,
                    created_at: time(row, "created_at")?,
                    expires_at: time(row, "expires_at")?,
                    used_at: time_if_any(row, "used_at")?,
                })
            }

            fn pass(row: &DbRow) -> StoreResult<Pass> {
                Ok(Pass {
                    id: PassId::from_uuid(row.try_get::<Uuid, _>("id").map_err(of)?),
                    secret_hash: SecretHash(fixed("link", row.try_get("secret_hash").map_err(of)?)?),
                    user: user_id(row)?,
                    purpose: named("purpose", row.try_get("purpose").map_err(of)?)?,
                    created_by: row.try_get("created_by").map_err(of)?,
                    created_at: time(row, "created_at")?,
                    expires_at: time(row, "expires_at")?,
                })
            }

            fn factor(row: &DbRow) -> StoreResult<Factor> {
                let handle: Option<Vec<u8>> = row.try_get("handle").map_err(of)?;
                Ok(Factor {
                    id: FactorId::from_uuid(row.try_get::<Uuid, _>("id").map_err(of)?),
                    user: user_id(row)?,
                    kind: named("factor kind", row.try_get("kind").map_err(of)?)?,
                    sealed: row.try_get("sealed").map_err(of)?,
                    handle: handle.map(|bytes| Ok(SecretHash(fixed("handle", bytes)?))).transpose()?,
                    counter: row.try_get("counter").map_err(of)?,
                    confirmed: row.try_get("confirmed").map_err(of)?,
                    created_at: time(row, "created_at")?,
                    used_at: time_if_any(row, "used_at")?,
                })
            }

            fn block(row: &DbRow) -> StoreResult<Block> {
                Ok(Block {
                    network: row.try_get("network").map_err(of)?,
                    reason: row.try_get("reason").map_err(of)?,
                    times: unsigned("times", row.try_get("times").map_err(of)?)?,
                    created_at: time(row, "created_at")?,
                    until: time(row, "until_at")?,
                })
            }

            fn policy(row: &DbRow) -> StoreResult<StoredPolicy> {
                Ok(StoredPolicy {
                    number: row.try_get("number").map_err(of)?,
                    text: row.try_get("body").map_err(of)?,
                    note: row.try_get("note").map_err(of)?,
                    author: row.try_get("author").map_err(of)?,
                    created_at: time(row, "created_at")?,
                })
            }

            impl $store {
                /// One row of `table`, joined with its user, where `condition` holds for `value`.
                async fn with_user<'q, T, V>(
                    &self,
                    table: &str,
                    condition: &str,
                    value: V,
                    read: fn(&DbRow) -> StoreResult<T>,
                ) -> StoreResult<Option<(T, User)>>
                where
                    V: sqlx::Encode<'q, $db> + sqlx::Type<$db> + Send + 'q,
                {
                    let sql = format!("SELECT t.*, {USER} FROM {table} t JOIN users u ON u.id = t.user_id WHERE {condition}");
                    let row = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(value).fetch_optional(self.reader()).await;
                    row.map_err(of)?.as_ref().map(|row| Ok((read(row)?, user(row)?))).transpose()
                }

                async fn one_user<'q, V>(&self, condition: &str, value: V) -> StoreResult<Option<User>>
                where
                    V: sqlx::Encode<'q, $db> + sqlx::Type<$db> + Send + 'q,
                {
                    let sql = format!("SELECT {USER} FROM users u WHERE {condition}");
                    let row = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(value).fetch_optional(self.reader()).await;
                    row.map_err(of)?.as_ref().map(user).transpose()
                }
            }

            #[async_trait::async_trait]
            impl Identities for $store {
                async fn lookup_user(&self, id: UserId) -> StoreResult<Option<User>> {
                    self.one_user("u.id = $1", id.uuid()).await
                }

                async fn lookup_user_by_name(&self, name: BlindIndex) -> StoreResult<Option<User>> {
                    self.one_user("u.name_index = $1", name.0.to_vec()).await
                }

                async fn lookup_user_by_email(&self, email: BlindIndex) -> StoreResult<Option<User>> {
                    self.one_user("u.email_index = $1", email.0.to_vec()).await
                }

                async fn lookup_user_outside(&self, subject: BlindIndex) -> StoreResult<Option<User>> {
                    self.one_user("u.id = (SELECT user_id FROM outside WHERE subject = $1)", subject.0.to_vec()).await
                }

                async fn is_outside(&self, user: UserId) -> StoreResult<bool> {
                    let found: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM outside WHERE user_id = $1").bind(user.uuid()).fetch_one(self.reader()).await.map_err(of)?;
                    Ok(found > 0)
                }

                async fn list_users(&self, filter: &UserFilter, page: PageRequest<UserId>) -> StoreResult<Page<User, UserId>> {
                    let mut query = QueryBuilder::<$db>::new(format!("SELECT {USER} FROM users u WHERE u.id < "));
                    query.push_bind(page.after.map_or(Uuid::max(), |id| id.uuid()));
                    match filter.state {
                        Some(state) => query.push(" AND u.state = ").push_bind(state.as_str()),
                        None => query.push(" AND u.state <> ").push_bind(UserState::Erased.as_str()),
                    };
                    if let Some(role) = filter.role {
                        query.push(" AND u.role = ").push_bind(role.as_str());
                    }
                    if let Some(customer) = filter.customer {
                        query.push(" AND u.customer_id = ").push_bind(customer.uuid());
                    }
                    query.push(" ORDER BY u.id DESC LIMIT ").push_bind(i64::from(page.limit) + 1);
                    let rows = query.build().fetch_all(self.reader()).await.map_err(of)?;
                    let users = rows.iter().map(user).collect::<StoreResult<Vec<_>>>()?;
                    Ok(Page::cut(users, page.limit, |user| user.id))
                }

                async fn list_unsealed_users(&self, limit: u32) -> StoreResult<Vec<(User, String)>> {
                    let sql = format!("SELECT {USER}, u.plain_name FROM users u WHERE u.plain_name IS NOT NULL LIMIT $1");
                    let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(i64::from(limit)).fetch_all(self.reader()).await;
                    rows.map_err(of)?.iter().map(|row| Ok((user(row)?, row.try_get("plain_name").map_err(of)?))).collect()
                }

                async fn list_passwords(&self, user: UserId) -> StoreResult<Vec<String>> {
                    sqlx::query_scalar("SELECT hash FROM old_passwords WHERE user_id = $1 ORDER BY at DESC")
                        .bind(user.uuid())
                        .fetch_all(self.reader())
                        .await
                        .map_err(of)
                }

                async fn lookup_session(&self, hash: SecretHash) -> StoreResult<Option<(Session, User)>> {
                    self.with_user("sessions", "t.secret_hash = $1", hash.0.to_vec(), session).await
                }

                async fn lookup_session_by_id(&self, id: SessionId) -> StoreResult<Option<(Session, User)>> {
                    self.with_user("sessions", "t.id = $1", id.uuid(), session).await
                }

                async fn lookup_spent(&self, hash: SecretHash) -> StoreResult<Option<(Session, User)>> {
                    let condition = "t.id = (SELECT session_id FROM spent_secrets WHERE secret_hash = $1)";
                    self.with_user("sessions", condition, hash.0.to_vec(), session).await
                }

                async fn list_sessions(&self, user: UserId, now: Timestamp) -> StoreResult<Vec<Session>> {
                    let rows = sqlx::query("SELECT * FROM sessions WHERE user_id = $1 AND expires_at > $2 AND idle_until > $2 ORDER BY id DESC")
                        .bind(user.uuid())
                        .bind(now.as_micros())
                        .fetch_all(self.reader())
                        .await;
                    rows.map_err(of)?.iter().map(session).collect()
                }

                async fn lookup_api_token(&self, hash: SecretHash) -> StoreResult<Option<(ApiToken, User)>> {
                    self.with_user("api_tokens", "t.secret_hash = $1", hash.0.to_vec(), api_token).await
                }

                async fn lookup_api_token_by_id(&self, id: ApiTokenId) -> StoreResult<Option<(ApiToken, User)>> {
                    self.with_user("api_tokens", "t.id = $1", id.uuid(), api_token).await
                }

                async fn list_api_tokens(
                    &self,
                    user: UserId,
                    page: PageRequest<ApiTokenId>,
                ) -> StoreResult<Page<ApiToken, ApiTokenId>> {
                    let rows = sqlx::query("SELECT * FROM api_tokens WHERE user_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3")
                        .bind(user.uuid())
                        .bind(page.after.map_or(Uuid::max(), |id| id.uuid()))
                        .bind(i64::from(page.limit) + 1)
                        .fetch_all(self.reader())
                        .await
                        .map_err(of)?;
                    let tokens = rows.iter().map(api_token).collect::<StoreResult<Vec<_>>>()?;
                    Ok(Page::cut(tokens, page.limit, |token| token.id))
                }

                async fn lookup_pass(&self, hash: SecretHash) -> StoreResult<Option<(Pass, User)>> {
                    self.with_user("passes", "t.secret_hash = $1", hash.0.to_vec(), pass).await
                }

                async fn list_factors(&self, user: UserId) -> StoreResult<Vec<Factor>> {
                    let rows = sqlx::query("SELECT * FROM factors WHERE user_id = $1 ORDER BY id").bind(user.uuid()).fetch_all(self.reader()).await;
                    rows.map_err(of)?.iter().map(factor).collect()
                }

                async fn lookup_factor(&self, handle: SecretHash) -> StoreResult<Option<Factor>> {
                    let row = sqlx::query("SELECT * FROM factors WHERE handle = $1").bind(handle.0.to_vec()).fetch_optional(self.reader()).await;
                    row.map_err(of)?.as_ref().map(factor).transpose()
                }

                async fn list_blocks(&self, now: Timestamp, limit: u32) -> StoreResult<Vec<Block>> {
                    let rows = sqlx::query("SELECT * FROM blocks WHERE until_at > $1 ORDER BY created_at DESC LIMIT $2")
                        .bind(now.minus(BLOCK_MEMORY).as_micros())
                        .bind(i64::from(limit))
                        .fetch_all(self.reader())
                        .await;
                    rows.map_err(of)?.iter().map(block).collect()
                }

                async fn last_policy(&self) -> StoreResult<Option<StoredPolicy>> {
                    Ok(self.list_policies(PageRequest::new(None, 1)).await?.items.pop())
                }

                async fn list_policies(&self, page: PageRequest<i64>) -> StoreResult<Page<StoredPolicy, i64>> {
                    let rows = sqlx::query("SELECT * FROM policies WHERE number < $1 ORDER BY number DESC LIMIT $2")
                        .bind(page.after.unwrap_or(i64::MAX))
                        .bind(i64::from(page.limit) + 1)
                        .fetch_all(self.reader())
                        .await
                        .map_err(of)?;
                    let policies = rows.iter().map(policy).collect::<StoreResult<Vec<_>>>()?;
                    Ok(Page::cut(policies, page.limit, |policy| policy.number))
                }

                async fn list_secrets(&self) -> StoreResult<Vec<NamedSecret>> {
                    let rows = sqlx::query("SELECT * FROM secrets ORDER BY name").fetch_all(self.reader()).await;
                    rows.map_err(of)?.iter().map(secret).collect()
                }

                async fn lookup_secret(&self, name: &str) -> StoreResult<Option<NamedSecret>> {
                    let row = sqlx::query("SELECT * FROM secrets WHERE name = $1").bind(name).fetch_optional(self.reader()).await;
                    row.map_err(of)?.as_ref().map(secret).transpose()
                }

                async fn lookup_secret_version(&self, name: &str) -> StoreResult<Option<SecretVersion>> {
                    let sql = "SELECT v.* FROM secret_versions v JOIN secrets s ON s.name = v.name AND s.current = v.number WHERE v.name = $1";
                    let Some(row) = sqlx::query(sql).bind(name).fetch_optional(self.reader()).await.map_err(of)? else { return Ok(None) };
                    Ok(Some(SecretVersion {
                        name: row.try_get("name").map_err(of)?,
                        number: row.try_get("number").map_err(of)?,
                        sealed: row.try_get("sealed").map_err(of)?,
                        created_by: UserId::from_uuid(row.try_get::<Uuid, _>("created_by").map_err(of)?),
                        created_at: time(&row, "created_at")?,
                    }))
                }

                async fn list_sealed_otherwise(&self, key: u32, limit: u32) -> StoreResult<Vec<(Sealed, Vec<u8>)>> {
                    let (key, limit) = (key.to_be_bytes().to_vec(), i64::from(limit));
                    let mut found = vec![];
                    // What needs it to go on comes first.
                    let keys = sqlx::query("SELECT name, sealed FROM sealed_keys WHERE substr(sealed, 2, 4) <> $1 ORDER BY name LIMIT $2");
                    for row in keys.bind(key.clone()).bind(limit).fetch_all(self.reader()).await.map_err(of)? {
                        found.push((Sealed::Key(row.try_get("name").map_err(of)?), row.try_get("sealed").map_err(of)?));
                    }
                    let secrets = sqlx::query("SELECT name, number, sealed FROM secret_versions WHERE substr(sealed, 2, 4) <> $1 ORDER BY name, number LIMIT $2");
                    for row in secrets.bind(key.clone()).bind(limit).fetch_all(self.reader()).await.map_err(of)? {
                        let (name, number) = (row.try_get("name").map_err(of)?, row.try_get("number").map_err(of)?);
                        found.push((Sealed::Secret(name, number), row.try_get("sealed").map_err(of)?));
                    }
                    let messages = sqlx::query("SELECT id, sealed FROM messages WHERE recipient IS NULL AND substr(sealed, 2, 4) <> $1 ORDER BY id LIMIT $2");
                    for row in messages.bind(key.clone()).bind(limit).fetch_all(self.reader()).await.map_err(of)? {
                        let id = wardroom_core::MessageId::from_uuid(row.try_get("id").map_err(of)?);
                        found.push((Sealed::Message(id), row.try_get("sealed").map_err(of)?));
                    }
                    let runs = sqlx::query("SELECT id, parameters_sealed FROM runs WHERE customer_id IS NULL AND substr(parameters_sealed, 2, 4) <> $1 ORDER BY id LIMIT $2");
                    for row in runs.bind(key).bind(limit).fetch_all(self.reader()).await.map_err(of)? {
                        let id = wardroom_core::RunId::from_uuid(row.try_get("id").map_err(of)?);
                        found.push((Sealed::Run(id), row.try_get("parameters_sealed").map_err(of)?));
                    }
                    found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
                    Ok(found)
                }

                async fn count_sealed_otherwise(&self, key: u32) -> StoreResult<u64> {
                    let sql = "SELECT (SELECT COUNT(*) FROM sealed_keys WHERE substr(sealed, 2, 4) <> $1) \
                        + (SELECT COUNT(*) FROM secret_versions WHERE substr(sealed, 2, 4) <> $1) \
                        + (SELECT COUNT(*) FROM messages WHERE recipient IS NULL AND substr(sealed, 2, 4) <> $1) \
                        + (SELECT COUNT(*) FROM runs WHERE customer_id IS NULL AND substr(parameters_sealed, 2, 4) <> $1)";
                    let count: i64 = sqlx::query_scalar(sql).bind(key.to_be_bytes().to_vec()).fetch_one(self.reader()).await.map_err(of)?;
                    unsigned("count", count)
                }

                async fn list_personal_before(&self, generation: u32, limit: u32) -> StoreResult<Vec<(Personal, Vec<u8>)>> {
                    let mut found = vec![];
                    for place in &PLACES {
                        let sql = format!("SELECT {} AS row_id, {} AS row_value {} LIMIT $3", place.id, place.column, older(place));
                        let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(vec![2_u8]).bind(generation.to_be_bytes().to_vec()).bind(i64::from(limit.min(place.most)));
                        for row in rows.fetch_all(self.reader()).await.map_err(of)? {
                            let what = (place.what)(row.try_get("row_id").map_err(of)?);
                            found.push((what, row.try_get("row_value").map_err(of)?));
                        }
                    }
                    Ok(found)
                }

                async fn count_personal_before(&self, generation: u32) -> StoreResult<u64> {
                    let mut count = 0_i64;
                    for place in &PLACES {
                        let sql = format!("SELECT COUNT(*) {}", older(place));
                        let of_kind: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).bind(vec![2_u8]).bind(generation.to_be_bytes().to_vec()).fetch_one(self.reader()).await.map_err(of)?;
                        count += of_kind;
                    }
                    Ok(u64::try_from(count).unwrap_or(0))
                }

                async fn lookup_sealed_key(&self, name: &str) -> StoreResult<Option<SealedKey>> {
                    let row = sqlx::query("SELECT name, sealed, created_at FROM sealed_keys WHERE name = $1")
                        .bind(name)
                        .fetch_optional(self.reader())
                        .await
                        .map_err(of)?;
                    row.as_ref().map(sealed_key).transpose()
                }

                async fn list_sealed_keys(&self) -> StoreResult<Vec<SealedKey>> {
                    let rows = sqlx::query("SELECT name, sealed, created_at FROM sealed_keys ORDER BY name").fetch_all(self.reader()).await;
                    rows.map_err(of)?.iter().map(sealed_key).collect()
                }
            }
        }
    };
}
pub(crate) use identities;
