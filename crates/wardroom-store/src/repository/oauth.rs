//! Programs of others, and the codes by which they come by grants.

macro_rules! oauth {
    ($store:ty, $db:ty) => {
        mod oauth {
            use super::*;
            use crate::{
                error::of,
                repository::{fixed, parse},
            };
            use uuid::Uuid;
            use wardroom_core::{
                OauthClientId, SessionId, Timestamp, UserId,
                identity::SecretHash,
                oauth::{Grant, OauthClient, OauthCode},
                store::{Oauth, StoreResult},
            };

            type DbRow = <$db as sqlx::Database>::Row;

            fn time(row: &DbRow, column: &str) -> StoreResult<Timestamp> {
                Ok(Timestamp::from_micros(row.try_get(column).map_err(of)?))
            }

            fn client(row: &DbRow) -> StoreResult<OauthClient> {
                let secret: Option<Vec<u8>> = row.try_get("secret_hash").map_err(of)?;
                Ok(OauthClient {
                    id: OauthClientId::from_uuid(row.try_get("id").map_err(of)?),
                    document: row.try_get("document").map_err(of)?,
                    name: row.try_get("name").map_err(of)?,
                    secret_hash: secret
                        .map(|hash| Ok(SecretHash(fixed("secret", hash)?)))
                        .transpose()?,
                    redirect_uris: parse("addresses", row.try_get("redirect_uris").map_err(of)?)?,
                    scopes: parse("scopes", row.try_get("scopes").map_err(of)?)?,
                    acts_as: row
                        .try_get::<Option<Uuid>, _>("acts_as")
                        .map_err(of)?
                        .map(UserId::from_uuid),
                    created_by: UserId::from_uuid(row.try_get("created_by").map_err(of)?),
                    created_at: time(row, "created_at")?,
                })
            }

            /// What a session or a code grants, if it grants anything.
            pub(super) fn grant(row: &DbRow) -> StoreResult<Option<Grant>> {
                let Some(client) = row.try_get::<Option<Uuid>, _>("client_id").map_err(of)? else {
                    return Ok(None);
                };
                Ok(Some(Grant {
                    client: OauthClientId::from_uuid(client),
                    scopes: parse("scopes", row.try_get("scopes").map_err(of)?)?,
                    resource: row.try_get("resource").map_err(of)?,
                }))
            }

            fn code(row: &DbRow) -> StoreResult<Option<OauthCode>> {
                let Some(grant) = grant(row)? else { return Ok(None) };
                Ok(Some(OauthCode {
                    secret_hash: SecretHash(fixed(
                        "code",
                        row.try_get("secret_hash").map_err(of)?,
                    )?),
                    user: UserId::from_uuid(row.try_get("user_id").map_err(of)?),
                    session: SessionId::from_uuid(row.try_get("session_id").map_err(of)?),
                    grant,
                    redirect_uri: row.try_get("redirect_uri").map_err(of)?,
                    challenge: row.try_get("challenge").map_err(of)?,
                    expires_at: time(row, "expires_at")?,
                }))
            }

            #[async_trait::async_trait]
            impl Oauth for $store {
                async fn list_oauth_clients(&self) -> StoreResult<Vec<OauthClient>> {
                    let rows = sqlx::query("SELECT * FROM oauth_clients ORDER BY id DESC")
                        .fetch_all(self.reader())
                        .await;
                    rows.map_err(of)?.iter().map(client).collect()
                }

                async fn lookup_oauth_client(
                    &self,
                    id: OauthClientId,
                ) -> StoreResult<Option<OauthClient>> {
                    let row = sqlx::query("SELECT * FROM oauth_clients WHERE id = $1")
                        .bind(id.uuid())
                        .fetch_optional(self.reader())
                        .await;
                    row.map_err(of)?.as_ref().map(client).transpose()
                }

                async fn lookup_oauth_client_by_document(
                    &self,
                    document: &str,
                ) -> StoreResult<Option<OauthClient>> {
                    let row = sqlx::query("SELECT * FROM oauth_clients WHERE document = $1")
                        .bind(document)
                        .fetch_optional(self.reader())
                        .await;
                    row.map_err(of)?.as_ref().map(client).transpose()
                }

                async fn lookup_oauth_code(
                    &self,
                    hash: SecretHash,
                ) -> StoreResult<Option<OauthCode>> {
                    let row = sqlx::query("SELECT * FROM oauth_codes WHERE secret_hash = $1")
                        .bind(hash.0.to_vec())
                        .fetch_optional(self.reader())
                        .await;
                    Ok(row.map_err(of)?.as_ref().map(code).transpose()?.flatten())
                }
            }
        }
    };
}
pub(crate) use oauth;

macro_rules! oauth_writes {
    ($db:ty) => {
        mod oauth_writes {
            use super::*;
            use crate::repository::{guarded, json, statement as run};
            use wardroom_core::{
                change::Write,
                oauth::{OauthClient, OauthCode},
                store::{StoreError, StoreResult},
            };

            type Connection = <$db as sqlx::Database>::Connection;

            /// Applies a write to programs of others; nothing where it is none.
            pub(super) async fn apply(c: &mut Connection, write: &Write) -> Option<StoreResult<()>> {
                Some(match write {
                    Write::AddOauthClient(client) => add_client(c, client).await,
                    Write::PutDocumentClient(client) => put_document_client(c, client).await,
                    Write::AddOauthCode(code) => add_code(c, code).await,
                    Write::RenewOauthClient { .. } | Write::RemoveOauthClient(_) | Write::RequireGrantable { .. } | Write::RedeemOauthCode { .. } => change(c, write).await,
                    _ => return None,
                })
            }

            async fn change(c: &mut Connection, write: &Write) -> StoreResult<()> {
                match write {
                    Write::RenewOauthClient { id, secret_hash } => guarded("the client",
                        run!(c, "UPDATE oauth_clients SET secret_hash = $2 WHERE id = $1 AND secret_hash IS NOT NULL", id.uuid(), secret_hash.0.to_vec())),
                    Write::RemoveOauthClient(id) => guarded("the client", run!(c, "DELETE FROM oauth_clients WHERE id = $1", id.uuid())),
                    // Updates that change nothing: they hold the rows until the change is durable.
                    Write::RequireGrantable { client, user } => {
                        guarded("the client", run!(c, "UPDATE oauth_clients SET id = id WHERE id = $1", client.uuid()))?;
                        guarded("the account", run!(c, "UPDATE users SET id = id WHERE id = $1 AND state = 'active'", user.uuid()))
                    }
                    Write::RedeemOauthCode { code, session, at } => {
                        guarded("the code", run!(c, "DELETE FROM oauth_codes WHERE secret_hash = $1 AND expires_at > $2", code.0.to_vec(), at.as_micros()))?;
                        run!(c, "INSERT INTO spent_secrets (secret_hash, session_id) VALUES ($1, $2)", code.0.to_vec(), session.uuid());
                        Ok(())
                    }
                    _ => Err(StoreError::Other("a write is not known".to_owned())),
                }
            }

            async fn add_client(c: &mut Connection, client: &OauthClient) -> StoreResult<()> {
                run!(c, "INSERT INTO oauth_clients (id, name, secret_hash, redirect_uris, scopes, acts_as, created_by, created_at, document) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
                    client.id.uuid(), client.name.clone(), client.secret_hash.map(|hash| hash.0.to_vec()), json(&client.redirect_uris)?, json(&client.scopes)?,
                    client.acts_as.map(|user| user.uuid()), client.created_by.uuid(), client.created_at.as_micros(), client.document.clone());
                Ok(())
            }

            async fn put_document_client(c: &mut Connection, client: &OauthClient) -> StoreResult<()> {
                let changed = run!(c, "UPDATE oauth_clients SET name = $3, redirect_uris = $4, scopes = $5 WHERE id = $1 AND document = $2",
                    client.id.uuid(), client.document.clone(), client.name.clone(), json(&client.redirect_uris)?, json(&client.scopes)?);
                if changed > 0 { Ok(()) } else { add_client(c, client).await }
            }

            async fn add_code(c: &mut Connection, code: &OauthCode) -> StoreResult<()> {
                run!(c, "INSERT INTO oauth_codes (secret_hash, client_id, session_id, user_id, scopes, resource, redirect_uri, challenge, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
                    code.secret_hash.0.to_vec(), code.grant.client.uuid(), code.session.uuid(), code.user.uuid(), json(&code.grant.scopes)?, code.grant.resource.clone(),
                    code.redirect_uri.clone(), code.challenge.clone(), code.expires_at.as_micros());
                Ok(())
            }
        }
    };
}
pub(crate) use oauth_writes;
