//! `PATCH /api/v1/nodes/{id}`

use super::super::super::input::Json;
use crate::{context::Ctx, error::ApiError, view};
use axum::{
    extract::Path,
    http::{HeaderMap, header},
};
use wardroom_core::{Action, action::Resource};
use wardroom_engine::EngineError;
use wardroom_wire::{
    api::{NodePatch, NodeView},
    error::{ErrorCode, Problem},
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
    let version = headers
        .get(header::IF_MATCH)
        .ok_or_else(|| {
            ApiError::say(
                ErrorCode::PreconditionRequired,
                "Send the ETag that you read as If-Match.",
            )
        })?
        .to_str()
        .ok()
        .and_then(|tag| match tag.trim() {
            // RFC 9110 §13.1.1: whatever the current version is.
            "*" => Some(node.version),
            tag => tag.trim_matches('"').parse().ok(),
        })
        .ok_or_else(precondition_failed)?;
    let changed =
        ctx.app.engine.set_node_labels(node.id, version, body.labels, allowed.draft(&ctx)).await;
    let node = match changed {
        Err(EngineError::Conflict) => return Err(precondition_failed()),
        other => other?,
    };
    Ok((super::get::etag(node.version)?, axum::Json(view::node(&node, ctx.now())?)))
}

fn precondition_failed() -> ApiError {
    ApiError::say(
        ErrorCode::PreconditionFailed,
        "The node changed since you read it: read it again.",
    )
}
