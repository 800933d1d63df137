//! `PUT /api/v1/agents/{name}`

use super::{super::super::input::Json, view};
use crate::{context::Ctx, error::ApiError};
use axum::extract::Path;
use wardroom_core::{Action, action::Resource};
use wardroom_engine::agents::Proposal;
use wardroom_wire::{
    agents::{AgentPut, AgentView},
    error::Problem,
};

/// Define an agent, anew or otherwise. What is wrong with its file is told by line and column. Runs that are under way
/// go on as they began.
#[utoipa::path(
    operation_id = "agents_put",
    put, path = "/api/v1/agents/{name}", tag = "agents", params(("name" = String, Path)),
    request_body = AgentPut,
    responses((status = 200, body = AgentView), (status = 409, body = Problem), (status = 422, body = Problem))
)]
pub(crate) async fn handler(
    ctx: Ctx,
    Path(name): Path<String>,
    Json(body): Json<AgentPut>,
) -> Result<axum::Json<AgentView>, ApiError> {
    apply(&ctx, &name, body).await.map(axum::Json)
}

/// Defines an agent.
pub(crate) async fn apply(ctx: &Ctx, name: &str, body: AgentPut) -> Result<AgentView, ApiError> {
    let allowed = ctx.authorise(Action::AgentUpdate, &Resource::agent(name)).await?;
    let AgentPut { text, note, base } = body;
    let proposal = Proposal { name: name.to_owned(), text, note, base, author: ctx.user()? };
    let applied = ctx.app.engine.put_agent(proposal, allowed.draft(ctx)).await?;
    let agent = applied.agent();
    Ok(view(&agent.version, agent.definition.outline()))
}
