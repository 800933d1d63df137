//! `/tool-accounts`: one's own accounts at tool servers

use super::{
    frame::{html, see_other, shell},
    grants::onward,
    pages::tool_accounts::ToolAccountsPage,
};
use crate::{
    api::{input::QueryOf, v1::account::tool_accounts},
    context::Ctx,
    error::ApiError,
};
use axum::{
    extract::{Path, RawQuery},
    http::StatusCode,
    response::Response,
};
use serde::Deserialize;
use wardroom_core::tool::server::is_name;
use wardroom_gateway::upstream::AccountAnswer;

/// What just happened.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ListQuery {
    /// The tool server at which an account was connected.
    connected: String,
}

/// All of them.
pub(crate) async fn list(
    ctx: Ctx,
    QueryOf(query): QueryOf<ListQuery>,
) -> Result<Response, ApiError> {
    let accounts = tool_accounts::load(&ctx).await?.items;
    let connected =
        accounts.iter().any(|account| account.connected && account.server == query.connected);
    let connected = if connected { query.connected } else { String::new() };
    let shell = shell(&ctx, "/account");
    html(StatusCode::OK, &ToolAccountsPage { shell, accounts, connected })
}

/// Leads to where somebody lets the gateway use their account.
pub(crate) async fn connect(ctx: Ctx, Path(name): Path<String>) -> Result<Response, ApiError> {
    let way = tool_accounts::begin(&ctx, &name).await?;
    onward(&name, &way)
}

/// Where authorization servers send people back to. A page, not a redirection: on the way from another site, a
/// browser does not send the session's cookie, which is for this site alone.
pub(crate) async fn callback(
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    if !is_name(&name) {
        return Err(ApiError::not_found());
    }
    onward("Wardroom", &format!("/tool-accounts/{name}/finish?{}", query.unwrap_or_default()))
}

/// Takes the answer.
pub(crate) async fn finish(
    ctx: Ctx,
    Path(server): Path<String>,
    QueryOf(answer): QueryOf<AccountAnswer>,
) -> Result<Response, ApiError> {
    let server = tool_accounts::finish(&ctx, AccountAnswer { server, ..answer }).await?;
    Ok(see_other(&format!("/tool-accounts?connected={server}")))
}

/// Lets go of one.
pub(crate) async fn remove(ctx: Ctx, Path(name): Path<String>) -> Result<Response, ApiError> {
    tool_accounts::disconnect(&ctx, &name).await?;
    Ok(see_other("/tool-accounts"))
}
