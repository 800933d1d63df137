//! `/gateway`

use super::super::{
    frame::{errors_of, html, name_ids, see_other, shell},
    pages::gateway::{
        map::Map,
        overview::{GatewayPage, ServerDialog},
    },
};
use crate::{
    api::{
        input::QueryOf,
        v1::{
            mcp_connections,
            tool_servers::{create, list, usage},
        },
    },
    context::Ctx,
    error::ApiError,
};
use axum::{Form, extract::Path, http::StatusCode, response::Response};
use serde::Deserialize;
use wardroom_core::Action;
use wardroom_wire::tools::{ShownShape, ToolServerCreate, WayShape};

/// The fields that the dialog shows errors beside.
const FIELDS: [&str; 6] = ["name", "about", "url", "way", "secret", "header"];

/// Which dialog is open.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct GatewayQuery {
    /// `1` for a new tool server.
    new: String,
}

/// The gateway as a whole.
pub(crate) async fn page(
    ctx: Ctx,
    QueryOf(query): QueryOf<GatewayQuery>,
) -> Result<Response, ApiError> {
    let dialog = (query.new == "1").then(ServerDialog::default);
    show(&ctx, StatusCode::OK, dialog).await
}

async fn show(
    ctx: &Ctx,
    status: StatusCode,
    dialog: Option<ServerDialog>,
) -> Result<Response, ApiError> {
    let servers = list::load(ctx).await?.items;
    let query = usage::UsageQuery {
        by: Some("flow".to_owned()),
        hours: Some(1),
        ..usage::UsageQuery::default()
    };
    let flows = usage::load(ctx, query).await?.items;
    let connections = match ctx.may(Action::SecurityRead) {
        true => Some(mcp_connections::load(ctx).await?.items),
        false => None,
    };
    let map = Map::new(&servers, &flows);
    let mut shell = shell(ctx, "/gateway");
    let mut ids: Vec<String> = map.callers.iter().map(|caller| caller.user.clone()).collect();
    ids.extend(connections.iter().flatten().map(|connection| connection.user.clone()));
    name_ids(ctx, &mut shell, ids).await?;
    html(status, &GatewayPage { shell, map, servers, connections, dialog })
}

/// The form of a new tool server.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct New {
    #[serde(rename = "csrf")]
    _csrf: String,
    name: String,
    about: String,
    url: String,
    secret: String,
    header: String,
}

/// Registers one.
pub(crate) async fn create(ctx: Ctx, Form(form): Form<New>) -> Result<Response, ApiError> {
    let secret = form.secret.trim().to_owned();
    let shown = match (secret.is_empty(), form.header.trim()) {
        (true, _) => ShownShape::Nothing,
        (false, "") => ShownShape::Bearer { secret },
        (false, name) => ShownShape::Header { name: name.to_owned(), secret },
    };
    let body = ToolServerCreate {
        name: form.name.trim().to_owned(),
        about: form.about.clone(),
        way: WayShape::Http { url: form.url.trim().to_owned() },
        shown,
        limits: Default::default(),
    };
    match create::add(&ctx, body).await {
        Ok(server) => Ok(see_other(&format!("/gateway/servers/{}", server.name))),
        Err(error) => {
            let errors = errors_of(error, &FIELDS)?;
            let New { name, about, url, secret, header, .. } = form;
            let dialog = ServerDialog { name, about, url, secret, header, errors };
            show(&ctx, StatusCode::UNPROCESSABLE_ENTITY, Some(dialog)).await
        }
    }
}

/// Ends a connection or a session.
pub(crate) async fn disconnect(ctx: Ctx, Path(id): Path<String>) -> Result<Response, ApiError> {
    mcp_connections::disconnect(&ctx, &id).await?;
    Ok(see_other("/gateway"))
}
