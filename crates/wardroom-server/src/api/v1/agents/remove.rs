//! `DELETE /api/v1/agents/{name}`

use super::find;
use crate::{context::Ctx, error::ApiError};
use axum::{extract::Path, http::StatusCode};
use wardroom_core::Action;
use wardroom_wire::error::Problem;

/// Forget an agent with all its versions. Runs that are under way go on as they began.
#[utoipa::path(
    operation_id = "agents_remove",
    delete, path = "/api/v1/agents/{name}", tag = "agents", params(("name" = String, Path)),
    responses((status = 204), (status = 404, body = Problem), (status = 409, body = Problem))
)]
pub(crate) async fn handler(ctx: Ctx, Path(name): Path<String>) -> Result<StatusCode, ApiError> {
    act(&ctx, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Forgets an agent.
pub(crate) async fn act(ctx: &Ctx, name: &str) -> Result<(), ApiError> {
    let (agent, allowed) = find(ctx, name, Action::AgentRemove).await?;
    Ok(ctx.app.engine.remove_agent(&agent, allowed.draft(ctx)).await?)
}
