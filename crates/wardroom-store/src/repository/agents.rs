//! AI agents.

macro_rules! agents {
    ($store:ty, $db:ty) => {
        mod agents {
            use super::*;
            use crate::{error::of, repository::parse};
            use uuid::Uuid;
            use wardroom_core::{
                AgentId, Timestamp, UserId,
                agent::Agent,
                store::{Agents, StoreResult},
            };

            type DbRow = <$db as sqlx::Database>::Row;

            const VERSIONS: &str =
                "SELECT v.* FROM agent_versions v JOIN agents a ON a.id = v.agent";

            fn agent(row: &DbRow) -> StoreResult<Agent> {
                let text = |column: &str| row.try_get::<String, _>(column).map_err(of);
                let uuid = |column: &str| row.try_get::<Uuid, _>(column).map_err(of);
                Ok(Agent {
                    id: AgentId::from_uuid(uuid("agent")?),
                    number: row.try_get("number").map_err(of)?,
                    definition: parse("agent", &text("definition")?)?,
                    text: text("body")?,
                    digest: text("digest")?,
                    note: text("note")?,
                    author: UserId::from_uuid(uuid("author")?),
                    created_at: Timestamp::from_micros(row.try_get("created_at").map_err(of)?),
                })
            }

            #[async_trait::async_trait]
            impl Agents for $store {
                async fn lookup_agent(&self, name: &str) -> StoreResult<Option<Agent>> {
                    let sql = format!("{VERSIONS} WHERE a.name = $1 AND v.number = a.number");
                    let row = sqlx::query(sqlx::AssertSqlSafe(sql))
                        .bind(name)
                        .fetch_optional(self.reader())
                        .await;
                    row.map_err(of)?.as_ref().map(agent).transpose()
                }

                async fn lookup_agent_version(
                    &self,
                    name: &str,
                    number: i64,
                ) -> StoreResult<Option<Agent>> {
                    let sql = format!("{VERSIONS} WHERE a.name = $1 AND v.number = $2");
                    let row = sqlx::query(sqlx::AssertSqlSafe(sql))
                        .bind(name)
                        .bind(number)
                        .fetch_optional(self.reader())
                        .await;
                    row.map_err(of)?.as_ref().map(agent).transpose()
                }

                async fn list_agents(&self) -> StoreResult<Vec<Agent>> {
                    let sql = format!("{VERSIONS} WHERE v.number = a.number ORDER BY a.name");
                    let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_all(self.reader()).await;
                    rows.map_err(of)?.iter().map(agent).collect()
                }

                async fn list_agent_versions(&self, name: &str) -> StoreResult<Vec<Agent>> {
                    let sql = format!("{VERSIONS} WHERE a.name = $1 ORDER BY v.number DESC");
                    let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
                        .bind(name)
                        .fetch_all(self.reader())
                        .await;
                    rows.map_err(of)?.iter().map(agent).collect()
                }
            }
        }
    };
}
pub(crate) use agents;

macro_rules! agent_writes {
    ($db:ty) => {
        mod agent_writes {
            use super::*;
            use crate::repository::{guarded, json, statement as run};
            use wardroom_core::{
                agent::{Agent, AgentWrite, VERSIONS_MAX},
                store::StoreResult,
            };

            type Connection = <$db as sqlx::Database>::Connection;

            /// Applies a write to agents.
            pub(super) async fn apply(c: &mut Connection, write: &AgentWrite) -> StoreResult<()> {
                match write {
                    AgentWrite::Add(a) => {
                        run!(c, "INSERT INTO agents (id, name, number) VALUES ($1, $2, $3)", a.id.uuid(), a.definition.name.clone(), a.number);
                        add(c, a).await
                    }
                    AgentWrite::Update(a) => {
                        guarded("the agent", run!(c, "UPDATE agents SET number = $2 WHERE id = $1 AND number = $2 - 1", a.id.uuid(), a.number))?;
                        add(c, a).await?;
                        run!(c, "DELETE FROM agent_versions WHERE agent = $1 AND number <= $2", a.id.uuid(), a.number - VERSIONS_MAX);
                        Ok(())
                    }
                    AgentWrite::Remove { id, number } => guarded("the agent",
                        run!(c, "DELETE FROM agents WHERE id = $1 AND number = $2", id.uuid(), *number)),
                }
            }

            async fn add(c: &mut Connection, a: &Agent) -> StoreResult<()> {
                run!(c, "INSERT INTO agent_versions (agent, number, definition, body, digest, note, author, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
                    a.id.uuid(), a.number, json(&a.definition)?, a.text.clone(), a.digest.clone(), a.note.clone(), a.author.uuid(), a.created_at.as_micros());
                Ok(())
            }
        }
    };
}
pub(crate) use agent_writes;
