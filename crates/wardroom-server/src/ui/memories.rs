//! `/memories`: what agents remember of the viewer.

use super::{
    frame::{html, see_other, shell},
    pages::memories::{MemoriesPage, Shown},
};
use crate::{api::v1::memories, context::Ctx, error::ApiError};
use axum::{extract::Path, http::StatusCode, response::Response};
use std::collections::BTreeMap;

/// What is remembered, by agent.
pub(crate) async fn page(ctx: Ctx) -> Result<Response, ApiError> {
    let mut agents: BTreeMap<String, Vec<Shown>> = BTreeMap::new();
    for memory in memories::load(&ctx, None).await? {
        agents.entry(memory.agent.clone()).or_default().push(Shown(memory));
    }
    html(StatusCode::OK, &MemoriesPage { shell: shell(&ctx, "/threads"), agents })
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
