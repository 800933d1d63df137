//! `GET /api/v1/agents/{name}/versions`

use super::{find, version_view};
use crate::{
    api::input::{PageQuery, QueryOf, page},
    context::Ctx,
    error::ApiError,
};
use axum::{Json, extract::Path};
use wardroom_core::Action;
use wardroom_wire::{agents::AgentVersionView, api::List, error::Problem};

/// The versions of an agent, newest first; the newest 200 are kept.
#[utoipa::path(
    operation_id = "agents_versions",
    get, path = "/api/v1/agents/{name}/versions", tag = "agents",
    params(("name" = String, Path), PageQuery),
    responses((status = 200, body = List<AgentVersionView>), (status = 404, body = Problem))
)]
pub(crate) async fn handler(
    ctx: Ctx,
    Path(name): Path<String>,
    QueryOf(query): QueryOf<PageQuery>,
) -> Result<Json<List<AgentVersionView>>, ApiError> {
    load(&ctx, &name, query).await.map(Json)
}

/// The versions of an agent.
pub(crate) async fn load(
    ctx: &Ctx,
    name: &str,
    query: PageQuery,
) -> Result<List<AgentVersionView>, ApiError> {
    find(ctx, name, Action::AgentRead).await?;
    let wanted = page(query.after.as_deref(), query.limit)?;
    let found = ctx.app.engine.store().list_agent_versions(name, wanted).await?;
    Ok(List {
        items: found.items.iter().map(version_view).collect(),
        next: found.next.map(|number| number.to_string()),
    })
}
