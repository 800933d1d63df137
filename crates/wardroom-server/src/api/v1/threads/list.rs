//! `GET /api/v1/threads`

use super::view;
use crate::{
    api::input::{QueryOf, page},
    context::Ctx,
    error::ApiError,
};
use axum::Json;
use serde::Deserialize;
use wardroom_core::{Action, action::Resource};
use wardroom_engine::agents::threads::ThreadCursor;
use wardroom_wire::{api::List, threads::ThreadView};

/// Which conversations are wanted.
#[derive(Debug, Clone, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct ThreadQuery {
    /// With this agent.
    pub(crate) agent: Option<String>,
    /// Go on behind this, as `next` of the answer before said.
    pub(crate) after: Option<String>,
    /// At most so many, 1 to 200.
    #[param(minimum = 1, maximum = 200)]
    pub(crate) limit: Option<u32>,
}

/// The caller's conversations with agents, the last used first.
#[utoipa::path(
    operation_id = "threads_list",
    get, path = "/api/v1/threads", tag = "threads", params(ThreadQuery),
    responses((status = 200, body = List<ThreadView>))
)]
pub(crate) async fn handler(
    ctx: Ctx,
    QueryOf(query): QueryOf<ThreadQuery>,
) -> Result<Json<List<ThreadView>>, ApiError> {
    load(&ctx, query).await.map(Json)
}

/// Conversations.
pub(crate) async fn load(ctx: &Ctx, query: ThreadQuery) -> Result<List<ThreadView>, ApiError> {
    let user = ctx.user()?;
    ctx.authorise(Action::ThreadList, &Resource::user(user)).await?;
    let page = page::<ThreadCursor>(query.after.as_deref(), query.limit)?;
    let agent = query.agent.as_deref().filter(|agent| !agent.is_empty());
    let found = ctx.app.engine.list_threads(user, agent, page).await?;
    let mut items = Vec::with_capacity(found.items.len());
    for thread in &found.items {
        items.push(view(ctx, thread).await?);
    }
    Ok(List { items, next: found.next.map(|next| next.to_string()) })
}
