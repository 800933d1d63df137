//! Nodes and join tokens.

macro_rules! nodes {
    ($store:ty, $db:ty) => {
        mod nodes {
            use super::*;
            use crate::{
                error::of,
                repository::{fixed, parse},
            };
            use uuid::Uuid;
            use wardroom_core::{
                JoinTokenId, NodeId, Timestamp,
                identity::{JoinToken, SecretHash},
                node::Node,
                page::{Page, PageRequest},
                store::{Nodes, StoreResult},
            };

            type DbRow = <$db as sqlx::Database>::Row;

            fn time(row: &DbRow, column: &str) -> StoreResult<Option<Timestamp>> {
                Ok(row.try_get::<Option<i64>, _>(column).map_err(of)?.map(Timestamp::from_micros))
            }

            fn node(row: &DbRow) -> StoreResult<Node> {
                let report: Option<&str> = row.try_get("report").map_err(of)?;
                Ok(Node {
                    id: NodeId::from_uuid(row.try_get::<Uuid, _>("id").map_err(of)?),
                    version: row.try_get("version").map_err(of)?,
                    name: row.try_get("name").map_err(of)?,
                    public_key: fixed("node", row.try_get("public_key").map_err(of)?)?,
                    labels: parse("labels", row.try_get("labels").map_err(of)?)?,
                    disabled: row.try_get("disabled").map_err(of)?,
                    enrolled_at: Timestamp::from_micros(row.try_get("enrolled_at").map_err(of)?),
                    seen_at: time(row, "seen_at")?,
                    connected: row.try_get("connected").map_err(of)?,
                    report: report.map(|text| parse("report", text)).transpose()?,
                    catalogue: parse("catalogue", row.try_get("catalogue").map_err(of)?)?,
                })
            }

            fn join_token(row: &DbRow) -> StoreResult<JoinToken> {
                Ok(JoinToken {
                    id: JoinTokenId::from_uuid(row.try_get::<Uuid, _>("id").map_err(of)?),
                    secret_hash: SecretHash(fixed(
                        "join token",
                        row.try_get("secret_hash").map_err(of)?,
                    )?),
                    labels: parse("labels", row.try_get("labels").map_err(of)?)?,
                    created_by: row.try_get("created_by").map_err(of)?,
                    created_at: Timestamp::from_micros(row.try_get("created_at").map_err(of)?),
                    expires_at: Timestamp::from_micros(row.try_get("expires_at").map_err(of)?),
                    revoked_at: time(row, "revoked_at")?,
                    used_at: time(row, "used_at")?,
                    used_by: row
                        .try_get::<Option<Uuid>, _>("used_by")
                        .map_err(of)?
                        .map(NodeId::from_uuid),
                })
            }

            #[async_trait::async_trait]
            impl Nodes for $store {
                async fn lookup_node(&self, id: NodeId) -> StoreResult<Option<Node>> {
                    let row = sqlx::query("SELECT * FROM nodes WHERE id = $1")
                        .bind(id.uuid())
                        .fetch_optional(self.reader())
                        .await;
                    row.map_err(of)?.as_ref().map(node).transpose()
                }

                async fn lookup_node_by_name(&self, name: &str) -> StoreResult<Option<Node>> {
                    let row = sqlx::query("SELECT * FROM nodes WHERE name = $1")
                        .bind(name)
                        .fetch_optional(self.reader())
                        .await;
                    row.map_err(of)?.as_ref().map(node).transpose()
                }

                async fn list_nodes(
                    &self,
                    page: PageRequest<String>,
                ) -> StoreResult<Page<Node, String>> {
                    let rows =
                        sqlx::query("SELECT * FROM nodes WHERE name > $1 ORDER BY name LIMIT $2")
                            .bind(page.after.unwrap_or_default())
                            .bind(i64::from(page.limit) + 1)
                            .fetch_all(self.reader())
                            .await
                            .map_err(of)?;
                    let nodes = rows.iter().map(node).collect::<StoreResult<Vec<_>>>()?;
                    Ok(Page::cut(nodes, page.limit, |node| node.name.clone()))
                }

                async fn lookup_join_token(
                    &self,
                    id: JoinTokenId,
                ) -> StoreResult<Option<JoinToken>> {
                    let row = sqlx::query("SELECT * FROM join_tokens WHERE id = $1")
                        .bind(id.uuid())
                        .fetch_optional(self.reader())
                        .await;
                    row.map_err(of)?.as_ref().map(join_token).transpose()
                }

                async fn list_join_tokens(
                    &self,
                    page: PageRequest<JoinTokenId>,
                ) -> StoreResult<Page<JoinToken, JoinTokenId>> {
                    let rows = sqlx::query(
                        "SELECT * FROM join_tokens WHERE id < $1 ORDER BY id DESC LIMIT $2",
                    )
                    .bind(page.after.map_or(Uuid::max(), |id| id.uuid()))
                    .bind(i64::from(page.limit) + 1)
                    .fetch_all(self.reader())
                    .await
                    .map_err(of)?;
                    let tokens = rows.iter().map(join_token).collect::<StoreResult<Vec<_>>>()?;
                    Ok(Page::cut(tokens, page.limit, |token| token.id))
                }
            }
        }
    };
}
pub(crate) use nodes;
