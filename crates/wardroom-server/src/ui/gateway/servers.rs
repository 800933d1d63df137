//! `/gateway/servers/{name}`

use super::super::{
    frame::{html, name_ids, said, see_other, shell},
    pages::gateway::server::ToolServerPage,
};
use crate::{
    api::v1::tool_servers::{get, remove, restart, test, tools, update, usage},
    context::Ctx,
    error::ApiError,
};
use axum::{extract::Path, http::StatusCode, response::Response};
use wardroom_wire::tools::{ToolServerPatch, ToolUsageView, WayShape};

fn path(name: &str) -> String {
    format!("/gateway/servers/{name}")
}

/// How the tools of a server were used within a day.
pub(super) async fn used(ctx: &Ctx, name: &str) -> Result<Vec<ToolUsageView>, ApiError> {
    let mut usage = usage::load(ctx, usage::UsageQuery::default()).await?.items;
    usage.retain(|usage| usage.server.as_deref() == Some(name));
    Ok(usage)
}

/// One tool server.
pub(crate) async fn show(ctx: Ctx, Path(name): Path<String>) -> Result<Response, ApiError> {
    page(&ctx, &name, None).await
}

async fn page(ctx: &Ctx, name: &str, problem: Option<String>) -> Result<Response, ApiError> {
    let server = get::load(ctx, name).await?;
    let tools = tools::load(ctx, name).await?.items;
    let usage = used(ctx, name).await?;
    let mut shell = shell(ctx, "/gateway");
    let mut ids: Vec<String> = tools.iter().filter_map(|tool| tool.accepted_by.clone()).collect();
    if let WayShape::Node { node, .. } = &server.way {
        ids.push(node.clone());
    }
    name_ids(ctx, &mut shell, ids).await?;
    let status = match problem {
        Some(_) => StatusCode::UNPROCESSABLE_ENTITY,
        None => StatusCode::OK,
    };
    html(status, &ToolServerPage { shell, server, tools, usage, problem })
}

/// Back to the page, with what was wrong.
async fn answer(ctx: &Ctx, name: &str, done: Result<(), ApiError>) -> Result<Response, ApiError> {
    match done {
        Ok(()) => Ok(see_other(&path(name))),
        Err(error) => {
            let problem = said(&error).ok_or(error)?;
            page(ctx, name, Some(problem)).await
        }
    }
}

/// Asks it what it offers now. That it does not answer, its page tells.
pub(crate) async fn test(ctx: Ctx, Path(name): Path<String>) -> Result<Response, ApiError> {
    let looked = test::look(&ctx, &name).await;
    answer(&ctx, &name, looked.map(drop)).await
}

/// Begins anew with it.
pub(crate) async fn restart(ctx: Ctx, Path(name): Path<String>) -> Result<Response, ApiError> {
    let done = restart::restart(&ctx, &name).await;
    answer(&ctx, &name, done).await
}

/// Lets it be called.
pub(crate) async fn enable(ctx: Ctx, Path(name): Path<String>) -> Result<Response, ApiError> {
    switch(&ctx, &name, true).await
}

/// Lets nobody call it.
pub(crate) async fn disable(ctx: Ctx, Path(name): Path<String>) -> Result<Response, ApiError> {
    switch(&ctx, &name, false).await
}

async fn switch(ctx: &Ctx, name: &str, enabled: bool) -> Result<Response, ApiError> {
    let version = get::load(ctx, name).await?.version;
    let body = ToolServerPatch { enabled: Some(enabled), ..ToolServerPatch::default() };
    let done = update::change(ctx, name, version, body).await;
    answer(ctx, name, done.map(drop)).await
}

/// Forgets it.
pub(crate) async fn remove(ctx: Ctx, Path(name): Path<String>) -> Result<Response, ApiError> {
    remove::forget(&ctx, &name).await?;
    Ok(see_other("/gateway"))
}
