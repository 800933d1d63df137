//! `GET /api/v1/tool-servers`

use crate::{context::Ctx, error::ApiError};
use axum::Json;
use wardroom_core::{Action, action::Resource};
use wardroom_wire::{api::List, tools::ToolServerView};

/// Tool servers by name. Those that one may not read are left out.
#[utoipa::path(
    operation_id = "tool_servers_list",
    get, path = "/api/v1/tool-servers", tag = "tool servers",
    responses((status = 200, body = List<ToolServerView>))
)]
pub(crate) async fn handler(ctx: Ctx) -> Result<Json<List<ToolServerView>>, ApiError> {
    load(&ctx).await.map(Json)
}

/// Tool servers.
pub(crate) async fn load(ctx: &Ctx) -> Result<List<ToolServerView>, ApiError> {
    ctx.authorise(Action::ToolServerList, &Resource::system()).await?;
    let store = ctx.app.engine.store();
    let mut items = vec![];
    for server in store.list_tool_servers().await? {
        let resource = Resource::tool_server(&server.name);
        if ctx.decide(Action::ToolServerRead, &resource).allowed {
            items.push(super::view(ctx, &server, &store.list_tools(server.id).await?));
        }
    }
    Ok(List { items, next: None })
}
