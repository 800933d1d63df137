//! `/approvals`

use super::{
    frame::{html, name_ids, said, see_other, shell},
    pages::{
        approvals::{ApprovalPage, ApprovalsPage},
        format::glance,
    },
};
use crate::{
    api::{
        input::QueryOf,
        v1::{
            approvals::{self, ApprovalQuery},
            runs,
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
    action::Resource,
    approval::{Approval, ApprovalState},
};
use wardroom_wire::{api::List, approvals::ApprovalView, error::ErrorCode};

/// What of sealed arguments is opened for a list, in bytes.
const GLANCE_BYTES_MAX: usize = 16 * 1024;

/// A person's decision, as the form sends it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DecisionForm {
    #[serde(rename = "csrf", default)]
    _csrf: String,
    #[serde(default)]
    reason: String,
}

/// The ids that approvals show.
fn ids_of<'a>(approvals: impl IntoIterator<Item = &'a ApprovalView>) -> Vec<String> {
    let ids = |view: &ApprovalView| [Some(view.user.clone()), view.decided_by.clone()];
    approvals.into_iter().flat_map(ids).flatten().collect()
}

/// Approvals, newest first; those that wait where nothing else is asked for.
pub(crate) async fn list(
    ctx: Ctx,
    QueryOf(mut query): QueryOf<ApprovalQuery>,
) -> Result<Response, ApiError> {
    let state = query.state.clone().unwrap_or_else(|| "waiting".to_owned());
    query.state = Some(state.clone()).filter(|state| !state.is_empty() && state != "any");
    let (mine, later) = (query.mine, query.after.is_some());
    let mut shell = shell(&ctx, "/approvals");
    let (status, (found, next), problem) = match approvals::find_all(&ctx, query).await {
        Ok(found) => (StatusCode::OK, found, None),
        Err(error) => {
            let problem = Some(said(&error).ok_or(error)?);
            (StatusCode::UNPROCESSABLE_ENTITY, (vec![], None), problem)
        }
    };
    let items = found.iter().map(|approval| approvals::view(&ctx, approval)).collect();
    let list = List { items, next };
    name_ids(&ctx, &mut shell, ids_of(&list.items)).await?;
    let glances = glances(&ctx, &found).await;
    html(status, &ApprovalsPage { shell, list, glances, state, mine, later, problem })
}

/// What tells approvals that wait from others like them, by their ids. One that can't be shown spoils no list.
async fn glances(ctx: &Ctx, approvals: &[Approval]) -> BTreeMap<String, String> {
    let mut glances = BTreeMap::new();
    let now = ctx.now();
    let waiting = |approval: &&Approval| {
        approval.state(now) == ApprovalState::Waiting
            && approval.arguments.len() <= GLANCE_BYTES_MAX
    };
    for approval in approvals.iter().filter(waiting) {
        let id = approval.id.to_string();
        match approvals::arguments(ctx, approval).await {
            Ok(Some(about)) => {
                let given = approval.run.and_then(|_| about.get("parameters"));
                glances.insert(id, glance(given.unwrap_or(&about)));
            }
            Ok(None) => {}
            Err(error) => tracing::warn!(approval = id, ?error, "it can't be shown what waits"),
        }
    }
    glances
}

/// One approval.
pub(crate) async fn show(ctx: Ctx, Path(id): Path<String>) -> Result<Response, ApiError> {
    page(&ctx, &id, None).await
}

/// The page of an approval, with what went wrong with a decision.
async fn page(ctx: &Ctx, id: &str, problem: Option<String>) -> Result<Response, ApiError> {
    let detail = approvals::detail(ctx, id).await?;
    let run = match &detail.approval.run {
        Some(run) => match runs::get::load(ctx, run).await {
            Ok(run) => Some(run),
            // Whoever decides need not be one who may read the run.
            Err(error) if error.code == ErrorCode::NotFound => None,
            Err(error) => return Err(error),
        },
        None => None,
    };
    let mut shell = shell(ctx, "/approvals");
    let mut ids = ids_of([&detail.approval]);
    ids.extend(run.as_ref().and_then(|run| run.node.clone()));
    name_ids(ctx, &mut shell, ids).await?;
    let found = approvals::find(ctx, id).await?;
    let may_decide = ctx.decide(Action::ApprovalDecide, &Resource::approval(&found)).allowed;
    let status = match problem {
        Some(_) => StatusCode::UNPROCESSABLE_ENTITY,
        None => StatusCode::OK,
    };
    html(status, &ApprovalPage { shell, detail, run, may_decide, problem })
}

/// Consents.
pub(crate) async fn approve(
    ctx: Ctx,
    Path(id): Path<String>,
    Form(form): Form<DecisionForm>,
) -> Result<Response, ApiError> {
    decide(&ctx, &id, true, &form).await
}

/// Says no.
pub(crate) async fn deny(
    ctx: Ctx,
    Path(id): Path<String>,
    Form(form): Form<DecisionForm>,
) -> Result<Response, ApiError> {
    decide(&ctx, &id, false, &form).await
}

async fn decide(
    ctx: &Ctx,
    id: &str,
    approved: bool,
    form: &DecisionForm,
) -> Result<Response, ApiError> {
    match approvals::decide(ctx, id, approved, &form.reason).await {
        Ok(view) => Ok(see_other(&format!("/approvals/{}", view.id))),
        Err(error) => {
            let problem = said(&error).ok_or(error)?;
            page(ctx, id, Some(problem)).await
        }
    }
}
