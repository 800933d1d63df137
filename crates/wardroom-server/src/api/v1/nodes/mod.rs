//! Nodes.

pub(crate) mod disable;
pub(crate) mod enable;
pub(crate) mod get;
pub(crate) mod label;
pub(crate) mod list;
pub(crate) mod remove;

use crate::{context::Ctx, error::ApiError};
use wardroom_core::node::Node;

/// The node with this id or name.
pub(crate) async fn find(ctx: &Ctx, text: &str) -> Result<Node, ApiError> {
    let store = ctx.app.engine.store();
    let found = match text.parse() {
        Ok(id) => store.lookup_node(id).await?,
        Err(_) if text.len() <= wardroom_core::node::LABEL_BYTES_MAX => {
            store.lookup_node_by_name(text).await?
        }
        Err(_) => None,
    };
    found.ok_or_else(ApiError::not_found)
}
