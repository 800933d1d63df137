//! `GET /api/v1/agents/{name}/versions`

use super::{find, version};
use crate::{context::Ctx, error::ApiError};
use axum::{Json, extract::Path};
use wardroom_core::Action;
use wardroom_wire::{agents::AgentVersionView, api::List, error::Problem};

/// The versions of an agent, newest first: at most 200.
#[utoipa::path(
    operation_id = "agents_versions",
    get, path = "/api/v1/agents/{name}/versions", tag = "agents", params(("name" = String, Path)),
    responses((status = 200, body = List<AgentVersionView>), (status = 404, body = Problem))
)]
pub(crate) async fn handler(
    ctx: Ctx,
    Path(name): Path<String>,
) -> Result<Json<List<AgentVersionView>>, ApiError> {
    load(&ctx, &name).await.map(Json)
}

/// The versions of an agent.
pub(crate) async fn load(ctx: &Ctx, name: &str) -> Result<List<AgentVersionView>, ApiError> {
    find(ctx, name, Action::AgentRead).await?;
    let versions = ctx.app.engine.store().list_agent_versions(name).await?;
    Ok(List { items: versions.iter().map(version).collect(), next: None })
}
