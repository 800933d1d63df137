//! `/nodes`

use super::{
    frame::{html, ids_of_runs, name_ids, see_other, shell},
    pages::{node::NodePage, nodes::NodesPage},
};
use crate::{
    api::{
        input::{PageQuery, QueryOf},
        v1::{nodes, runs},
    },
    context::Ctx,
    error::ApiError,
};
use axum::{Form, extract::Path, http::StatusCode, response::Response};
use serde::Deserialize;
use wardroom_core::Action;
use wardroom_wire::api::NodeDetail;

/// How many of its last runs a node's page shows.
const RUNS_SHOWN: u32 = 8;

/// All nodes.
pub(crate) async fn list(
    ctx: Ctx,
    QueryOf(query): QueryOf<PageQuery>,
) -> Result<Response, ApiError> {
    let later = query.after.is_some();
    let list = nodes::list::load(&ctx, query.after, query.limit).await?;
    html(StatusCode::OK, &NodesPage { shell: shell(&ctx, "/nodes"), list, later })
}

/// One node.
pub(crate) async fn show(ctx: Ctx, Path(id): Path<String>) -> Result<Response, ApiError> {
    let detail = nodes::get::load(&ctx, &id).await?;
    page(&ctx, detail, StatusCode::OK, None).await
}

async fn page(
    ctx: &Ctx,
    detail: NodeDetail,
    status: StatusCode,
    problem: Option<String>,
) -> Result<Response, ApiError> {
    let mut shell = shell(ctx, "/nodes");
    let query = runs::list::RunQuery {
        node: Some(detail.node.id.clone()),
        limit: Some(RUNS_SHOWN),
        ..Default::default()
    };
    let runs =
        if ctx.may(Action::RunList) { runs::list::load(ctx, query).await?.items } else { vec![] };
    name_ids(ctx, &mut shell, ids_of_runs(&runs)).await?;
    html(status, &NodePage { shell, detail, runs, problem })
}

/// Turns a node away.
pub(crate) async fn disable(ctx: Ctx, Path(id): Path<String>) -> Result<Response, ApiError> {
    let node = nodes::disable::act(&ctx, &id).await?;
    Ok(see_other(&format!("/nodes/{}", node.id)))
}

/// Lets a node in again.
pub(crate) async fn enable(ctx: Ctx, Path(id): Path<String>) -> Result<Response, ApiError> {
    let node = nodes::enable::act(&ctx, &id).await?;
    Ok(see_other(&format!("/nodes/{}", node.id)))
}

/// The wish to remove a node.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Removal {
    #[serde(rename = "csrf", default)]
    _csrf: String,
    confirm: String,
}

/// Forgets a node whose name was typed to confirm it.
pub(crate) async fn remove(
    ctx: Ctx,
    Path(id): Path<String>,
    Form(form): Form<Removal>,
) -> Result<Response, ApiError> {
    let detail = nodes::get::load(&ctx, &id).await?;
    if form.confirm.trim() != detail.node.name {
        let problem = "This is not the node’s name. Nothing was removed.".to_owned();
        return page(&ctx, detail, StatusCode::UNPROCESSABLE_ENTITY, Some(problem)).await;
    }
    nodes::remove::act(&ctx, &detail.node.id).await?;
    Ok(see_other("/nodes"))
}
