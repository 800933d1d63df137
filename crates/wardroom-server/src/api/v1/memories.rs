//! `/api/v1/memories`: what agents remember of the caller

use super::super::input::{QueryOf, id};
use crate::{context::Ctx, error::ApiError};
use axum::{extract::Path, http::StatusCode};
use serde::Deserialize;
use wardroom_core::{Action, MemoryId, action::Resource};
use wardroom_wire::{api::List, error::Problem, memories::MemoryView};

/// Which are wanted.
#[derive(Debug, Clone, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct MemoryQuery {
    /// Of this agent only.
    pub(crate) agent: Option<String>,
}

/// What agents remember of the caller, the last written first; all of it, and at most 2,000.
#[utoipa::path(
    operation_id = "memories_list",
    get, path = "/api/v1/memories", tag = "threads", params(MemoryQuery),
    responses((status = 200, body = List<MemoryView>))
)]
pub(crate) async fn list(
    ctx: Ctx,
    QueryOf(query): QueryOf<MemoryQuery>,
) -> Result<axum::Json<List<MemoryView>>, ApiError> {
    let items = load(&ctx, query.agent.as_deref()).await?;
    Ok(axum::Json(List { items, next: None }))
}

/// What is remembered of the caller.
pub(crate) async fn load(ctx: &Ctx, agent: Option<&str>) -> Result<Vec<MemoryView>, ApiError> {
    let user = ctx.user()?;
    ctx.authorise(Action::MemoryList, &Resource::user(user)).await?;
    let agent = agent.filter(|agent| !agent.is_empty());
    let found = ctx.app.engine.list_memories(user, agent).await?;
    let view = |(memory, remembered): (
        wardroom_core::memory::Memory,
        wardroom_core::memory::Remembered,
    )| MemoryView {
        id: memory.id.to_string(),
        agent: memory.agent,
        namespace: memory.namespace,
        key: remembered.key,
        text: remembered.text,
        seen: remembered.seen.names().into_iter().map(ToOwned::to_owned).collect(),
        written_at: memory.written_at.to_string(),
        expires_at: memory.expires_at.to_string(),
    };
    Ok(found.into_iter().map(view).collect())
}

/// Have something forgotten that an agent remembers.
#[utoipa::path(
    operation_id = "memories_remove",
    delete, path = "/api/v1/memories/{id}", tag = "threads", params(("id" = String, Path)),
    responses((status = 204), (status = 404, body = Problem))
)]
pub(crate) async fn remove(ctx: Ctx, Path(memory): Path<String>) -> Result<StatusCode, ApiError> {
    forget(&ctx, &memory).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Forgets it.
pub(crate) async fn forget(ctx: &Ctx, memory: &str) -> Result<(), ApiError> {
    let user = ctx.user()?;
    let allowed = ctx.authorise(Action::MemoryRemove, &Resource::user(user)).await?;
    let memory: MemoryId = id(memory)?;
    Ok(ctx.app.engine.remove_memory(user, memory, allowed.draft(ctx)).await?)
}

/// Have all forgotten that an agent remembers of the caller.
#[utoipa::path(
    operation_id = "memories_remove_all",
    delete, path = "/api/v1/agents/{name}/memories", tag = "threads", params(("name" = String, Path)),
    responses((status = 204))
)]
pub(crate) async fn remove_all(ctx: Ctx, Path(name): Path<String>) -> Result<StatusCode, ApiError> {
    forget_all(&ctx, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Forgets all of it.
pub(crate) async fn forget_all(ctx: &Ctx, agent: &str) -> Result<(), ApiError> {
    let user = ctx.user()?;
    let allowed = ctx.authorise(Action::MemoryRemove, &Resource::user(user)).await?;
    Ok(ctx.app.engine.remove_memories(user, agent, allowed.draft(ctx)).await?)
}
