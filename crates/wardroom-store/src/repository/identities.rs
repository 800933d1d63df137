//! Accounts and what proves them.

macro_rules! identities {
    ($store:ty, $db:ty) => {
        mod identities {
            use super::*;
            use crate::{error::of, repository::{fixed, named}};
            use uuid::Uuid;
            use wardroom_core::{
                ApiTokenId, SessionId, Timestamp, UserId,
                identity::{ApiToken, SealedKey, SecretHash, Session, User},
                page::{Page, PageRequest},
                store::{Identities, StoreResult},
            };

            type DbRow = <$db as sqlx::Database>::Row;

            const USER: &str = "u.id AS u_id, u.version AS u_version, u.name AS u_name, u.role AS u_role, u.password_hash AS u_password_hash, u.disabled AS u_disabled, u.created_at AS u_created_at, u.password_changed_at AS u_password_changed_at";

            fn user(row: &DbRow) -> StoreResult<User> {
                Ok(User {
                    id: UserId::from_uuid(row.try_get::<Uuid, _>("u_id").map_err(of)?),
                    version: row.try_get("u_version").map_err(of)?,
                    name: row.try_get("u_name").map_err(of)?,
                    role: named("role", row.try_get("u_role").map_err(of)?)?,
                    password_hash: row.try_get("u_password_hash").map_err(of)?,
                    disabled: row.try_get("u_disabled").map_err(of)?,
                    created_at: Timestamp::from_micros(row.try_get("u_created_at").map_err(of)?),
                    password_changed_at: Timestamp::from_micros(row.try_get("u_password_changed_at").map_err(of)?),
                })
            }

            fn session(row: &DbRow) -> StoreResult<Session> {
                Ok(Session {
                    id: SessionId::from_uuid(row.try_get::<Uuid, _>("id").map_err(of)?),
                    secret_hash: SecretHash(fixed("session", row.try_get("secret_hash").map_err(of)?)?),
                    user: UserId::from_uuid(row.try_get::<Uuid, _>("user_id").map_err(of)?),
                    created_at: Timestamp::from_micros(row.try_get("created_at").map_err(of)?),
                    expires_at: Timestamp::from_micros(row.try_get("expires_at").map_err(of)?),
                    address: row.try_get("address").map_err(of)?,
                    user_agent: row.try_get("user_agent").map_err(of)?,
                })
            }

            fn api_token(row: &DbRow) -> StoreResult<ApiToken> {
                Ok(ApiToken {
                    id: ApiTokenId::from_uuid(row.try_get::<Uuid, _>("id").map_err(of)?),
                    secret_hash: SecretHash(fixed("token", row.try_get("secret_hash").map_err(of)?)?),
                    user: UserId::from_uuid(row.try_get::<Uuid, _>("user_id").map_err(of)?),
                    name: row.try_get("name").map_err(of)?,
                    created_at: Timestamp::from_micros(row.try_get("created_at").map_err(of)?),
                    expires_at: Timestamp::from_micros(row.try_get("expires_at").map_err(of)?),
                })
            }

            #[async_trait::async_trait]
            impl Identities for $store {
                async fn lookup_user(&self, id: UserId) -> StoreResult<Option<User>> {
                    let sql = format!("SELECT {USER} FROM users u WHERE u.id = $1");
                    let row = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(id.uuid()).fetch_optional(self.reader()).await;
                    row.map_err(of)?.as_ref().map(user).transpose()
                }

                async fn lookup_user_by_name(&self, name: &str) -> StoreResult<Option<User>> {
                    let sql = format!("SELECT {USER} FROM users u WHERE u.name = $1");
                    let row = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(name).fetch_optional(self.reader()).await;
                    row.map_err(of)?.as_ref().map(user).transpose()
                }

                async fn list_users(&self, page: PageRequest<String>) -> StoreResult<Page<User, String>> {
                    let sql = format!("SELECT {USER} FROM users u WHERE u.name > $1 ORDER BY u.name LIMIT $2");
                    let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
                        .bind(page.after.unwrap_or_default())
                        .bind(i64::from(page.limit) + 1)
                        .fetch_all(self.reader())
                        .await
                        .map_err(of)?;
                    let users = rows.iter().map(user).collect::<StoreResult<Vec<_>>>()?;
                    Ok(Page::cut(users, page.limit, |user| user.name.clone()))
                }

                async fn lookup_session(&self, hash: SecretHash) -> StoreResult<Option<(Session, User)>> {
                    let sql = format!("SELECT s.*, {USER} FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.secret_hash = $1");
                    let row = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(hash.0.to_vec()).fetch_optional(self.reader()).await;
                    row.map_err(of)?.as_ref().map(|row| Ok((session(row)?, user(row)?))).transpose()
                }

                async fn lookup_api_token(&self, hash: SecretHash) -> StoreResult<Option<(ApiToken, User)>> {
                    let sql = format!("SELECT t.*, {USER} FROM api_tokens t JOIN users u ON u.id = t.user_id WHERE t.secret_hash = $1");
                    let row = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(hash.0.to_vec()).fetch_optional(self.reader()).await;
                    row.map_err(of)?.as_ref().map(|row| Ok((api_token(row)?, user(row)?))).transpose()
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

                async fn lookup_sealed_key(&self, name: &str) -> StoreResult<Option<SealedKey>> {
                    let row = sqlx::query("SELECT name, sealed, created_at FROM sealed_keys WHERE name = $1")
                        .bind(name)
                        .fetch_optional(self.reader())
                        .await
                        .map_err(of)?;
                    row.map(|row| {
                        Ok(SealedKey {
                            name: row.try_get("name").map_err(of)?,
                            sealed: row.try_get("sealed").map_err(of)?,
                            created_at: Timestamp::from_micros(row.try_get("created_at").map_err(of)?),
                        })
                    })
                    .transpose()
                }
            }
        }
    };
}
pub(crate) use identities;
