//! `GET /api/v1/nodes/{id}`

use crate::{api::version::etag, context::Ctx, error::ApiError, view};
use axum::{Json, extract::Path, http::HeaderMap};
use wardroom_core::{Action, action::Resource, digest::sha256_hex};
use wardroom_wire::{api::NodeDetail, error::Problem};

/// A node, by id or name, with the commands that the caller may run on it.
#[utoipa::path(
    operation_id = "nodes_get",
    get, path = "/api/v1/nodes/{id}", tag = "nodes", params(("id" = String, Path, description = "id or name")),
    responses((status = 200, body = NodeDetail), (status = 404, body = Problem))
)]
pub(crate) async fn handler(
    ctx: Ctx,
    Path(id): Path<String>,
) -> Result<(HeaderMap, Json<NodeDetail>), ApiError> {
    let detail = load(&ctx, &id).await?;
    Ok((etag(detail.node.version)?, Json(detail)))
}

/// A node with its commands.
pub(crate) async fn load(ctx: &Ctx, text: &str) -> Result<NodeDetail, ApiError> {
    let node = super::find(ctx, text).await?;
    ctx.authorise(Action::NodeRead, &Resource::node(&node)).await?;
    Ok(NodeDetail {
        node: view::node(&node, ctx.now())?,
        key_fingerprint: sha256_hex(&node.public_key),
        catalogue: view::catalogue(ctx, &node)?,
    })
}
