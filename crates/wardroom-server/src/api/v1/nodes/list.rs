//! `GET /api/v1/nodes`

use super::super::super::input::{PageQuery, QueryOf, page};
use crate::{context::Ctx, error::ApiError, view};
use axum::Json;
use wardroom_core::{Action, action::Resource};
use wardroom_wire::api::{List, NodeView};

/// Nodes by name. Those that the caller may not read are left out.
#[utoipa::path(
    get, path = "/api/v1/nodes", tag = "nodes", params(PageQuery),
    responses((status = 200, body = List<NodeView>))
)]
pub(crate) async fn handler(
    ctx: Ctx,
    QueryOf(query): QueryOf<PageQuery>,
) -> Result<Json<List<NodeView>>, ApiError> {
    load(&ctx, query.after, query.limit).await.map(Json)
}

/// Nodes by name.
pub(crate) async fn load(
    ctx: &Ctx,
    after: Option<String>,
    limit: Option<u32>,
) -> Result<List<NodeView>, ApiError> {
    ctx.authorise(Action::NodeList, &Resource::system()).await?;
    let page = page(after.as_deref(), limit)?;
    let found = ctx.app.engine.store().list_nodes(page).await?;
    let now = ctx.now();
    let mut items = Vec::with_capacity(found.items.len());
    for node in &found.items {
        if ctx.decide(Action::NodeRead, &Resource::node(node)).allowed {
            items.push(view::node(node, now)?);
        }
    }
    Ok(List { items, next: found.next })
}
