//! `/api/v1/tool-servers/{name}/tools`

use super::super::super::input::Json;
use crate::{context::Ctx, error::ApiError};
use axum::{extract::Path, http::StatusCode};
use data_encoding::HEXLOWER;
use wardroom_core::{
    Action,
    action::Resource,
    tool::toolbox::{Definition, Tool},
};
use wardroom_wire::{
    api::List,
    error::{ErrorCode, Problem},
    tools::{ToolAccept, ToolView},
};

fn json(definition: &Definition) -> Option<serde_json::Value> {
    serde_json::from_str(&definition.text).ok()
}

fn view(server: &str, tool: &Tool) -> ToolView {
    let accepted = tool.accepted.as_ref();
    let same = accepted.map(|accepted| accepted.definition.digest)
        == tool.seen.as_ref().map(|seen| seen.digest);
    ToolView {
        server: server.to_owned(),
        name: tool.name.clone(),
        state: tool.state().as_str().to_owned(),
        definition: tool.seen.as_ref().and_then(json),
        digest: tool.seen.as_ref().map(|seen| HEXLOWER.encode(&seen.digest)),
        accepted_definition: accepted
            .filter(|_| !same)
            .and_then(|accepted| json(&accepted.definition)),
        warnings: tool.warnings.clone(),
        accepted_by: accepted.map(|accepted| accepted.by.to_string()),
        accepted_at: accepted.map(|accepted| accepted.at.to_string()),
        first_seen_at: tool.first_seen_at.to_string(),
    }
}

/// A server's tools, by name, with what was accepted of them.
#[utoipa::path(
    operation_id = "tools_list",
    get, path = "/api/v1/tool-servers/{name}/tools", tag = "tool servers", params(("name" = String, Path)),
    responses((status = 200, body = List<ToolView>), (status = 404, body = Problem))
)]
pub(crate) async fn list(
    ctx: Ctx,
    Path(name): Path<String>,
) -> Result<axum::Json<List<ToolView>>, ApiError> {
    load(&ctx, &name).await.map(axum::Json)
}

/// A server's tools.
pub(crate) async fn load(ctx: &Ctx, name: &str) -> Result<List<ToolView>, ApiError> {
    let (server, _) = super::find(ctx, name, Action::ToolServerRead).await?;
    let tools = ctx.app.engine.store().list_tools(server.id).await?;
    Ok(List { items: tools.iter().map(|tool| view(&server.name, tool)).collect(), next: None })
}

/// Accept a tool as one has seen it described. Until then it is neither listed nor called.
#[utoipa::path(
    operation_id = "tools_accept",
    post, path = "/api/v1/tool-servers/{name}/tools/accept", tag = "tool servers", request_body = ToolAccept,
    params(("name" = String, Path)),
    responses((status = 204), (status = 404, body = Problem), (status = 409, body = Problem))
)]
pub(crate) async fn accept(
    ctx: Ctx,
    Path(name): Path<String>,
    Json(body): Json<ToolAccept>,
) -> Result<StatusCode, ApiError> {
    accept_one(&ctx, &name, body).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Accepts one.
pub(crate) async fn accept_one(ctx: &Ctx, name: &str, body: ToolAccept) -> Result<(), ApiError> {
    let wrong = || ApiError::field("digest", "must be 64 hexadecimal digits");
    let bytes = HEXLOWER.decode(body.digest.trim().as_bytes()).map_err(|_| wrong())?;
    let digest: [u8; 32] = bytes.try_into().map_err(|_| wrong())?;
    let (server, _) = super::find(ctx, name, Action::ToolServerRead).await?;
    let tools = ctx.app.engine.store().list_tools(server.id).await?;
    let known = tools.iter().any(|tool| tool.name == body.tool && tool.seen.is_some());
    let resource = Resource::tool(&server.name, &body.tool, Default::default());
    let allowed = ctx.authorise(Action::ToolAccept, &resource).await?;
    if !known {
        return Err(ApiError::field("tool", "the server offers no such tool"));
    }
    let registry = &ctx.app.gateway.registry;
    let accepted = registry
        .accept(&server, &body.tool, digest, ctx.user()?, allowed.draft(ctx))
        .await
        .map_err(ApiError::from);
    accepted.map_err(|error| match error.code {
        ErrorCode::Conflict => ApiError::say(
            ErrorCode::Conflict,
            "The tool is described otherwise by now: look at it again, then decide.",
        ),
        _ => error,
    })
}
