//! `/gateway`

use super::super::{
    frame::{errors_of, html, name_ids, see_other, shell, words},
    pages::gateway::{
        map::Map,
        overview::{GatewayPage, ServerDialog},
    },
};
use crate::{
    api::{
        input::QueryOf,
        v1::{
            mcp_connections, nodes,
            tool_servers::{create, list, usage},
        },
    },
    context::Ctx,
    error::ApiError,
};
use axum::{Form, extract::Path, http::StatusCode, response::Response};
use serde::Deserialize;
use std::collections::BTreeMap;
use wardroom_core::{
    Action,
    tool::server::{ABOUT_CHARS_MAX, NAME_CHARS_MAX},
};
use wardroom_wire::tools::{
    OauthPartyShape, ShownShape, ToolServerCreate, ToolServerView, WayShape,
};

/// The fields that the dialog shows errors beside.
const FIELDS: [&str; 14] = [
    "name",
    "about",
    "url",
    "way",
    "secret",
    "header",
    "node",
    "entry",
    "environment",
    "shown",
    "issuer",
    "client",
    "scopes",
    "egress",
];

/// Which dialog is open.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct GatewayQuery {
    /// `1` for a new tool server.
    new: String,
    /// The node that is to start it.
    node: String,
    /// The entry in the node's allow-list.
    entry: String,
}

/// The gateway as a whole.
pub(crate) async fn page(
    ctx: Ctx,
    QueryOf(query): QueryOf<GatewayQuery>,
) -> Result<Response, ApiError> {
    let dialog = match (query.new.as_str(), query.node.as_str()) {
        ("1", "") => Some(ServerDialog::default()),
        ("1", node) => Some(of_node(&ctx, node, &query.entry).await?),
        _ => None,
    };
    show(&ctx, StatusCode::OK, dialog).await
}

/// The dialog for what a node offers, with the variables that it wants secrets in.
async fn of_node(ctx: &Ctx, node: &str, entry: &str) -> Result<ServerDialog, ApiError> {
    let detail = nodes::get::load(ctx, node).await?;
    let offered = detail.catalogue.tool_servers.iter().find(|server| server.name == entry);
    let offered = offered.ok_or_else(ApiError::not_found)?;
    Ok(ServerDialog {
        name: offered.name.replace('_', "-").chars().take(NAME_CHARS_MAX).collect(),
        about: offered.description.chars().take(ABOUT_CHARS_MAX).collect(),
        node: detail.node.id,
        entry: offered.name.clone(),
        environment: offered.secrets.iter().map(|name| format!("{name}=\n")).collect(),
        ..ServerDialog::default()
    })
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
    let node = dialog.iter().map(|dialog| dialog.node.clone()).filter(|node| !node.is_empty());
    let mut ids: Vec<String> = node.collect();
    ids.extend(map.callers.iter().map(|caller| caller.user.clone()));
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
    node: String,
    entry: String,
    environment: String,
    tokens: String,
    issuer: String,
    client: String,
    scopes: String,
    egress: String,
}

impl New {
    /// The client that the gateway is at an authorization server, where that is told.
    fn client(&self) -> Option<OauthPartyShape> {
        let (issuer, id) = (self.issuer.trim(), self.client.trim());
        let secret = Some(self.secret.trim().to_owned()).filter(|secret| !secret.is_empty());
        let told = !(issuer.is_empty() && id.is_empty());
        told.then(|| OauthPartyShape { issuer: issuer.to_owned(), id: id.to_owned(), secret })
    }

    fn way(&self) -> WayShape {
        match self.node.trim() {
            "" => WayShape::Http { url: self.url.trim().to_owned(), egress: words(&self.egress) },
            node => WayShape::Node { node: node.to_owned(), entry: self.entry.trim().to_owned() },
        }
    }

    fn shown(&self) -> Result<ShownShape, ApiError> {
        let mut secrets = BTreeMap::new();
        for line in self.environment.lines().filter(|line| !line.trim().is_empty()) {
            let wrong = || ApiError::field("environment", "each line must be VARIABLE=secret");
            let (name, secret) = line.split_once('=').ok_or_else(wrong)?;
            // A variable without a secret is one that is not to be set.
            if !secret.trim().is_empty() {
                secrets.insert(name.trim().to_owned(), secret.trim().to_owned());
            }
        }
        let scopes = self.scopes.split_whitespace().map(str::to_owned).collect();
        match self.tokens.as_str() {
            "client" => {
                let missing = || ApiError::field("issuer", "must be told, and so must the client");
                let client = self.client().ok_or_else(missing)?;
                return Ok(ShownShape::Client { client, scopes });
            }
            "account" => return Ok(ShownShape::Account { client: self.client(), scopes }),
            _ => {}
        }
        let secret = self.secret.trim().to_owned();
        Ok(match (secrets.is_empty(), secret.is_empty(), self.header.trim()) {
            (false, ..) => ShownShape::Environment { secrets },
            (true, true, _) => ShownShape::Nothing,
            (true, false, "") => ShownShape::Bearer { secret },
            (true, false, name) => ShownShape::Header { name: name.to_owned(), secret },
        })
    }
}

async fn add(ctx: &Ctx, form: &New) -> Result<ToolServerView, ApiError> {
    let body = ToolServerCreate {
        name: form.name.trim().to_owned(),
        about: form.about.clone(),
        way: form.way(),
        shown: form.shown()?,
        limits: Default::default(),
    };
    create::add(ctx, body).await
}

/// Registers one.
pub(crate) async fn create(ctx: Ctx, Form(form): Form<New>) -> Result<Response, ApiError> {
    match add(&ctx, &form).await {
        Ok(server) => Ok(see_other(&format!("/gateway/servers/{}", server.name))),
        Err(error) => {
            let errors = errors_of(error, &FIELDS)?;
            let New { name, about, url, secret, header, node, entry, environment, .. } = form;
            let New { tokens, issuer, client, scopes, egress, .. } = form;
            let dialog = ServerDialog {
                name,
                about,
                url,
                node,
                entry,
                environment,
                secret,
                header,
                tokens,
                issuer,
                client,
                scopes,
                egress,
                errors,
            };
            show(&ctx, StatusCode::UNPROCESSABLE_ENTITY, Some(dialog)).await
        }
    }
}

/// Ends a connection or a session.
pub(crate) async fn disconnect(ctx: Ctx, Path(id): Path<String>) -> Result<Response, ApiError> {
    mcp_connections::disconnect(&ctx, &id).await?;
    Ok(see_other("/gateway"))
}
