//! `GET /api/v1/security/connections`

use crate::{context::Ctx, error::ApiError};
use axum::Json;
use std::{collections::BTreeMap, net::IpAddr, sync::PoisonError};
use wardroom_core::{Action, action::Resource};
use wardroom_wire::security::{ConnectionView, ConnectionsView};

/// Open connections by network, most first, and the bounds.
#[utoipa::path(
    operation_id = "security_connections",
    get, path = "/api/v1/security/connections", tag = "security",
    responses((status = 200, body = ConnectionsView))
)]
pub(crate) async fn handler(ctx: Ctx) -> Result<Json<ConnectionsView>, ApiError> {
    load(&ctx).await.map(Json)
}

/// Open connections.
pub(crate) async fn load(ctx: &Ctx) -> Result<ConnectionsView, ApiError> {
    ctx.authorise(Action::SecurityRead, &Resource::system()).await?;
    let mut counts: BTreeMap<IpAddr, usize> = BTreeMap::new();
    let listeners = ctx.app.connections.lock().unwrap_or_else(PoisonError::into_inner).clone();
    for listener in listeners {
        for (network, count) in listener.taken() {
            *counts.entry(network).or_default() += count;
        }
    }
    let mut items: Vec<ConnectionView> = counts
        .into_iter()
        .map(|(network, connections)| ConnectionView { network: network.to_string(), connections })
        .collect();
    items.sort_by_key(|view| std::cmp::Reverse(view.connections));
    let limits = &ctx.app.limits;
    Ok(ConnectionsView {
        connections: items.iter().map(|view| view.connections).sum(),
        connections_max: limits.connections_max,
        connections_per_address_max: limits.connections_per_address_max,
        node_links: ctx.app.engine.links_open(),
        networks: items,
    })
}
