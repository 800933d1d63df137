//! `GET /api/v1/agents`

use super::view;
use crate::{
    api::input::{PageQuery, QueryOf, page},
    context::Ctx,
    error::ApiError,
};
use axum::Json;
use wardroom_core::{Action, action::Resource};
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

/// Agents. A page has fewer than were asked for where some may not be read.
pub(crate) async fn load(ctx: &Ctx, query: PageQuery) -> Result<List<AgentView>, ApiError> {
    ctx.authorise(Action::AgentList, &Resource::system()).await?;
    let wanted = page(query.after.as_deref(), query.limit)?;
    let found = ctx.app.engine.store().list_agents(wanted).await?;
    let readable = |name: &str| ctx.decide(Action::AgentRead, &Resource::agent(name)).allowed;
    let items = found.items.into_iter().filter(|(_, outline)| readable(&outline.name));
    Ok(List {
        items: items.map(|(version, outline)| view(&version, outline)).collect(),
        next: found.next,
    })
}
