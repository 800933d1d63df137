//! `/api/v1/account/tool-servers`: one's own accounts at tool servers

use crate::{context::Ctx, error::ApiError};
use axum::{Json, extract::Path, http::StatusCode};
use wardroom_core::{
    Action, UserId,
    action::Resource,
    tool::{account::ToolAccount, server::ToolServer},
};
use wardroom_gateway::upstream::{AccountAnswer, Failure, Problem as NoToken};
use wardroom_wire::{
    api::List,
    error::{ErrorCode, Problem},
    tools::{ToolAccountBegun, ToolAccountView},
};

/// Tool servers that want your account, and where it is connected.
#[utoipa::path(
    operation_id = "tool_accounts_list",
    get, path = "/api/v1/account/tool-servers", tag = "account",
    responses((status = 200, body = List<ToolAccountView>))
)]
pub(crate) async fn list(ctx: Ctx) -> Result<Json<List<ToolAccountView>>, ApiError> {
    load(&ctx).await.map(Json)
}

/// Tool servers that want one's account.
pub(crate) async fn load(ctx: &Ctx) -> Result<List<ToolAccountView>, ApiError> {
    let user = ctx.account().id;
    ctx.authorise(Action::ToolAccountList, &Resource::user(user)).await?;
    let accounts = ctx.app.gateway.registry.accounts(user).await?;
    // One that is connected may always be seen: it is one's own.
    let open = accounts.iter().filter(|(server, own)| own.is_some() || is_open(ctx, &server.name));
    Ok(List { items: open.map(|(server, own)| view(server, own.as_ref())).collect(), next: None })
}

fn view(server: &ToolServer, own: Option<&ToolAccount>) -> ToolAccountView {
    ToolAccountView {
        server: server.name.clone(),
        about: server.about.clone(),
        connected: own.is_some(),
        issuer: own.map(|own| own.issuer.clone()),
        scopes: own.map(|own| own.scopes.clone()).unwrap_or_default(),
        connected_at: own.map(|own| own.connected_at.to_string()),
    }
}

/// Whether one may know of a tool server: who may look after it, or call one of its tools.
fn is_open(ctx: &Ctx, server: &str) -> bool {
    let Some(known) = ctx.app.gateway.registry.server(server) else { return false };
    let tools = known.tools();
    let tool = |name: &String| tools.get(name).map(|tool| Resource::tool(server, name, tool.hints));
    ctx.may(Action::ToolServerRead) || tools.keys().filter_map(tool).any(|tool| ctx.may_call(&tool))
}

/// Connect your account at a tool server: gives the address where you let the gateway use it.
#[utoipa::path(
    operation_id = "tool_accounts_connect",
    post, path = "/api/v1/account/tool-servers/{name}/connect", tag = "account",
    params(("name" = String, Path)),
    responses((status = 200, body = ToolAccountBegun), (status = 404, body = Problem), (status = 502, body = Problem))
)]
pub(crate) async fn connect(
    ctx: Ctx,
    Path(name): Path<String>,
) -> Result<Json<ToolAccountBegun>, ApiError> {
    begin(&ctx, &name).await.map(|url| Json(ToolAccountBegun { url }))
}

/// Where somebody goes to connect their account.
pub(crate) async fn begin(ctx: &Ctx, name: &str) -> Result<String, ApiError> {
    let user = ctx.account().id;
    ctx.authorise(Action::ToolAccountConnect, &Resource::user(user)).await?;
    if !is_open(ctx, name) {
        return Err(ApiError::not_found());
    }
    Ok(ctx.app.gateway.registry.begin_account(name, user).await?)
}

/// Takes an authorization server's answer; the tool server's name.
pub(crate) async fn finish(ctx: &Ctx, answer: AccountAnswer) -> Result<String, ApiError> {
    let user = ctx.account().id;
    let allowed = ctx.authorise(Action::ToolAccountConnect, &Resource::user(user)).await?;
    let finished = ctx.app.gateway.registry.finish_account(user, answer, allowed.draft(ctx)).await;
    finished.map_err(|failure| match failure {
        Failure::Internal(why) => ApiError::internal(std::io::Error::other(why)),
        failure => ApiError::say(ErrorCode::AuthorizationFailed, failure.to_string()),
    })
}

/// Let go of your account at a tool server. Its tokens are forgotten here; what the authorization server keeps is its own.
#[utoipa::path(
    operation_id = "tool_accounts_remove",
    delete, path = "/api/v1/account/tool-servers/{name}", tag = "account", params(("name" = String, Path)),
    responses((status = 204), (status = 404, body = Problem))
)]
pub(crate) async fn remove(ctx: Ctx, Path(name): Path<String>) -> Result<StatusCode, ApiError> {
    disconnect(&ctx, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lets go of one.
pub(crate) async fn disconnect(ctx: &Ctx, name: &str) -> Result<(), ApiError> {
    let user: UserId = ctx.account().id;
    let allowed = ctx.authorise(Action::ToolAccountRemove, &Resource::user(user)).await?;
    let server = ctx.app.engine.store().lookup_tool_server(name).await?;
    let server = server.ok_or_else(ApiError::not_found)?;
    let gone = ctx.app.gateway.registry.disconnect(&server, user, allowed.draft(ctx)).await?;
    if gone { Ok(()) } else { Err(ApiError::not_found()) }
}

impl From<NoToken> for ApiError {
    fn from(problem: NoToken) -> Self {
        Self::say(ErrorCode::AuthorizationFailed, problem.to_string())
    }
}
