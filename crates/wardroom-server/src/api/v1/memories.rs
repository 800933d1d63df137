//! `/api/v1/memories`: what agents remember of the caller

use super::super::input::{QueryOf, id, page};
use crate::{context::Ctx, error::ApiError};
use axum::{extract::Path, http::StatusCode};
use serde::Deserialize;
use wardroom_core::{
    Action, MemoryId,
    action::Resource,
    memory::{Memory, Remembered},
};
use wardroom_wire::{api::List, error::Problem, memories::MemoryView};

/// Which are wanted.
#[derive(Debug, Clone, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct MemoryQuery {
    /// Of this agent only.
    pub(crate) agent: Option<String>,
    /// Go on behind this, as `next` of the answer before said.
    pub(crate) after: Option<String>,
    /// At most so many, 1 to 200.
    #[param(minimum = 1, maximum = 200)]
    pub(crate) limit: Option<u32>,
}

/// What agents remember of the caller, the last written first.
#[utoipa::path(
    operation_id = "memories_list",
    get, path = "/api/v1/memories", tag = "threads", params(MemoryQuery),
    responses((status = 200, body = List<MemoryView>))
)]
pub(crate) async fn list(
    ctx: Ctx,
    QueryOf(query): QueryOf<MemoryQuery>,
) -> Result<axum::Json<List<MemoryView>>, ApiError> {
    load(&ctx, query).await.map(axum::Json)
}

/// What is remembered of the caller.
pub(crate) async fn load(ctx: &Ctx, query: MemoryQuery) -> Result<List<MemoryView>, ApiError> {
    let user = ctx.user()?;
    ctx.authorise(Action::MemoryList, &Resource::user(user)).await?;
    let page = page(query.after.as_deref(), query.limit)?;
    let agent = query.agent.as_deref().filter(|agent| !agent.is_empty());
    let found = ctx.app.engine.list_memories(user, agent, page).await?;
    let view = |(memory, remembered): (Memory, Remembered)| MemoryView {
        id: memory.id.to_string(),
        agent: memory.agent,
        namespace: memory.namespace,
        key: remembered.key,
        text: remembered.text,
        seen: remembered.seen.names().into_iter().map(ToOwned::to_owned).collect(),
        written_at: memory.written_at.to_string(),
        expires_at: memory.expires_at.to_string(),
    };
    let items = found.items.into_iter().map(view).collect();
    Ok(List { items, next: found.next.map(|next| next.to_string()) })
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
    responses((status = 204), (status = 404, body = Problem))
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
