//! `/gateway/servers/{name}/tool`

use super::{
    super::{
        frame::{html, name_ids, said, see_other, shell},
        pages::{
            difference,
            format::query,
            gateway::{
                arguments,
                tool::{ToolPage, Tried},
            },
            order::OrderForm,
        },
    },
    servers,
};
use crate::{
    api::{
        input::QueryOf,
        v1::tool_servers::{call, tools},
    },
    context::Ctx,
    error::ApiError,
};
use axum::{Form, extract::Path, http::StatusCode, response::Response};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use wardroom_core::{Action, action::Resource};
use wardroom_wire::{
    error::ErrorCode,
    tools::{ToolAccept, ToolCallRequest, ToolView},
};

/// Which tool.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ToolQuery {
    /// Its name.
    tool: String,
}

async fn find(ctx: &Ctx, server: &str, name: &str) -> Result<ToolView, ApiError> {
    let tools = tools::load(ctx, server).await?.items;
    tools.into_iter().find(|tool| tool.name == name).ok_or_else(ApiError::not_found)
}

/// The tool as policy sees it: what it does is what was accepted.
fn resource(ctx: &Ctx, server: &str, name: &str) -> Resource {
    let known = ctx.app.gateway.registry.server(server);
    let tool = known.and_then(|known| known.tools().get(name).cloned());
    Resource::tool(server, name, tool.map(|tool| tool.hints).unwrap_or_default())
}

fn form_of(tool: &ToolView) -> OrderForm {
    let definition = tool.definition.as_ref();
    arguments::form(definition.map_or(&Value::Null, |definition| &definition["inputSchema"]))
}

/// One tool.
pub(crate) async fn show(
    ctx: Ctx,
    Path(server): Path<String>,
    QueryOf(wanted): QueryOf<ToolQuery>,
) -> Result<Response, ApiError> {
    let tool = find(&ctx, &server, &wanted.tool).await?;
    let form = form_of(&tool);
    page(&ctx, tool, form, None).await
}

async fn page(
    ctx: &Ctx,
    tool: ToolView,
    form: OrderForm,
    tried: Option<Tried>,
) -> Result<Response, ApiError> {
    let resource = resource(ctx, &tool.server, &tool.name);
    let may_call = tool.state == "accepted" && ctx.may_call(&resource);
    let may_accept = matches!(tool.state.as_str(), "new" | "changed")
        && ctx.decide(Action::ToolAccept, &resource).allowed;
    let now = tool.definition.as_ref().or(tool.accepted_definition.as_ref());
    let lines = now.map(|now| difference::lines(tool.accepted_definition.as_ref(), now));
    let usage = servers::used(ctx, &tool.server).await?;
    let usage = usage.into_iter().find(|usage| usage.tool.as_deref() == Some(&tool.name));
    let mut shell = shell(ctx, "/gateway");
    name_ids(ctx, &mut shell, tool.accepted_by.iter().cloned().collect()).await?;
    let status = match &tried {
        Some(Tried::Problem(_)) => StatusCode::UNPROCESSABLE_ENTITY,
        _ => StatusCode::OK,
    };
    let page = ToolPage {
        shell,
        lines: lines.unwrap_or_default(),
        form: may_call.then_some(form),
        tried,
        usage,
        may_accept,
        tool,
    };
    html(status, &page)
}

/// The form by which a person accepts a tool.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AcceptForm {
    #[serde(rename = "csrf", default)]
    _csrf: String,
    tool: String,
    digest: String,
}

/// Accepts a tool as it was shown.
pub(crate) async fn accept(
    ctx: Ctx,
    Path(server): Path<String>,
    Form(form): Form<AcceptForm>,
) -> Result<Response, ApiError> {
    let body = ToolAccept { tool: form.tool.clone(), digest: form.digest };
    let accepted = tools::accept_one(&ctx, &server, body).await;
    match accepted {
        Ok(()) => {
            let query = query(&[("tool", &form.tool)]);
            Ok(see_other(&format!("/gateway/servers/{server}/tool{query}")))
        }
        Err(error) => {
            let problem = said(&error).ok_or(error)?;
            let tool = find(&ctx, &server, &form.tool).await?;
            let form = form_of(&tool);
            page(&ctx, tool, form, Some(Tried::Problem(problem))).await
        }
    }
}

/// Calls a tool with what was typed.
pub(crate) async fn call(
    ctx: Ctx,
    Path(server): Path<String>,
    Form(typed): Form<BTreeMap<String, String>>,
) -> Result<Response, ApiError> {
    let name = typed.get("tool").cloned().unwrap_or_default();
    let resource = resource(&ctx, &server, &name);
    if !ctx.may_call(&resource) {
        // Records the refusal, and answers as for any tool that is not there.
        ctx.authorise(Action::ToolCall, &resource).await?;
    }
    let tool = find(&ctx, &server, &name).await?;
    let mut form = form_of(&tool);
    let arguments = form.values(&typed).into_iter().collect();
    let body = ToolCallRequest { tool: name, arguments: Some(Value::Object(arguments)) };
    let tried = match call::run(&ctx, &server, body).await {
        Ok(result) => Tried::Answer(result),
        Err(ApiError { approval: Some(id), .. }) => Tried::Waits(id),
        Err(error) => Tried::Problem(problem(error)?),
    };
    page(&ctx, tool, form, Some(tried)).await
}

/// What to say of a call that was not made, or failed.
fn problem(error: ApiError) -> Result<String, ApiError> {
    match error.code {
        ErrorCode::ToolFailed | ErrorCode::Forbidden => {
            Ok(error.detail.unwrap_or_else(|| error.code.title().to_owned()))
        }
        _ => said(&error).ok_or(error),
    }
}
