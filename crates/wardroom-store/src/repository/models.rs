//! The ledger of models: questions, budgets, and what of these is used.

macro_rules! models {
    ($store:ty, $db:ty) => {
        mod models {
            use super::*;
            use crate::{
                error::of,
                repository::{first_id_at, named, unsigned},
            };
            use sqlx::QueryBuilder;
            use uuid::Uuid;
            use wardroom_core::{
                ApiTokenId, BudgetId, CustomerId, ModelCallId, OauthClientId, RunId, Timestamp, UserId,
                model::{Budget, BudgetUse, GROUPS_MAX, ModelCall, ModelCallEnd, Spend, Spent, SpentBy, SpentFilter, Usage},
                page::{Page, PageRequest},
                store::{ModelCallFilter, ModelLedger, StoreResult},
            };

            type DbRow = <$db as sqlx::Database>::Row;

            fn time(row: &DbRow, column: &str) -> StoreResult<Timestamp> {
                Ok(Timestamp::from_micros(row.try_get(column).map_err(of)?))
            }

            fn amount(row: &DbRow, column: &str) -> StoreResult<u64> {
                unsigned("amount", row.try_get::<i64, _>(column).map_err(of)?)
            }

            fn amount_maybe(row: &DbRow, column: &str) -> StoreResult<Option<u64>> {
                let found: Option<i64> = row.try_get(column).map_err(of)?;
                found.map(|value| unsigned("amount", value)).transpose()
            }

            fn id(row: &DbRow, column: &str) -> StoreResult<Option<Uuid>> {
                row.try_get(column).map_err(of)
            }

            fn usage(row: &DbRow) -> StoreResult<Usage> {
                Ok(Usage {
                    input_tokens: amount(row, "input_tokens")?,
                    cache_read_tokens: amount(row, "cache_read_tokens")?,
                    cache_write_tokens: amount(row, "cache_write_tokens")?,
                    output_tokens: amount(row, "output_tokens")?,
                })
            }

            fn end(row: &DbRow) -> StoreResult<Option<ModelCallEnd>> {
                let Some(at) = row.try_get::<Option<i64>, _>("ended_at").map_err(of)? else { return Ok(None) };
                let failure: Option<&str> = row.try_get("failure").map_err(of)?;
                Ok(Some(ModelCallEnd {
                    at: Timestamp::from_micros(at),
                    usage: usage(row)?,
                    cost_micros: amount(row, "cost_micros")?,
                    estimated: row.try_get("estimated").map_err(of)?,
                    first_micros: amount_maybe(row, "first_micros")?,
                    failure: failure.map(|failure| named("failure", failure)).transpose()?,
                }))
            }

            fn call(row: &DbRow) -> StoreResult<ModelCall> {
                Ok(ModelCall {
                    id: ModelCallId::from_uuid(row.try_get("id").map_err(of)?),
                    user: UserId::from_uuid(row.try_get("user_id").map_err(of)?),
                    customer: id(row, "customer")?.map(CustomerId::from_uuid),
                    token: id(row, "token")?.map(ApiTokenId::from_uuid),
                    client: id(row, "client_id")?.map(OauthClientId::from_uuid),
                    agent: row.try_get("agent").map_err(of)?,
                    run: id(row, "run")?.map(RunId::from_uuid),
                    door: named("door", row.try_get("door").map_err(of)?)?,
                    provider: row.try_get("provider").map_err(of)?,
                    model: row.try_get("model").map_err(of)?,
                    held: Spend { tokens: amount(row, "held_tokens")?, cost_micros: amount(row, "held_cost")? },
                    prices: row.try_get("prices").map_err(of)?,
                    begun_at: time(row, "begun_at")?,
                    end: end(row)?,
                })
            }

            fn budget(row: &DbRow) -> StoreResult<Budget> {
                let percent: Option<i64> = row.try_get("alert_percent").map_err(of)?;
                Ok(Budget {
                    id: BudgetId::from_uuid(row.try_get("id").map_err(of)?),
                    about: row.try_get("about").map_err(of)?,
                    scope: named("scope", row.try_get("scope").map_err(of)?)?,
                    subject: row.try_get("subject").map_err(of)?,
                    period: named("period", row.try_get("period").map_err(of)?)?,
                    tokens_max: amount_maybe(row, "tokens_max")?,
                    cost_micros_max: amount_maybe(row, "cost_max")?,
                    alert_percent: percent.map(|percent| unsigned("percent", percent)).transpose()?,
                    version: row.try_get("version").map_err(of)?,
                    created_by: UserId::from_uuid(row.try_get("created_by").map_err(of)?),
                    created_at: time(row, "created_at")?,
                })
            }

            fn used(row: &DbRow) -> StoreResult<BudgetUse> {
                Ok(BudgetUse {
                    budget: BudgetId::from_uuid(row.try_get("budget").map_err(of)?),
                    subject: row.try_get("subject").map_err(of)?,
                    period: time(row, "period")?,
                    spent: Spend { tokens: amount(row, "tokens_spent")?, cost_micros: amount(row, "cost_spent")? },
                    held: Spend { tokens: amount(row, "tokens_held")?, cost_micros: amount(row, "cost_held")? },
                    told: row.try_get("told").map_err(of)?,
                })
            }

            /// The columns by which questions are put together.
            const fn key_of(by: SpentBy) -> &'static str {
                match by {
                    SpentBy::User => "user_id",
                    SpentBy::Customer => "customer",
                    SpentBy::Agent => "agent",
                    SpentBy::Model => "provider, model",
                    SpentBy::Day => "day",
                }
            }

            fn spent(row: &DbRow, by: SpentBy) -> StoreResult<Spent> {
                let mut spent = Spent {
                    calls: amount(row, "calls")?,
                    running: amount(row, "running")?,
                    failures: amount(row, "failures")?,
                    estimated: amount(row, "guessed")?,
                    usage: usage(row)?,
                    cost_micros: amount(row, "cost_micros")?,
                    micros: amount(row, "micros")?,
                    ..Spent::default()
                };
                match by {
                    SpentBy::User => spent.user = id(row, "user_id")?.map(UserId::from_uuid),
                    SpentBy::Customer => spent.customer = id(row, "customer")?.map(CustomerId::from_uuid),
                    SpentBy::Agent => spent.agent = row.try_get("agent").map_err(of)?,
                    SpentBy::Model => {
                        spent.provider = Some(row.try_get("provider").map_err(of)?);
                        spent.model = Some(row.try_get("model").map_err(of)?);
                    }
                    SpentBy::Day => spent.day = Some(time(row, "day")?),
                }
                Ok(spent)
            }

            #[async_trait::async_trait]
            impl ModelLedger for $store {
                async fn lookup_model_call(&self, id: ModelCallId) -> StoreResult<Option<ModelCall>> {
                    let row = sqlx::query("SELECT * FROM model_calls WHERE id = $1").bind(id.uuid()).fetch_optional(self.reader()).await;
                    row.map_err(of)?.as_ref().map(call).transpose()
                }

                async fn list_model_calls(&self, filter: &ModelCallFilter, page: PageRequest<ModelCallId>) -> StoreResult<Page<ModelCall, ModelCallId>> {
                    let mut query = QueryBuilder::<$db>::new("SELECT * FROM model_calls WHERE id < ");
                    query.push_bind(page.after.map_or(Uuid::max(), |id| id.uuid()));
                    if let Some(user) = filter.user {
                        query.push(" AND user_id = ").push_bind(user.uuid());
                    }
                    if let Some(run) = filter.run {
                        query.push(" AND run = ").push_bind(run.uuid());
                    }
                    if let Some(provider) = &filter.provider {
                        query.push(" AND provider = ").push_bind(provider.clone());
                    }
                    query.push(" ORDER BY id DESC LIMIT ").push_bind(i64::from(page.limit) + 1);
                    let rows = query.build().fetch_all(self.reader()).await.map_err(of)?;
                    let items = rows.iter().map(call).collect::<StoreResult<_>>()?;
                    Ok(Page::cut(items, page.limit, |call| call.id))
                }

                async fn list_open_model_calls(&self, before: Timestamp, limit: u32) -> StoreResult<Vec<ModelCall>> {
                    let rows = sqlx::query("SELECT * FROM model_calls WHERE ended_at IS NULL AND begun_at < $1 \
                            AND NOT EXISTS (SELECT 1 FROM runs r WHERE r.id = model_calls.run AND r.finished_at IS NULL) ORDER BY begun_at LIMIT $2")
                        .bind(before.as_micros())
                        .bind(i64::from(limit))
                        .fetch_all(self.reader())
                        .await;
                    rows.map_err(of)?.iter().map(call).collect()
                }

                async fn model_spent(&self, filter: SpentFilter) -> StoreResult<Vec<Spent>> {
                    let key = key_of(filter.by);
                    // Ids begin with their time: a stretch of it is a stretch of either index.
                    let of_user = if filter.user.is_some() { " AND user_id = $3" } else { "" };
                    let sum = |column: &str| format!("CAST(COALESCE(SUM({column}), 0) AS BIGINT) AS {column}");
                    let sums = ["input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens", "cost_micros"].map(sum).join(", ");
                    let order = if filter.by == SpentBy::Day { "day" } else { "cost_micros DESC, calls DESC, 1" };
                    let sql = format!(
                        "SELECT {key}, COUNT(*) AS calls, COUNT(*) - COUNT(ended_at) AS running, COUNT(failure) AS failures, \
                           CAST(SUM(CASE WHEN estimated THEN 1 ELSE 0 END) AS BIGINT) AS guessed, {sums}, \
                           CAST(COALESCE(SUM(ended_at - begun_at), 0) AS BIGINT) AS micros \
                         FROM (SELECT model_calls.*, begun_at - begun_at % 86400000000 AS day FROM model_calls WHERE id >= $1{of_user}) AS c \
                         GROUP BY {key} ORDER BY {order} LIMIT $2",
                    );
                    let mut query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(first_id_at(filter.since)).bind(i64::from(GROUPS_MAX));
                    if let Some(user) = filter.user {
                        query = query.bind(user.uuid());
                    }
                    let rows = query.fetch_all(self.reader()).await.map_err(of)?;
                    rows.iter().map(|row| spent(row, filter.by)).collect()
                }

                async fn lookup_budget(&self, id: BudgetId) -> StoreResult<Option<Budget>> {
                    let row = sqlx::query("SELECT * FROM budgets WHERE id = $1").bind(id.uuid()).fetch_optional(self.reader()).await;
                    row.map_err(of)?.as_ref().map(budget).transpose()
                }

                async fn list_budgets(&self) -> StoreResult<Vec<Budget>> {
                    let rows = sqlx::query("SELECT * FROM budgets ORDER BY id").fetch_all(self.reader()).await;
                    rows.map_err(of)?.iter().map(budget).collect()
                }

                async fn list_untold_budget_use(&self, budget: BudgetId, period: Timestamp, limit: u32) -> StoreResult<Vec<BudgetUse>> {
                    let rows = sqlx::query("SELECT * FROM budget_use WHERE budget = $1 AND period = $2 AND told = $3 ORDER BY tokens_spent + tokens_held DESC, cost_spent + cost_held DESC, subject LIMIT $4")
                        .bind(budget.uuid())
                        .bind(period.as_micros())
                        .bind(false)
                        .bind(i64::from(limit))
                        .fetch_all(self.reader())
                        .await;
                    rows.map_err(of)?.iter().map(used).collect()
                }

                async fn list_budget_use(&self, budget: BudgetId, period: Timestamp, limit: u32) -> StoreResult<Vec<BudgetUse>> {
                    let rows = sqlx::query("SELECT * FROM budget_use WHERE budget = $1 AND period = $2 ORDER BY cost_spent + cost_held DESC, tokens_spent + tokens_held DESC, subject LIMIT $3")
                        .bind(budget.uuid())
                        .bind(period.as_micros())
                        .bind(i64::from(limit))
                        .fetch_all(self.reader())
                        .await;
                    rows.map_err(of)?.iter().map(used).collect()
                }
            }
        }
    };
}
pub(crate) use models;

macro_rules! model_writes {
    ($db:ty) => {
        mod model_writes {
            use super::*;
            use crate::{error::of, repository::{first_id_at, guarded, signed, statement as run}};
            use uuid::Uuid;
            use wardroom_core::{
                BudgetId, Timestamp,
                model::{BUDGETS_MAX, Budget, BudgetPeriod, ModelCall, ModelCallEnd, ModelWrite},
                store::{StoreError, StoreResult},
            };

            type Connection = <$db as sqlx::Database>::Connection;

            /// Questions that are forgotten together.
            const FORGOTTEN_TOGETHER_MAX: i64 = 10_000;

            /// Applies a write to the ledger of models.
            pub(super) async fn apply(c: &mut Connection, write: &ModelWrite) -> StoreResult<()> {
                match write {
                    ModelWrite::Begin(call) => {
                        add_call(c, call).await?;
                        hold(c, call).await
                    }
                    ModelWrite::End { id, end } => end_call(c, id.uuid(), end).await,
                    ModelWrite::AddBudget(budget) => add_budget(c, budget).await,
                    ModelWrite::UpdateBudget(b) => {
                        update_budget(c, b).await?;
                        run!(c, "UPDATE budget_use SET told = $2 WHERE budget = $1", b.id.uuid(), false);
                        Ok(())
                    }
                    ModelWrite::RemoveBudget { id, version } => guarded("the budget",
                        run!(c, "DELETE FROM budgets WHERE id = $1 AND version = $2", id.uuid(), *version)),
                    ModelWrite::Tell { budget, subject, period } => {
                        run!(c, "UPDATE budget_use SET told = $4 WHERE budget = $1 AND subject = $2 AND period = $3",
                            budget.uuid(), subject.clone(), period.as_micros(), true);
                        Ok(())
                    }
                    ModelWrite::Forget { calls, periods } => forget(c, *calls, *periods).await,
                }
            }

            async fn add_call(c: &mut Connection, m: &ModelCall) -> StoreResult<()> {
                run!(c, "INSERT INTO model_calls (id, user_id, customer, token, client_id, agent, run, door, provider, model, held_tokens, held_cost, prices, begun_at, estimated) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
                    m.id.uuid(), m.user.uuid(), m.customer.map(|id| id.uuid()), m.token.map(|id| id.uuid()), m.client.map(|id| id.uuid()), m.agent.clone(), m.run.map(|id| id.uuid()),
                    m.door.as_str(), m.provider.clone(), m.model.clone(), signed(m.held.tokens), signed(m.held.cost_micros), m.prices.clone(), m.begun_at.as_micros(), false);
                Ok(())
            }

            /// Puts aside what a question may take in every budget that counts it, in one order for all.
            async fn hold(c: &mut Connection, m: &ModelCall) -> StoreResult<()> {
                let user = m.user.to_string();
                let customer = m.customer.map(|id| id.to_string());
                let token = m.token.map(|id| id.to_string());
                let counted = sqlx::query("SELECT id, scope, period FROM budgets WHERE scope = 'everything' \
                        OR (scope = 'user' AND COALESCE(subject, $1) = $1) OR (scope = 'customer' AND COALESCE(subject, $2) = $2) \
                        OR (scope = 'token' AND COALESCE(subject, $3) = $3) OR (scope = 'agent' AND COALESCE(subject, $4) = $4) \
                        OR (scope = 'provider' AND COALESCE(subject, $5) = $5) ORDER BY id")
                    .bind(user.clone())
                    .bind(customer.clone())
                    .bind(token.clone())
                    .bind(m.agent.clone())
                    .bind(m.provider.clone())
                    .fetch_all(&mut *c)
                    .await
                    .map_err(of)?;
                for row in &counted {
                    let budget: Uuid = row.try_get("id").map_err(of)?;
                    let subject = match row.try_get::<&str, _>("scope").map_err(of)? {
                        "user" => user.clone(),
                        "customer" => customer.clone().unwrap_or_default(),
                        "token" => token.clone().unwrap_or_default(),
                        "agent" => m.agent.clone().unwrap_or_default(),
                        "provider" => m.provider.clone(),
                        _ => String::new(),
                    };
                    let period: BudgetPeriod = crate::repository::named("period", row.try_get("period").map_err(of)?)?;
                    let period = period.began(m.begun_at).as_micros();
                    run!(c, "INSERT INTO model_holds (call, budget, subject, period, tokens, cost) VALUES ($1, $2, $3, $4, $5, $6)",
                        m.id.uuid(), budget, subject.clone(), period, signed(m.held.tokens), signed(m.held.cost_micros));
                    run!(c, "INSERT INTO budget_use (budget, subject, period, tokens_spent, tokens_held, cost_spent, cost_held, told) VALUES ($1, $2, $3, 0, 0, 0, 0, $4) ON CONFLICT (budget, subject, period) DO NOTHING",
                        budget, subject.clone(), period, false);
                    let held = run!(c, "UPDATE budget_use SET tokens_held = tokens_held + $4, cost_held = cost_held + $5 WHERE budget = $1 AND subject = $2 AND period = $3 \
                            AND EXISTS (SELECT 1 FROM budgets b WHERE b.id = $1 AND (b.tokens_max IS NULL OR b.tokens_max >= tokens_spent + tokens_held + $4) \
                              AND (b.cost_max IS NULL OR b.cost_max >= cost_spent + cost_held + $5))",
                        budget, subject, period, signed(m.held.tokens), signed(m.held.cost_micros));
                    if held == 0 {
                        return Err(StoreError::Spent(BudgetId::from_uuid(budget)));
                    }
                }
                Ok(())
            }

            async fn end_call(c: &mut Connection, id: Uuid, e: &ModelCallEnd) -> StoreResult<()> {
                let ended = run!(c, "UPDATE model_calls SET ended_at = $2, input_tokens = $3, cache_read_tokens = $4, cache_write_tokens = $5, output_tokens = $6, cost_micros = $7, estimated = $8, first_micros = $9, failure = $10 WHERE id = $1 AND ended_at IS NULL",
                    id, e.at.as_micros(), signed(e.usage.input_tokens), signed(e.usage.cache_read_tokens), signed(e.usage.cache_write_tokens), signed(e.usage.output_tokens),
                    signed(e.cost_micros), e.estimated, e.first_micros.map(signed), e.failure.map(|failure| failure.as_str()));
                if ended == 0 {
                    return Ok(());
                }
                let holds = sqlx::query("SELECT budget, subject, period, tokens, cost FROM model_holds WHERE call = $1 ORDER BY budget").bind(id).fetch_all(&mut *c).await.map_err(of)?;
                for row in &holds {
                    let budget: Uuid = row.try_get("budget").map_err(of)?;
                    let subject: String = row.try_get("subject").map_err(of)?;
                    let (period, tokens, cost): (i64, i64, i64) =
                        (row.try_get("period").map_err(of)?, row.try_get("tokens").map_err(of)?, row.try_get("cost").map_err(of)?);
                    run!(c, "UPDATE budget_use SET tokens_held = tokens_held - $4, cost_held = cost_held - $5, tokens_spent = tokens_spent + $6, cost_spent = cost_spent + $7 WHERE budget = $1 AND subject = $2 AND period = $3",
                        budget, subject, period, tokens, cost, signed(e.spend().tokens), signed(e.cost_micros));
                }
                if !holds.is_empty() {
                    run!(c, "DELETE FROM model_holds WHERE call = $1", id);
                }
                Ok(())
            }

            async fn update_budget(c: &mut Connection, b: &Budget) -> StoreResult<()> {
                guarded("the budget", run!(c, "UPDATE budgets SET about = $3, tokens_max = $4, cost_max = $5, alert_percent = $6, version = $2 WHERE id = $1 AND version = $2 - 1",
                    b.id.uuid(), b.version, b.about.clone(), b.tokens_max.map(signed), b.cost_micros_max.map(signed), b.alert_percent.map(i64::from)))
            }

            async fn add_budget(c: &mut Connection, b: &Budget) -> StoreResult<()> {
                guarded("room for a budget", run!(c, "INSERT INTO budgets (id, about, scope, subject, period, tokens_max, cost_max, alert_percent, version, created_by, created_at) SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11 WHERE (SELECT COUNT(*) FROM budgets) < $12",
                    b.id.uuid(), b.about.clone(), b.scope.as_str(), b.subject.clone(), b.period.as_str(), b.tokens_max.map(signed), b.cost_micros_max.map(signed), b.alert_percent.map(i64::from),
                    b.version, b.created_by.uuid(), b.created_at.as_micros(), BUDGETS_MAX))
            }

            async fn forget(c: &mut Connection, calls: Timestamp, periods: Timestamp) -> StoreResult<()> {
                // Ids begin with their time: what is old stands at the beginning of the index.
                run!(c, "DELETE FROM model_calls WHERE id IN (SELECT id FROM model_calls WHERE id < $1 AND ended_at IS NOT NULL ORDER BY id LIMIT $2)",
                    first_id_at(calls), FORGOTTEN_TOGETHER_MAX);
                run!(c, "DELETE FROM budget_use WHERE period > 0 AND period < $1 AND tokens_held = 0 AND cost_held = 0", periods.as_micros());
                Ok(())
            }
        }
    };
}
pub(crate) use model_writes;
