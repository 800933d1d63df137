//! `GET /api/v1/agents`

use super::view;
use crate::{
    api::input::{PageQuery, QueryOf, page},
    context::Ctx,
    error::ApiError,
};
use axum::Json;
use wardroom_core::{
    Action,
    action::Resource,
    page::{PAGE_ITEMS_MAX, Page, PageRequest},
};
use wardroom_wire::{agents::AgentView, api::List, error::Problem};

/// The agents that the caller may read, by name.
#[utoipa::path(
    operation_id = "agents_list",
    get, path = "/api/v1/agents", tag = "agents", params(PageQuery),
    responses((status = 200, body = List<AgentView>), (status = 403, body = Problem))
)]
pub(crate) async fn handler(
    ctx: Ctx,
    QueryOf(query): QueryOf<PageQuery>,
) -> Result<Json<List<AgentView>>, ApiError> {
    load(&ctx, query).await.map(Json)
}

/// Agents.
pub(crate) async fn load(ctx: &Ctx, query: PageQuery) -> Result<List<AgentView>, ApiError> {
    ctx.authorise(Action::AgentList, &Resource::system()).await?;
    let wanted = page::<String>(query.after.as_deref(), query.limit)?;
    let mut part = PageRequest::new(wanted.after, PAGE_ITEMS_MAX);
    let mut items = vec![];
    // SECURITY: where to go on is the name of an agent that may be read, and tells of no other.
    loop {
        let found = ctx.app.engine.store().list_agents(part).await?;
        let readable = |name: &str| ctx.decide(Action::AgentRead, &Resource::agent(name)).allowed;
        items.extend(found.items.into_iter().filter(|(_, outline)| readable(&outline.name)));
        part = PageRequest::new(found.next, PAGE_ITEMS_MAX);
        if part.after.is_none() || items.len() > wanted.limit as usize {
            break;
        }
    }
    let shown = Page::cut(items, wanted.limit, |(_, outline)| outline.name.clone());
    let items = shown.items.into_iter().map(|(version, outline)| view(&version, outline));
    Ok(List { items: items.collect(), next: shown.next })
}
