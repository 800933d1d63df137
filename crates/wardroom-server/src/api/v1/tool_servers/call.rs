//! `POST /api/v1/tool-servers/{name}/call`

use super::super::super::input::Json;
use crate::{context::Ctx, error::ApiError, mcp::McpCaller};
use axum::extract::Path;
use serde_json::Value;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use wardroom_core::{
    Action,
    action::Resource,
    audit::AuditOutcome,
    tool::toolbox::{Tool, ToolState},
};
use wardroom_gateway::{
    door::{Client, Modern, Outlet, Speaks},
    era::meta,
    rpc::{Id, Object, Request, RpcError, codes},
};
use wardroom_trust::policy::Circumstances;
use wardroom_wire::{
    error::{ErrorCode, Problem},
    tools::{ToolCallRequest, ToolCallResult},
};

/// Call a tool, for people who try one out. Programs speak the protocol at `/mcp`.
#[utoipa::path(
    operation_id = "tools_call",
    post, path = "/api/v1/tool-servers/{name}/call", tag = "tool servers", request_body = ToolCallRequest,
    params(("name" = String, Path)),
    responses((status = 200, body = ToolCallResult), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 502, body = Problem))
)]
pub(crate) async fn handler(
    ctx: Ctx,
    Path(name): Path<String>,
    Json(body): Json<ToolCallRequest>,
) -> Result<axum::Json<ToolCallResult>, ApiError> {
    run(&ctx, &name, body).await.map(axum::Json)
}

/// Refuses the call of a tool that is not there to be called, or not for the caller: with a record, and the reason for
/// those who may look after its server. For others it is not there.
async fn refuse(ctx: &Ctx, server: &str, tool: &str) -> Result<ApiError, ApiError> {
    let store = ctx.app.engine.store();
    let found = store.lookup_tool_server(server).await?;
    let tools = match &found {
        Some(found) => store.list_tools(found.id).await?,
        None => vec![],
    };
    let state = tools.iter().find(|known| known.name == tool).map(Tool::state);
    // What somebody made up is not repeated.
    let named =
        (found.as_ref().map_or("unknown", |found| &found.name), state.map_or("unknown", |_| tool));
    let hints = ctx.app.gateway.registry.server(server).and_then(|known| {
        let tools = known.tools();
        tools.get(tool).map(|tool| tool.hints)
    });
    let resource = Resource::tool(named.0, named.1, hints.unwrap_or_default());
    // Whoever may call such tools, if need be with consent, is told why this one can't be called.
    ctx.authorise_or_ask(Action::ToolCall, &resource, &Circumstances::default()).await?;
    let audit = ctx.draft(Action::ToolCall).on(&resource.id);
    let audit = audit.outcome(AuditOutcome::Refused, "it can't be called");
    ctx.app.refusals.record(&ctx.app, audit).await?;
    if !ctx.may(Action::ToolServerRead) {
        return Ok(ApiError::not_found());
    }
    let said = match (found.map(|found| found.enabled), state) {
        (None, _) => {
            format!("There is no tool server {server:?}: `wardroom mcp servers` lists them.")
        }
        (Some(false), _) => format!("{server} is disabled: `wardroom mcp enable {server}`."),
        (_, Some(ToolState::New | ToolState::Changed)) => format!(
            "{tool} waits for somebody to accept it as it is described now: `wardroom mcp show {server} {tool}`, then `wardroom mcp accept {server} {tool}`."
        ),
        (_, Some(ToolState::Gone)) => format!("{server} does not offer {tool} any more."),
        _ => format!(
            "{server} offers no such tool: `wardroom mcp tools {server}` lists what it does."
        ),
    };
    Ok(ApiError::say(ErrorCode::NotFound, said))
}

/// Calls a tool and gives its answer.
pub(crate) async fn run(
    ctx: &Ctx,
    server: &str,
    body: ToolCallRequest,
) -> Result<ToolCallResult, ApiError> {
    let gateway = &ctx.app.gateway;
    let tool = gateway.registry.server(server).and_then(|known| {
        let tools = known.tools();
        tools.get(&body.tool).cloned()
    });
    let callable =
        tool.is_some_and(|tool| ctx.may_call(&Resource::tool(server, &body.tool, tool.hints)));
    if !callable {
        return Err(refuse(ctx, server, &body.tool).await?);
    }
    let arguments = body.arguments.unwrap_or_else(|| Value::Object(Default::default()));
    let params = Object::default().with("name", &body.tool).with("arguments", arguments);
    let (outlet, mut notes) = Outlet::new();
    let client = Client {
        caller: Arc::new(McpCaller::new(ctx.clone())?),
        scope: Some(server.to_owned()),
        speaks: Speaks::Modern(Modern::default()),
        outlet,
        cancel: CancellationToken::new(),
    };
    let request = Request { id: Id::Number(1), method: "tools/call".to_owned(), params };
    let answering = async {
        let outcome = gateway.answer(&client, request).await;
        drop(client);
        outcome
    };
    // Nobody is there to be told of progress.
    let draining = async { while notes.recv().await.is_some() {} };
    let (outcome, ()) = tokio::join!(answering, draining);
    let result = outcome.map_err(problem)?;
    let own = result.object("_meta").unwrap_or_default();
    if let Some(approval) = own.text(meta::APPROVAL) {
        let why = format!(
            "A person has to approve this call first ({approval}): then make the very same call again."
        );
        let error = ApiError::say(ErrorCode::ApprovalRequired, why);
        return Err(ApiError { approval: Some(approval), ..error });
    }
    if result.text("resultType").as_deref() == Some("input_required") {
        let why = "The tool asks for something first: call it from a client that can be asked.";
        return Err(ApiError::say(ErrorCode::ToolFailed, why));
    }
    let result: Value = serde_json::from_str(result.raw().get()).map_err(ApiError::internal)?;
    let is_error = result.get("isError").and_then(Value::as_bool).unwrap_or_default();
    Ok(ToolCallResult { is_error, result })
}

/// An error of the protocol as one of the API.
fn problem(error: RpcError) -> ApiError {
    match error.code {
        codes::INVALID_PARAMS => ApiError::field("arguments", error.message),
        codes::REFUSED => ApiError::say(ErrorCode::Forbidden, error.message),
        codes::INTERNAL_ERROR => ApiError::new(ErrorCode::Internal),
        _ => ApiError::say(ErrorCode::ToolFailed, error.message),
    }
}
