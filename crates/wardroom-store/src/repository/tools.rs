//! Tool servers, their tools, and calls of these.

macro_rules! tools {
    ($store:ty, $db:ty) => {
        mod tools {
            use super::*;
            use crate::{
                error::of,
                repository::{first_id_at, fixed, named, parse, unsigned},
            };
            use uuid::Uuid;
            use wardroom_core::{
                OauthClientId, Timestamp, ToolAccountId, ToolCallId, ToolServerId, UserId,
                page::{Page, PageRequest},
                store::{CallFilter, StoreResult, Tools},
                tool::{
                    account::ToolAccount,
                    call::{CallEnd, ToolCall},
                    server::ToolServer,
                    toolbox::{Acceptance, Definition, Tool},
                    usage::{GROUPS_MAX, Usage, UsageBy, UsageFilter},
                },
            };

            type DbRow = <$db as sqlx::Database>::Row;

            fn time(row: &DbRow, column: &str) -> StoreResult<Timestamp> {
                Ok(Timestamp::from_micros(row.try_get(column).map_err(of)?))
            }

            fn server(row: &DbRow) -> StoreResult<ToolServer> {
                Ok(ToolServer {
                    id: ToolServerId::from_uuid(row.try_get("id").map_err(of)?),
                    name: row.try_get("name").map_err(of)?,
                    about: row.try_get("about").map_err(of)?,
                    way: parse("tool server", row.try_get("way").map_err(of)?)?,
                    shown: parse("tool server", row.try_get("shown").map_err(of)?)?,
                    limits: parse("tool server", row.try_get("limits").map_err(of)?)?,
                    enabled: row.try_get("enabled").map_err(of)?,
                    version: row.try_get("version").map_err(of)?,
                    created_by: UserId::from_uuid(row.try_get("created_by").map_err(of)?),
                    created_at: time(row, "created_at")?,
                })
            }

            fn definition(row: &DbRow, text: &str, digest: &str) -> StoreResult<Option<Definition>> {
                let text: Option<String> = row.try_get(text).map_err(of)?;
                let digest: Option<Vec<u8>> = row.try_get(digest).map_err(of)?;
                let both = text.zip(digest);
                both.map(|(text, digest)| Ok(Definition { text, digest: fixed("digest", digest)? }))
                    .transpose()
            }

            fn tool(row: &DbRow) -> StoreResult<Tool> {
                let accepted = match definition(row, "accepted", "accepted_digest")? {
                    Some(definition) => Some(Acceptance {
                        definition,
                        by: UserId::from_uuid(row.try_get("accepted_by").map_err(of)?),
                        at: time(row, "accepted_at")?,
                    }),
                    None => None,
                };
                Ok(Tool {
                    server: ToolServerId::from_uuid(row.try_get("server").map_err(of)?),
                    name: row.try_get("name").map_err(of)?,
                    accepted,
                    seen: definition(row, "seen", "seen_digest")?,
                    warnings: parse("warnings", row.try_get("warnings").map_err(of)?)?,
                    first_seen_at: time(row, "first_seen_at")?,
                })
            }

            fn account(row: &DbRow) -> StoreResult<ToolAccount> {
                Ok(ToolAccount {
                    id: ToolAccountId::from_uuid(row.try_get("id").map_err(of)?),
                    server: ToolServerId::from_uuid(row.try_get("server").map_err(of)?),
                    user: UserId::from_uuid(row.try_get("user_id").map_err(of)?),
                    issuer: row.try_get("issuer").map_err(of)?,
                    scopes: parse("scopes", row.try_get("scopes").map_err(of)?)?,
                    sealed: row.try_get("sealed").map_err(of)?,
                    version: row.try_get("version").map_err(of)?,
                    connected_at: time(row, "connected_at")?,
                })
            }

            fn end(row: &DbRow) -> StoreResult<Option<CallEnd>> {
                let Some(outcome) = row.try_get::<Option<&str>, _>("outcome").map_err(of)? else {
                    return Ok(None);
                };
                let digest: Option<Vec<u8>> = row.try_get("result_digest").map_err(of)?;
                Ok(Some(CallEnd {
                    outcome: named("outcome", outcome)?,
                    at: time(row, "ended_at")?,
                    result_digest: digest.map(|digest| fixed("digest", digest)).transpose()?,
                    result_bytes: unsigned("length", row.try_get("result_bytes").map_err(of)?)?,
                    problem: row.try_get("problem").map_err(of)?,
                }))
            }

            fn call(row: &DbRow) -> StoreResult<ToolCall> {
                let client: Option<Uuid> = row.try_get("client_id").map_err(of)?;
                Ok(ToolCall {
                    id: ToolCallId::from_uuid(row.try_get("id").map_err(of)?),
                    server: ToolServerId::from_uuid(row.try_get("server").map_err(of)?),
                    server_name: row.try_get("server_name").map_err(of)?,
                    tool: row.try_get("tool").map_err(of)?,
                    user: UserId::from_uuid(row.try_get("user_id").map_err(of)?),
                    client: client.map(OauthClientId::from_uuid),
                    door: named("door", row.try_get("door").map_err(of)?)?,
                    arguments: row.try_get("arguments").map_err(of)?,
                    arguments_digest: fixed("digest", row.try_get("arguments_digest").map_err(of)?)?,
                    arguments_bytes: unsigned("length", row.try_get("arguments_bytes").map_err(of)?)?,
                    policy: row.try_get("policy").map_err(of)?,
                    begun_at: time(row, "begun_at")?,
                    end: end(row)?,
                })
            }

            /// The columns by which calls are put together.
            const fn key_of(by: UsageBy) -> &'static [&'static str] {
                match by {
                    UsageBy::Tool => &["server_name", "tool"],
                    UsageBy::User => &["user_id"],
                    UsageBy::Client => &["user_id", "client_id"],
                    UsageBy::Flow => &["user_id", "client_id", "door", "server_name"],
                }
            }

            fn usage(row: &DbRow, by: UsageBy) -> StoreResult<Usage> {
                let number = |column: &str| unsigned("count", row.try_get::<i64, _>(column).map_err(of)?);
                let maybe = |column: &str| {
                    let found: Option<i64> = row.try_get(column).map_err(of)?;
                    found.map(|value| unsigned("time", value)).transpose()
                };
                let mut usage = Usage {
                    calls: number("calls")?,
                    running: number("running")?,
                    errors: number("errors")?,
                    bytes: number("bytes")?,
                    micros: number("micros")?,
                    p50: maybe("p50")?,
                    p99: maybe("p99")?,
                    ..Usage::default()
                };
                for column in key_of(by) {
                    match *column {
                        "server_name" => usage.server = Some(row.try_get(*column).map_err(of)?),
                        "tool" => usage.tool = Some(row.try_get(*column).map_err(of)?),
                        "user_id" => usage.user = Some(UserId::from_uuid(row.try_get(*column).map_err(of)?)),
                        "client_id" => {
                            let client: Option<Uuid> = row.try_get(*column).map_err(of)?;
                            usage.client = client.map(OauthClientId::from_uuid);
                        }
                        _ => usage.door = Some(named("door", row.try_get(*column).map_err(of)?)?),
                    }
                }
                Ok(usage)
            }

            #[async_trait::async_trait]
            impl Tools for $store {
                async fn list_tool_servers(&self) -> StoreResult<Vec<ToolServer>> {
                    let rows = sqlx::query("SELECT * FROM tool_servers ORDER BY name").fetch_all(self.reader()).await;
                    rows.map_err(of)?.iter().map(server).collect()
                }

                async fn lookup_tool_server(&self, name: &str) -> StoreResult<Option<ToolServer>> {
                    let row = sqlx::query("SELECT * FROM tool_servers WHERE name = $1").bind(name).fetch_optional(self.reader()).await;
                    row.map_err(of)?.as_ref().map(server).transpose()
                }

                async fn list_tools(&self, server: ToolServerId) -> StoreResult<Vec<Tool>> {
                    let rows = sqlx::query("SELECT * FROM tools WHERE server = $1 ORDER BY name").bind(server.uuid()).fetch_all(self.reader()).await;
                    rows.map_err(of)?.iter().map(tool).collect()
                }

                async fn lookup_tool_account(&self, server: ToolServerId, user: UserId) -> StoreResult<Option<ToolAccount>> {
                    let row = sqlx::query("SELECT * FROM tool_accounts WHERE server = $1 AND user_id = $2").bind(server.uuid()).bind(user.uuid()).fetch_optional(self.reader()).await;
                    row.map_err(of)?.as_ref().map(account).transpose()
                }

                async fn list_tool_accounts(&self, user: UserId) -> StoreResult<Vec<ToolAccount>> {
                    let rows = sqlx::query("SELECT * FROM tool_accounts WHERE user_id = $1 ORDER BY id").bind(user.uuid()).fetch_all(self.reader()).await;
                    rows.map_err(of)?.iter().map(account).collect()
                }

                async fn lookup_tool_call(&self, id: ToolCallId) -> StoreResult<Option<ToolCall>> {
                    let row = sqlx::query("SELECT * FROM tool_calls WHERE id = $1").bind(id.uuid()).fetch_optional(self.reader()).await;
                    row.map_err(of)?.as_ref().map(call).transpose()
                }

                async fn list_tool_calls(&self, filter: &CallFilter, page: PageRequest<ToolCallId>) -> StoreResult<Page<ToolCall, ToolCallId>> {
                    let mut query = sqlx::QueryBuilder::<$db>::new("SELECT * FROM tool_calls WHERE id < ");
                    query.push_bind(page.after.map_or(Uuid::max(), |id| id.uuid()));
                    if let Some(server) = filter.server {
                        query.push(" AND server = ").push_bind(server.uuid());
                    }
                    if let Some(tool) = &filter.tool {
                        query.push(" AND tool = ").push_bind(tool.clone());
                    }
                    if let Some(user) = filter.user {
                        query.push(" AND user_id = ").push_bind(user.uuid());
                    }
                    if let Some(outcome) = filter.outcome {
                        query.push(" AND outcome = ").push_bind(outcome.as_str());
                    }
                    query.push(" ORDER BY id DESC LIMIT ").push_bind(i64::from(page.limit) + 1);
                    let rows = query.build().fetch_all(self.reader()).await.map_err(of)?;
                    let items = rows.iter().map(call).collect::<StoreResult<_>>()?;
                    Ok(Page::cut(items, page.limit, |call| call.id))
                }

                async fn tool_usage(&self, filter: UsageFilter) -> StoreResult<Vec<Usage>> {
                    let key = key_of(filter.by).join(", ");
                    // Ids begin with their time: a stretch of it is a stretch of either index.
                    let of_user = if filter.user.is_some() { " AND user_id = $3" } else { "" };
                    // Those without an end come last in their group, and are in no percentile.
                    let sql = format!(
                        "SELECT {key}, COUNT(*) AS calls, \
                           CAST(SUM(CASE WHEN ended_at IS NULL THEN 1 ELSE 0 END) AS BIGINT) AS running, \
                           CAST(SUM(CASE WHEN outcome <> 'succeeded' THEN 1 ELSE 0 END) AS BIGINT) AS errors, \
                           CAST(SUM(arguments_bytes + COALESCE(result_bytes, 0)) AS BIGINT) AS bytes, \
                           CAST(SUM(COALESCE(took, 0)) AS BIGINT) AS micros, \
                           MAX(CASE WHEN place = (ended + 1) / 2 THEN took END) AS p50, \
                           MAX(CASE WHEN place = (ended * 99 + 99) / 100 THEN took END) AS p99 \
                         FROM (SELECT tool_calls.*, ended_at - begun_at AS took, \
                           ROW_NUMBER() OVER (PARTITION BY {key} ORDER BY (ended_at IS NULL), ended_at - begun_at) AS place, \
                           COUNT(ended_at) OVER (PARTITION BY {key}) AS ended \
                           FROM tool_calls WHERE id >= $1{of_user}) AS timed \
                         GROUP BY {key} ORDER BY calls DESC, {key} LIMIT $2",
                    );
                    let mut query = sqlx::query(sqlx::AssertSqlSafe(sql))
                        .bind(first_id_at(filter.since))
                        .bind(i64::from(GROUPS_MAX));
                    if let Some(user) = filter.user {
                        query = query.bind(user.uuid());
                    }
                    let rows = query.fetch_all(self.reader()).await.map_err(of)?;
                    rows.iter().map(|row| usage(row, filter.by)).collect()
                }

                async fn list_open_tool_calls(&self, before: Timestamp, limit: u32) -> StoreResult<Vec<ToolCall>> {
                    let rows = sqlx::query("SELECT * FROM tool_calls WHERE ended_at IS NULL AND begun_at < $1 ORDER BY begun_at LIMIT $2")
                        .bind(before.as_micros())
                        .bind(i64::from(limit))
                        .fetch_all(self.reader())
                        .await;
                    rows.map_err(of)?.iter().map(call).collect()
                }
            }
        }
    };
}
pub(crate) use tools;

macro_rules! tool_writes {
    ($db:ty) => {
        mod tool_writes {
            use super::*;
            use crate::{
                error::of,
                repository::{guarded, in_powers, json, signed, statement as run},
            };
            use sqlx::QueryBuilder;
            use wardroom_core::{
                Timestamp, ToolCallId, ToolServerId,
                change::Write,
                store::{StoreError, StoreResult},
                tool::{call::{CallEnd, ToolCall}, server::ToolServer, toolbox::SeenTool},
            };

            type Connection = <$db as sqlx::Database>::Connection;

            /// Applies a write to tool servers, tools or calls; nothing where it is none.
            pub(super) async fn apply(c: &mut Connection, write: &Write) -> Option<StoreResult<()>> {
                Some(match write {
                    Write::AddToolCall(call) => add_calls(c, &[call]).await,
                    Write::ContinueToolCall { id, round } => continue_call(c, id.uuid(), *round).await,
                    Write::EndToolCalls(ends) => end_calls(c, ends).await,
                    Write::SeeTools { server, tools, at } => see_tools(c, *server, tools, *at).await,
                    Write::AddToolServer(server) => add_server(c, server).await,
                    Write::UpdateToolServer(server) => update_server(c, server).await,
                    Write::RemoveToolServer(_) | Write::AcceptTool { .. } | Write::RemoveToolCalls(_) => change(c, write).await,
                    _ => return None,
                })
            }

            async fn change(c: &mut Connection, write: &Write) -> StoreResult<()> {
                match write {
                    Write::RemoveToolServer(id) => guarded("the tool server", run!(c, "DELETE FROM tool_servers WHERE id = $1", id.uuid())),
                    Write::AcceptTool { server, name, digest, by, at } => guarded("the tool",
                        run!(c, "UPDATE tools SET accepted = seen, accepted_digest = seen_digest, accepted_by = $4, accepted_at = $5 WHERE server = $1 AND name = $2 AND seen_digest = $3",
                            server.uuid(), name.clone(), digest.to_vec(), by.uuid(), at.as_micros())),
                    Write::RemoveToolCalls(before) => {
                        run!(c, "DELETE FROM tool_calls WHERE begun_at < $1", before.as_micros());
                        Ok(())
                    }
                    _ => Err(StoreError::Other("a write is not known".to_owned())),
                }
            }

            async fn add_server(c: &mut Connection, s: &ToolServer) -> StoreResult<()> {
                run!(c, "INSERT INTO tool_servers (id, name, about, way, shown, limits, enabled, version, created_by, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
                    s.id.uuid(), s.name.clone(), s.about.clone(), json(&s.way)?, json(&s.shown)?, json(&s.limits)?, s.enabled, s.version, s.created_by.uuid(), s.created_at.as_micros());
                Ok(())
            }

            async fn update_server(c: &mut Connection, s: &ToolServer) -> StoreResult<()> {
                guarded("the tool server",
                    run!(c, "UPDATE tool_servers SET name = $2, about = $3, way = $4, shown = $5, limits = $6, enabled = $7, version = $8 WHERE id = $1 AND version = $8 - 1",
                        s.id.uuid(), s.name.clone(), s.about.clone(), json(&s.way)?, json(&s.shown)?, json(&s.limits)?, s.enabled, s.version))
            }

            async fn see_tools(c: &mut Connection, server: ToolServerId, tools: &[SeenTool], at: Timestamp) -> StoreResult<()> {
                guarded("the tool server", run!(c, "UPDATE tool_servers SET id = id WHERE id = $1", server.uuid()))?;
                run!(c, "UPDATE tools SET seen = NULL, seen_digest = NULL, warnings = '[]' WHERE server = $1 AND seen_at <= $2", server.uuid(), at.as_micros());
                for tool in tools {
                    run!(c, "INSERT INTO tools (server, name, seen, seen_digest, warnings, first_seen_at, seen_at) VALUES ($1, $2, $3, $4, $5, $6, $6) ON CONFLICT (server, name) DO UPDATE SET seen = $3, seen_digest = $4, warnings = $5, seen_at = $6 WHERE tools.seen_at <= $6",
                        server.uuid(), tool.name.clone(), tool.definition.text.clone(), tool.definition.digest.to_vec(), json(&tool.warnings)?, at.as_micros());
                }
                // A tool that nobody accepted and that is gone leaves nothing behind.
                run!(c, "DELETE FROM tools WHERE server = $1 AND seen IS NULL AND accepted IS NULL", server.uuid());
                Ok(())
            }

            /// Adds calls, several with one statement.
            pub(super) async fn add_calls(c: &mut Connection, calls: &[&ToolCall]) -> StoreResult<()> {
                for part in in_powers(calls) {
                    let mut query = QueryBuilder::<$db>::new(
                        "INSERT INTO tool_calls (id, server, server_name, tool, user_id, client_id, door, arguments, arguments_digest, arguments_bytes, policy, begun_at) ",
                    );
                    query.push_values(part, |mut row, call| {
                        row.push_bind(call.id.uuid())
                            .push_bind(call.server.uuid())
                            .push_bind(call.server_name.clone())
                            .push_bind(call.tool.clone())
                            .push_bind(call.user.uuid())
                            .push_bind(call.client.map(|id| id.uuid()))
                            .push_bind(call.door.as_str())
                            .push_bind(call.arguments.clone())
                            .push_bind(call.arguments_digest.to_vec())
                            .push_bind(signed(call.arguments_bytes))
                            .push_bind(call.policy.clone())
                            .push_bind(call.begun_at.as_micros());
                    });
                    query.build().execute(&mut *c).await.map_err(of)?;
                }
                Ok(())
            }

            async fn continue_call(c: &mut Connection, id: uuid::Uuid, round: u32) -> StoreResult<()> {
                guarded("the call", run!(c, "UPDATE tool_calls SET rounds = rounds + 1 WHERE id = $1 AND rounds = $2 AND ended_at IS NULL", id, i64::from(round)))
            }

            /// Ends calls, several with one statement.
            async fn end_calls(c: &mut Connection, ends: &[(ToolCallId, CallEnd)]) -> StoreResult<()> {
                for part in in_powers(ends) {
                    let mut query = QueryBuilder::<$db>::new(
                        "WITH ends (id, outcome, ended_at, result_digest, result_bytes, problem) AS (",
                    );
                    query.push_values(part, |mut row, (id, end)| {
                        row.push_bind(id.uuid())
                            .push_bind(end.outcome.as_str())
                            .push_bind(end.at.as_micros())
                            .push_bind(end.result_digest.map(|digest| digest.to_vec()))
                            .push_bind(signed(end.result_bytes))
                            .push_bind(end.problem.clone());
                    });
                    query.push(
                        ") UPDATE tool_calls SET outcome = ends.outcome, ended_at = ends.ended_at, result_digest = ends.result_digest, \
                         result_bytes = ends.result_bytes, problem = ends.problem FROM ends WHERE tool_calls.id = ends.id AND tool_calls.ended_at IS NULL",
                    );
                    query.build().execute(&mut *c).await.map_err(of)?;
                }
                Ok(())
            }
        }
    };
}
pub(crate) use tool_writes;
