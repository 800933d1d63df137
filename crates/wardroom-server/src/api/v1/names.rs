//! `GET /api/v1/names`

use super::super::input::QueryOf;
use crate::{context::Ctx, error::ApiError};
use axum::Json;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use wardroom_core::{Action, NodeId, Principal, UserId, action::Resource};
use wardroom_wire::{api::Names, error::Problem};

/// The most ids that are looked up at once.
pub(crate) const NAMES_MAX: usize = 200;

/// Whose names are asked for.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct NamesQuery {
    /// Ids of accounts and nodes, commas between them: at most 200.
    pub(crate) ids: String,
}

/// The names of accounts and nodes that other answers name by id, as far as the caller may know them.
#[utoipa::path(
    operation_id = "names",
    get, path = "/api/v1/names", tag = "account", params(NamesQuery),
    responses((status = 200, body = Names), (status = 422, body = Problem))
)]
pub(crate) async fn handler(
    ctx: Ctx,
    QueryOf(query): QueryOf<NamesQuery>,
) -> Result<Json<Names>, ApiError> {
    let ids: BTreeSet<&str> = query.ids.split(',').filter(|id| !id.is_empty()).collect();
    if ids.len() > NAMES_MAX {
        let why = format!("are more than {NAMES_MAX}: ask in parts");
        return Err(ApiError::field("ids", why));
    }
    Ok(Json(Names { names: load(&ctx, ids).await? }))
}

/// The names of these; those that the caller may not know are left out.
pub(crate) async fn load(
    ctx: &Ctx,
    ids: impl IntoIterator<Item = &str>,
) -> Result<BTreeMap<String, String>, ApiError> {
    let mut names = BTreeMap::new();
    for id in ids {
        if let Some(name) = name(ctx, id).await? {
            names.insert(id.to_owned(), name);
        }
    }
    Ok(names)
}

async fn name(ctx: &Ctx, id: &str) -> Result<Option<String>, ApiError> {
    let store = ctx.app.engine.store();
    if let Ok(node) = id.parse::<NodeId>() {
        let found = store.lookup_node(node).await?;
        let seen = found.filter(|node| ctx.decide(Action::NodeRead, &Resource::node(node)).allowed);
        return Ok(seen.map(|node| node.name));
    }
    let Ok(user) = id.parse::<UserId>() else { return Ok(None) };
    if let Principal::User { id, name, .. } = &ctx.principal
        && *id == user
    {
        return Ok(Some(name.clone()));
    }
    if !ctx.decide(Action::UserRead, &Resource::user(user)).allowed {
        return Ok(None);
    }
    match store.lookup_user(user).await? {
        Some(user) => Ok(Some(ctx.app.engine.profile(&user).await?.name)),
        None => Ok(None),
    }
}
