//! `/api/v1/tool-calls`

use super::super::super::input::{QueryOf, filter, page};
use crate::{context::Ctx, error::ApiError};
use axum::{Json, extract::Path};
use data_encoding::HEXLOWER;
use serde::Deserialize;
use wardroom_core::{
    Action, ToolCallId,
    action::{Resource, ResourceKind},
    store::CallFilter,
    tool::{call::ToolCall, shown::shown},
};
use wardroom_wire::{
    api::List,
    error::Problem,
    tools::{ToolCallDetail, ToolCallView},
};

/// Which calls are wanted.
#[derive(Debug, Clone, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct CallQuery {
    /// Of this server.
    pub(crate) server: Option<String>,
    /// Of tools of this name.
    pub(crate) tool: Option<String>,
    /// That came out so.
    pub(crate) outcome: Option<String>,
    /// The caller's own only.
    pub(crate) mine: bool,
    /// Continue behind this call.
    pub(crate) after: Option<String>,
    /// At most so many, 1 to 200.
    #[param(minimum = 1, maximum = 200)]
    pub(crate) limit: Option<u32>,
}

fn view(call: &ToolCall) -> ToolCallView {
    let end = call.end.as_ref();
    let took = end.map(|end| end.at.since(call.begun_at).as_micros() as f64 / 1000.0);
    ToolCallView {
        id: call.id.to_string(),
        server: call.server_name.clone(),
        tool: call.tool.clone(),
        user: call.user.to_string(),
        client: call.client.map(|client| client.to_string()),
        door: call.door.as_str().to_owned(),
        state: end.map_or("running", |end| end.outcome.as_str()).to_owned(),
        begun_at: call.begun_at.to_string(),
        ms: took,
        arguments_bytes: call.arguments_bytes,
        result_bytes: end.map(|end| end.result_bytes),
        policy: call.policy.clone(),
        problem: end.and_then(|end| end.problem.clone()),
    }
}

/// Calls of tools, newest first. Others' calls are left out where reading them is not allowed.
#[utoipa::path(
    operation_id = "tool_calls_list",
    get, path = "/api/v1/tool-calls", tag = "tool servers", params(CallQuery),
    responses((status = 200, body = List<ToolCallView>))
)]
pub(crate) async fn list(
    ctx: Ctx,
    QueryOf(query): QueryOf<CallQuery>,
) -> Result<Json<List<ToolCallView>>, ApiError> {
    load(&ctx, query).await.map(Json)
}

/// Calls.
pub(crate) async fn load(ctx: &Ctx, query: CallQuery) -> Result<List<ToolCallView>, ApiError> {
    ctx.authorise(Action::ToolCallList, &Resource::system()).await?;
    let anyones = Resource::new(ResourceKind::ToolCall, "any");
    let anyones = ctx.decide(Action::ToolCallRead, &anyones).allowed;
    let store = ctx.app.engine.store();
    let server = match query.server.as_deref().filter(|name| !name.is_empty()) {
        Some(name) => match store.lookup_tool_server(name).await? {
            Some(server) => Some(server.id),
            None => return Ok(List { items: vec![], next: None }),
        },
        None => None,
    };
    let wanted = CallFilter {
        server,
        tool: query.tool.filter(|tool| !tool.is_empty()),
        user: (query.mine || !anyones).then(|| ctx.user()).transpose()?,
        outcome: filter("outcome", query.outcome.as_deref())?,
    };
    let page = page(query.after.as_deref(), query.limit)?;
    let found = store.list_tool_calls(&wanted, page).await?;
    let readable =
        |call: &&ToolCall| ctx.decide(Action::ToolCallRead, &Resource::tool_call(call)).allowed;
    let items = found.items.iter().filter(readable).map(view).collect();
    Ok(List { items, next: found.next.map(|id| id.to_string()) })
}

/// A call with its arguments.
#[utoipa::path(
    operation_id = "tool_calls_get",
    get, path = "/api/v1/tool-calls/{id}", tag = "tool servers", params(("id" = String, Path)),
    responses((status = 200, body = ToolCallDetail), (status = 404, body = Problem))
)]
pub(crate) async fn get(
    ctx: Ctx,
    Path(id): Path<String>,
) -> Result<Json<ToolCallDetail>, ApiError> {
    detail(&ctx, &id).await.map(Json)
}

/// One call.
pub(crate) async fn detail(ctx: &Ctx, id: &str) -> Result<ToolCallDetail, ApiError> {
    let id: ToolCallId = id.parse().map_err(|_| ApiError::not_found())?;
    let call = ctx.app.engine.store().lookup_tool_call(id).await?;
    let call = call.ok_or_else(ApiError::not_found)?;
    ctx.authorise(Action::ToolCallRead, &Resource::tool_call(&call)).await?;
    let arguments = ctx.app.gateway.arguments(&call).await.map_err(ApiError::internal)?;
    let end = call.end.as_ref();
    Ok(ToolCallDetail {
        arguments: arguments.and_then(|text| shown(&text)),
        arguments_digest: HEXLOWER.encode(&call.arguments_digest),
        result_digest: end.and_then(|end| end.result_digest).map(|digest| HEXLOWER.encode(&digest)),
        call: view(&call),
    })
}
