//! AI agents.

macro_rules! agents {
    ($store:ty, $db:ty) => {
        mod agents {
            use super::*;
            use crate::{error::of, repository::parse};
            use uuid::Uuid;
            use wardroom_core::{
                AgentId, Timestamp, UserId,
                agent::{Agent, AgentVersion, Outline},
                page::{Page, PageRequest},
                store::{Agents, StoreResult},
            };

            type DbRow = <$db as sqlx::Database>::Row;

            const WHOLE: &str = "SELECT v.* FROM agent_versions v JOIN agents a ON a.id = v.agent";
            const VERSION: &str = "v.agent, v.number, v.digest, v.note, v.author, v.created_at";

            fn version(row: &DbRow) -> StoreResult<AgentVersion> {
                let text = |column: &str| row.try_get::<String, _>(column).map_err(of);
                let uuid = |column: &str| row.try_get::<Uuid, _>(column).map_err(of);
                Ok(AgentVersion {
                    agent: AgentId::from_uuid(uuid("agent")?),
                    number: row.try_get("number").map_err(of)?,
                    digest: text("digest")?,
                    note: text("note")?,
                    author: UserId::from_uuid(uuid("author")?),
                    created_at: Timestamp::from_micros(row.try_get("created_at").map_err(of)?),
                })
            }

            fn agent(row: &DbRow) -> StoreResult<Agent> {
                let text = |column: &str| row.try_get::<String, _>(column).map_err(of);
                Ok(Agent { version: version(row)?, definition: parse("agent", &text("definition")?)?, text: text("body")? })
            }

            fn outlined(row: &DbRow) -> StoreResult<(AgentVersion, Outline)> {
                let outline: String = row.try_get("outline").map_err(of)?;
                Ok((version(row)?, parse("agent", &outline)?))
            }

            #[async_trait::async_trait]
            impl Agents for $store {
                async fn lookup_agent(&self, name: &str) -> StoreResult<Option<Agent>> {
                    let sql = format!("{WHOLE} WHERE a.name = $1 AND v.number = a.number");
                    let row = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(name).fetch_optional(self.reader()).await;
                    row.map_err(of)?.as_ref().map(agent).transpose()
                }

                async fn lookup_agent_version(&self, name: &str, number: i64) -> StoreResult<Option<Agent>> {
                    let sql = format!("{WHOLE} WHERE a.name = $1 AND v.number = $2");
                    let row = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(name).bind(number).fetch_optional(self.reader()).await;
                    row.map_err(of)?.as_ref().map(agent).transpose()
                }

                async fn list_agents(&self, page: PageRequest<String>) -> StoreResult<Page<(AgentVersion, Outline), String>> {
                    let sql = format!("SELECT {VERSION}, v.outline FROM agents a JOIN agent_versions v ON v.agent = a.id AND v.number = a.number WHERE a.name > $1 ORDER BY a.name LIMIT $2");
                    let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
                        .bind(page.after.unwrap_or_default())
                        .bind(i64::from(page.limit) + 1)
                        .fetch_all(self.reader())
                        .await;
                    let agents = rows.map_err(of)?.iter().map(outlined).collect::<StoreResult<Vec<_>>>()?;
                    Ok(Page::cut(agents, page.limit, |(_, outline)| outline.name.clone()))
                }

                async fn list_agent_versions(&self, name: &str, page: PageRequest<i64>) -> StoreResult<Page<AgentVersion, i64>> {
                    let sql = format!("SELECT {VERSION} FROM agent_versions v JOIN agents a ON a.id = v.agent WHERE a.name = $1 AND v.number < $2 ORDER BY v.number DESC LIMIT $3");
                    let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
                        .bind(name)
                        .bind(page.after.unwrap_or(i64::MAX))
                        .bind(i64::from(page.limit) + 1)
                        .fetch_all(self.reader())
                        .await;
                    let versions = rows.map_err(of)?.iter().map(version).collect::<StoreResult<Vec<_>>>()?;
                    Ok(Page::cut(versions, page.limit, |version| version.number))
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
                agent::{AGENTS_MAX, Agent, AgentWrite, VERSIONS_MAX},
                store::StoreResult,
            };

            type Connection = <$db as sqlx::Database>::Connection;

            /// Applies a write to agents.
            pub(super) async fn apply(c: &mut Connection, write: &AgentWrite) -> StoreResult<()> {
                match write {
                    AgentWrite::Add(a) => {
                        guarded("room for an agent", run!(c, "INSERT INTO agents (id, name, number) SELECT $1, $2, $3 WHERE (SELECT COUNT(*) FROM agents) < $4",
                            a.version.agent.uuid(), a.definition.name.clone(), a.version.number, AGENTS_MAX))?;
                        add(c, a).await
                    }
                    AgentWrite::Update(a) => {
                        guarded("the agent", run!(c, "UPDATE agents SET number = $2 WHERE id = $1 AND number = $2 - 1", a.version.agent.uuid(), a.version.number))?;
                        add(c, a).await?;
                        run!(c, "DELETE FROM agent_versions WHERE agent = $1 AND number <= $2", a.version.agent.uuid(), a.version.number - VERSIONS_MAX);
                        Ok(())
                    }
                    AgentWrite::Remove { id, number } => guarded("the agent",
                        run!(c, "DELETE FROM agents WHERE id = $1 AND number = $2", id.uuid(), *number)),
                }
            }

            async fn add(c: &mut Connection, a: &Agent) -> StoreResult<()> {
                let v = &a.version;
                run!(c, "INSERT INTO agent_versions (agent, number, outline, definition, body, digest, note, author, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
                    v.agent.uuid(), v.number, json(&a.definition.outline())?, json(&a.definition)?, a.text.clone(), v.digest.clone(), v.note.clone(), v.author.uuid(), v.created_at.as_micros());
                Ok(())
            }
        }
    };
}
pub(crate) use agent_writes;
