//! `/runs`

use super::{
    agent_runs,
    frame::{html, ids_of_records, ids_of_runs, name_ids, said, see_other, shell},
    pages::{
        run::{OutputView, RunPage},
        runs::{RunFilters, RunsPage},
    },
};
use crate::{
    api::{
        input::QueryOf,
        v1::{
            audit::{self, list::AuditQuery},
            runs::{self, list::RunQuery},
        },
    },
    context::Ctx,
    error::ApiError,
};
use axum::{extract::Path, http::StatusCode, response::Response};
use wardroom_core::{Action, page::PAGE_ITEMS_MAX};
use wardroom_wire::{
    api::{List, RunView},
    error::ErrorCode,
};

/// How many of its audit records a run's page shows.
const RECORDS_SHOWN: u32 = 50;

/// Runs, newest first.
pub(crate) async fn list(
    ctx: Ctx,
    QueryOf(query): QueryOf<RunQuery>,
) -> Result<Response, ApiError> {
    let filters = RunFilters {
        state: query.state.clone().unwrap_or_default(),
        node: query.node.clone().unwrap_or_default(),
        command: query.command.clone().unwrap_or_default(),
        dead_letter: query.dead_letter,
        mine: query.mine,
        later: query.after.is_some(),
    };
    let mut shell = shell(&ctx, "/runs");
    let (status, list, problem) = match runs::list::load(&ctx, query).await {
        Ok(list) => (StatusCode::OK, list, None),
        Err(error) => {
            let problem = refusal(error, &filters)?;
            (StatusCode::UNPROCESSABLE_ENTITY, List { items: vec![], next: None }, Some(problem))
        }
    };
    name_ids(&ctx, &mut shell, ids_of_runs(&list.items)).await?;
    html(status, &RunsPage { shell, list, filters, problem })
}

/// What is wrong with the filters; another error is given back.
fn refusal(error: ApiError, filters: &RunFilters) -> Result<String, ApiError> {
    if error.code == ErrorCode::NotFound && !filters.node.is_empty() {
        return Ok(format!("No node has the name or id {}.", filters.node));
    }
    said(&error).ok_or(error)
}

/// One run.
pub(crate) async fn show(ctx: Ctx, Path(id): Path<String>) -> Result<Response, ApiError> {
    let view = runs::get::load(&ctx, &id).await?;
    if view.agent_version.is_some() {
        return agent_runs::show(&ctx, view).await;
    }
    let resource = ctx.run_resource(&runs::find(&ctx, &id).await?).await?;
    let may = |action: Action| ctx.decide(action, &resource).allowed;
    let mut page = RunPage::new(shell(&ctx, "/runs"), view);
    page.may_cancel = may(Action::RunCancel);
    page.may_replay = may(Action::RunReplay) && ctx.may(Action::RunSubmit);
    if may(Action::RunOutput) && !page.run.all {
        page.output = Some(OutputView::new(&runs::output::load(&ctx, &id, None).await?));
    }
    if page.run.all && ctx.may(Action::RunList) {
        page.children = children(&ctx, &page.run).await?;
    }
    if ctx.may(Action::AuditRead) {
        let query = AuditQuery {
            target: Some(page.run.id.clone()),
            limit: Some(RECORDS_SHOWN),
            ..Default::default()
        };
        let mut records = audit::list::load(&ctx, query).await?.items;
        records.reverse();
        page.records = Some(records);
    }
    let ids = [
        ids_of_runs([&page.run]),
        ids_of_runs(&page.children),
        ids_of_records(page.records.iter().flatten()),
    ];
    name_ids(&ctx, &mut page.shell, ids.concat()).await?;
    html(StatusCode::OK, &page)
}

async fn children(ctx: &Ctx, run: &RunView) -> Result<Vec<RunView>, ApiError> {
    let query = RunQuery {
        parent: Some(run.id.clone()),
        limit: Some(PAGE_ITEMS_MAX),
        ..Default::default()
    };
    Ok(runs::list::load(ctx, query).await?.items)
}

/// Asks for a run to stop.
pub(crate) async fn cancel(ctx: Ctx, Path(id): Path<String>) -> Result<Response, ApiError> {
    let run = runs::cancel::act(&ctx, &id).await?;
    Ok(see_other(&agent_runs::page_of(&ctx, &run)?))
}

/// Submits a dead run anew and goes to the new one.
pub(crate) async fn replay(ctx: Ctx, Path(id): Path<String>) -> Result<Response, ApiError> {
    let run = runs::replay::act(&ctx, &id).await?;
    Ok(see_other(&format!("/runs/{}", run.id)))
}
