//! `GET /api/v1/nodes`

use super::super::super::input::{PageQuery, QueryOf, page};
use crate::{context::Ctx, error::ApiError, view};
use axum::Json;
use wardroom_core::{
    Action,
    action::Resource,
    node::Node,
    page::{PAGE_ITEMS_MAX, Page, PageRequest},
};
use wardroom_wire::api::{List, NodeView};

/// Nodes by name. Those that the caller may not read are left out.
#[utoipa::path(
    operation_id = "nodes_list",
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
    let mut look = page.clone();
    let now = ctx.now();
    let mut seen: Vec<Node> = Vec::new();
    // One more than the page has tells whether there is more. SECURITY: to continue behind a node that
    // the caller may not read would tell its name.
    while seen.len() <= page.limit as usize {
        let found = ctx.app.engine.store().list_nodes(look.clone()).await?;
        let visible = |node: &Node| ctx.decide(Action::NodeRead, &Resource::node(node)).allowed;
        seen.extend(found.items.into_iter().filter(visible));
        match found.next {
            // Many are not visible, perhaps: more at a time from here on.
            Some(after) => look = PageRequest::new(Some(after), PAGE_ITEMS_MAX),
            None => break,
        }
    }
    let Page { items, next } = Page::cut(seen, page.limit, |node| node.name.clone());
    let items = items.iter().map(|node| view::node(node, now)).collect::<Result<_, _>>()?;
    Ok(List { items, next })
}
