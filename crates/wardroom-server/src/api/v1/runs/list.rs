//! `GET /api/v1/runs`

use super::super::super::input::{QueryOf, filter, page};
use crate::{context::Ctx, error::ApiError, view};
use axum::Json;
use serde::Deserialize;
use wardroom_core::{Action, action::Resource, action::ResourceKind, store::RunFilter};
use wardroom_wire::api::{List, RunView};

/// Which runs are wanted.
#[derive(Debug, Clone, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct RunQuery {
    /// In this state.
    pub(crate) state: Option<String>,
    /// On this node, by id or name.
    pub(crate) node: Option<String>,
    /// Of this command.
    pub(crate) command: Option<String>,
    /// Dead letters only.
    pub(crate) dead_letter: bool,
    /// The caller's own only.
    pub(crate) mine: bool,
    /// Children of this run; without it, no children are listed.
    pub(crate) parent: Option<String>,
    /// For this service request.
    pub(crate) request: Option<String>,
    /// Continue behind this run.
    pub(crate) after: Option<String>,
    /// At most so many, 1 to 200.
    #[param(minimum = 1, maximum = 200)]
    pub(crate) limit: Option<u32>,
}

/// Runs, newest first. Others' runs are left out where reading them is not allowed.
#[utoipa::path(
    operation_id = "runs_list",
    get, path = "/api/v1/runs", tag = "runs", params(RunQuery),
    responses((status = 200, body = List<RunView>))
)]
pub(crate) async fn handler(
    ctx: Ctx,
    QueryOf(query): QueryOf<RunQuery>,
) -> Result<Json<List<RunView>>, ApiError> {
    load(&ctx, query).await.map(Json)
}

/// Runs, newest first.
pub(crate) async fn load(ctx: &Ctx, query: RunQuery) -> Result<List<RunView>, ApiError> {
    ctx.authorise(Action::RunList, &Resource::system()).await?;
    let user = ctx.user()?;
    // Where policy lets the caller read nobody's runs but their own, the store is asked for those only.
    let anyones = ctx.decide(Action::RunRead, &Resource::new(ResourceKind::Run, "any")).allowed;
    let node = match query.node.as_deref().filter(|node| !node.is_empty()) {
        Some(node) => {
            let node = super::super::nodes::find(ctx, node).await?;
            if !ctx.decide(Action::NodeRead, &Resource::node(&node)).allowed {
                return Err(ApiError::not_found());
            }
            Some(node.id)
        }
        None => None,
    };
    let parent = filter("parent", query.parent.as_deref())?;
    let wanted = RunFilter {
        state: filter("state", query.state.as_deref())?,
        node,
        command: query.command.filter(|command| !command.is_empty()),
        submitted_by: (query.mine || !anyones).then_some(user),
        parent,
        request: filter("request", query.request.as_deref())?,
        dead_letter: query.dead_letter,
        top_level: parent.is_none(),
    };
    let page = page(query.after.as_deref(), query.limit)?;
    let found = ctx.app.engine.store().list_runs(&wanted, page).await?;
    let mut items = Vec::with_capacity(found.items.len());
    for run in &found.items {
        if ctx.decide(Action::RunRead, &ctx.run_resource(run).await?).allowed {
            items.push(view::run(ctx, run).await?);
        }
    }
    Ok(List { items, next: found.next.map(|id| id.to_string()) })
}
