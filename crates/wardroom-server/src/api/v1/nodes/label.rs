//! `PATCH /api/v1/nodes/{id}`

use super::super::super::input::Json;
use crate::{
    api::version::{etag, if_match, stale},
    context::Ctx,
    error::ApiError,
    view,
};
use axum::{extract::Path, http::HeaderMap};
use wardroom_core::{Action, action::Resource};
use wardroom_engine::EngineError;
use wardroom_wire::{
    api::{NodePatch, NodeView},
    error::Problem,
};

/// Change a node's labels. `If-Match` names the version that was read.
#[utoipa::path(
    operation_id = "nodes_label",
    patch, path = "/api/v1/nodes/{id}", tag = "nodes", request_body = NodePatch,
    params(("id" = String, Path), ("If-Match" = String, Header)),
    responses((status = 200, body = NodeView), (status = 412, body = Problem), (status = 428, body = Problem))
)]
pub(crate) async fn handler(
    ctx: Ctx,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(body): Json<NodePatch>,
) -> Result<(HeaderMap, axum::Json<NodeView>), ApiError> {
    let node = super::find(&ctx, &id).await?;
    let allowed = ctx.authorise(Action::NodeLabel, &Resource::node(&node)).await?;
    let version = if_match(&headers, node.version)?;
    let changed =
        ctx.app.engine.set_node_labels(node.id, version, body.labels, allowed.draft(&ctx)).await;
    let node = match changed {
        Err(EngineError::Conflict) => return Err(stale()),
        other => other?,
    };
    Ok((etag(node.version)?, axum::Json(view::node(&node, ctx.now())?)))
}
