//! `POST /api/v1/tool-servers/{name}/test`

use crate::{context::Ctx, error::ApiError};
use axum::{Json, extract::Path};
use wardroom_core::{Action, audit::AuditOutcome, tool::toolbox::ToolState};
use wardroom_wire::{error::Problem, tools::LookView};

/// Ask a tool server what it offers now.
#[utoipa::path(
    operation_id = "tool_servers_test",
    post, path = "/api/v1/tool-servers/{name}/test", tag = "tool servers", params(("name" = String, Path)),
    responses((status = 200, body = LookView), (status = 404, body = Problem))
)]
pub(crate) async fn handler(
    ctx: Ctx,
    Path(name): Path<String>,
) -> Result<Json<LookView>, ApiError> {
    look(&ctx, &name).await.map(Json)
}

/// Looks at one. That it does not answer is what is told, not an error.
pub(crate) async fn look(ctx: &Ctx, name: &str) -> Result<LookView, ApiError> {
    let (server, allowed) = super::find(ctx, name, Action::ToolServerTest).await?;
    let (health, found) = ctx.app.gateway.registry.try_out(&server).await;
    let audit = allowed.draft(ctx).on(&server.name);
    let audit = match &found {
        Ok(_) => audit,
        Err(failure) => audit.outcome(AuditOutcome::Failed, failure.to_string()),
    };
    ctx.app.engine.record(audit).await?;
    let tools = ctx.app.engine.store().list_tools(server.id).await?;
    let known = ctx.app.gateway.registry.server(&server.name);
    let accepted = tools.iter().filter(|tool| tool.state() == ToolState::Accepted).count();
    let waiting = tools
        .iter()
        .filter(|tool| matches!(tool.state(), ToolState::New | ToolState::Changed))
        .count();
    Ok(LookView {
        health: super::health_view(&health, known.as_deref()),
        tools_accepted: accepted,
        tools_waiting: waiting,
        unusable: found.map(|look| look.unusable).unwrap_or_default(),
    })
}
