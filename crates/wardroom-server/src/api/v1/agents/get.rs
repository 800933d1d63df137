//! `GET /api/v1/agents/{name}`, `GET /api/v1/agents/{name}/versions/{number}`

use super::{find, view};
use crate::{context::Ctx, error::ApiError};
use axum::{Json, extract::Path};
use wardroom_core::{Action, agent::Agent};
use wardroom_wire::{agents::AgentDetail, error::Problem};

/// An agent with its file.
#[utoipa::path(
    operation_id = "agents_get",
    get, path = "/api/v1/agents/{name}", tag = "agents", params(("name" = String, Path)),
    responses((status = 200, body = AgentDetail), (status = 404, body = Problem))
)]
pub(crate) async fn handler(
    ctx: Ctx,
    Path(name): Path<String>,
) -> Result<Json<AgentDetail>, ApiError> {
    load(&ctx, &name).await.map(Json)
}

/// An agent with its file.
pub(crate) async fn load(ctx: &Ctx, name: &str) -> Result<AgentDetail, ApiError> {
    let (agent, _) = find(ctx, name, Action::AgentRead).await?;
    detail(agent)
}

/// A version of an agent with its file.
#[utoipa::path(
    operation_id = "agents_version",
    get, path = "/api/v1/agents/{name}/versions/{number}", tag = "agents",
    params(("name" = String, Path), ("number" = i64, Path)),
    responses((status = 200, body = AgentDetail), (status = 404, body = Problem))
)]
pub(crate) async fn version(
    ctx: Ctx,
    Path((name, number)): Path<(String, i64)>,
) -> Result<Json<AgentDetail>, ApiError> {
    load_version(&ctx, &name, number).await.map(Json)
}

/// A version of an agent with its file.
pub(crate) async fn load_version(
    ctx: &Ctx,
    name: &str,
    number: i64,
) -> Result<AgentDetail, ApiError> {
    find(ctx, name, Action::AgentRead).await?;
    let found = ctx.app.engine.store().lookup_agent_version(name, number).await?;
    detail(found.ok_or_else(ApiError::not_found)?)
}

fn detail(agent: Agent) -> Result<AgentDetail, ApiError> {
    let definition = serde_json::to_value(&agent.definition).map_err(ApiError::internal)?;
    let view = view(&agent.version, agent.definition.outline());
    Ok(AgentDetail { agent: view, text: agent.text, definition })
}
