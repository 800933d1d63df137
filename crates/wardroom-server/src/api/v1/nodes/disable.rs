//! `POST /api/v1/nodes/{id}/disable`

use crate::{context::Ctx, error::ApiError, view};
use axum::{Json, extract::Path};
use wardroom_core::{Action, action::Resource};
use wardroom_wire::{api::NodeView, error::Problem};

/// Turn a node away until it is enabled again; its link closes at once.
#[utoipa::path(
    operation_id = "nodes_disable",
    post, path = "/api/v1/nodes/{id}/disable", tag = "nodes", params(("id" = String, Path)),
    responses((status = 200, body = NodeView), (status = 404, body = Problem))
)]
pub(crate) async fn handler(ctx: Ctx, Path(id): Path<String>) -> Result<Json<NodeView>, ApiError> {
    act(&ctx, &id).await.map(Json)
}

/// Turn a node away until it is enabled again; its link closes at once.
pub(crate) async fn act(ctx: &Ctx, text: &str) -> Result<NodeView, ApiError> {
    let node = super::find(ctx, text).await?;
    let allowed = ctx.authorise(Action::NodeDisable, &Resource::node(&node)).await?;
    let node = ctx.app.engine.set_node_disabled(node.id, true, allowed.draft(ctx)).await?;
    view::node(&node, ctx.now())
}
