//! `GET /api/v1/agents`

use super::view;
use crate::{context::Ctx, error::ApiError};
use axum::Json;
use wardroom_core::{Action, action::Resource};
use wardroom_wire::{agents::AgentView, api::List, error::Problem};

/// The agents that the caller may read, by name.
#[utoipa::path(
    operation_id = "agents_list",
    get, path = "/api/v1/agents", tag = "agents",
    responses((status = 200, body = List<AgentView>), (status = 403, body = Problem))
)]
pub(crate) async fn handler(ctx: Ctx) -> Result<Json<List<AgentView>>, ApiError> {
    load(&ctx).await.map(Json)
}

/// The agents.
pub(crate) async fn load(ctx: &Ctx) -> Result<List<AgentView>, ApiError> {
    ctx.authorise(Action::AgentList, &Resource::system()).await?;
    let mut agents = ctx.app.engine.store().list_agents().await?;
    agents.retain(|agent| {
        ctx.decide(Action::AgentRead, &Resource::agent(&agent.definition.name)).allowed
    });
    Ok(List { items: agents.iter().map(view).collect(), next: None })
}
