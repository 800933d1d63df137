//! `GET /api/v1/threads`

use super::view;
use crate::{
    api::input::{QueryOf, page},
    context::Ctx,
    error::ApiError,
};
use axum::Json;
use serde::Deserialize;
use std::str::FromStr;
use wardroom_core::{Action, Timestamp, action::Resource, page::PageRequest, store::ThreadKey};
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
    let page = page::<Place>(query.after.as_deref(), query.limit)?;
    let page = PageRequest::new(page.after.map(|after| after.0), page.limit);
    let agent = query.agent.as_deref().filter(|agent| !agent.is_empty());
    let found = ctx.app.engine.store().list_threads(user, agent, page).await?;
    let mut items = Vec::with_capacity(found.items.len());
    for thread in &found.items {
        items.push(view(ctx, thread).await?);
    }
    let next = found.next.map(|(at, id)| format!("{}.{id}", at.as_micros()));
    Ok(List { items, next })
}

/// Where the list goes on: a time and an id.
struct Place(ThreadKey);

impl FromStr for Place {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = "is no place in a list of conversations";
        let (at, id) = text.split_once('.').ok_or(wrong)?;
        let at = at.parse().map_err(|_| wrong)?;
        Ok(Self((Timestamp::from_micros(at), id.parse().map_err(|_| wrong)?)))
    }
}
