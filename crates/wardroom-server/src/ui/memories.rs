//! `/memories`: what agents remember of the viewer.

use super::{
    frame::{html, see_other, shell},
    pages::memories::{MemoriesPage, Shown},
};
use crate::{
    api::{
        input::QueryOf,
        v1::memories::{self, MemoryQuery},
    },
    context::Ctx,
    error::ApiError,
};
use axum::{extract::Path, http::StatusCode, response::Response};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Memories on one page.
const SHOWN_MAX: u32 = 100;

/// Which page.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct MemoriesQuery {
    after: Option<String>,
}

/// What is remembered, by agent.
pub(crate) async fn page(
    ctx: Ctx,
    QueryOf(MemoriesQuery { after }): QueryOf<MemoriesQuery>,
) -> Result<Response, ApiError> {
    let later = after.is_some();
    let query = MemoryQuery { after, limit: Some(SHOWN_MAX), ..MemoryQuery::default() };
    let list = memories::load(&ctx, query).await?;
    let mut agents: BTreeMap<String, Vec<Shown>> = BTreeMap::new();
    for memory in list.items {
        agents.entry(memory.agent.clone()).or_default().push(Shown(memory));
    }
    let shell = shell(&ctx, "/threads");
    html(StatusCode::OK, &MemoriesPage { shell, agents, later, next: list.next })
}

/// Has something forgotten.
pub(crate) async fn remove(ctx: Ctx, Path(id): Path<String>) -> Result<Response, ApiError> {
    memories::forget(&ctx, &id).await?;
    Ok(see_other("/memories"))
}

/// Has all forgotten that an agent remembers.
pub(crate) async fn remove_all(ctx: Ctx, Path(name): Path<String>) -> Result<Response, ApiError> {
    memories::forget_all(&ctx, &name).await?;
    Ok(see_other("/memories"))
}
