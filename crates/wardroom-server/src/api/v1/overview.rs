//! `GET /api/v1/overview`

use crate::{context::Ctx, error::ApiError, view};
use axum::Json;
use std::{collections::BTreeMap, time::Duration};
use wardroom_core::{
    Action, RunId, Timestamp,
    action::Resource,
    node::NodeState,
    page::{PAGE_ITEMS_MAX, PageRequest},
    run::RunState,
    store::{AuditFilter, RunFilter},
};
use wardroom_wire::{
    api::{AuditView, HourView, Overview, RunView},
    error::Problem,
};

/// How far back the overview looks.
const HOURS: i64 = 24;
/// How many failures and security events it shows.
const SHOWN_MAX: u32 = 8;
const HOUR_MICROS: i64 = 3_600_000_000;

/// How everything stands.
#[utoipa::path(
    operation_id = "overview",
    get, path = "/api/v1/overview", tag = "overview",
    responses((status = 200, body = Overview), (status = 403, body = Problem))
)]
pub(crate) async fn handler(ctx: Ctx) -> Result<Json<Overview>, ApiError> {
    load(&ctx).await.map(Json)
}

/// How everything stands.
pub(crate) async fn load(ctx: &Ctx) -> Result<Overview, ApiError> {
    ctx.authorise(Action::OverviewRead, &Resource::system()).await?;
    let store = ctx.app.engine.store();
    let now = ctx.now();
    let since = now.minus(Duration::from_secs(3600 * HOURS as u64));
    let runs = store.count_runs_by_state(since).await?;
    Ok(Overview {
        nodes: count_nodes(ctx, now).await?,
        runs: runs.into_iter().map(|(state, count)| (state.as_str().to_owned(), count)).collect(),
        hours: hours(ctx, now).await?,
        failures: failures(ctx).await?,
        security: security(ctx).await?,
    })
}

async fn count_nodes(ctx: &Ctx, now: Timestamp) -> Result<BTreeMap<String, u64>, ApiError> {
    let mut counts: BTreeMap<String, u64> =
        NodeState::ALL.iter().map(|state| (state.as_str().to_owned(), 0)).collect();
    let mut page = PageRequest::new(None, PAGE_ITEMS_MAX);
    loop {
        let found = ctx.app.engine.store().list_nodes(page).await?;
        for node in &found.items {
            *counts.entry(node.state(now).as_str().to_owned()).or_default() += 1;
        }
        match found.next {
            Some(after) => page = PageRequest::new(Some(after), PAGE_ITEMS_MAX),
            None => return Ok(counts),
        }
    }
}

/// Every hour of the last day, those without runs as well.
async fn hours(ctx: &Ctx, now: Timestamp) -> Result<Vec<HourView>, ApiError> {
    let this = now.as_micros().div_euclid(HOUR_MICROS);
    let first = this - HOURS + 1;
    let since = Timestamp::from_micros(first * HOUR_MICROS);
    let counts = ctx.app.engine.store().count_runs_by_hour(since).await?;
    let by_hour: BTreeMap<i64, _> = counts
        .iter()
        .map(|count| (count.hour.as_micros().div_euclid(HOUR_MICROS), count))
        .collect();
    Ok((first..=this)
        .map(|hour| {
            let count = by_hour.get(&hour);
            HourView {
                hour: Timestamp::from_micros(hour * HOUR_MICROS).to_string(),
                runs: count.map_or(0, |count| count.runs),
                failed: count.map_or(0, |count| count.failed),
            }
        })
        .collect())
}

async fn failures(ctx: &Ctx) -> Result<Vec<RunView>, ApiError> {
    let mut shown: Vec<RunView> = Vec::new();
    for state in RunState::ALL.iter().filter(|state| view::is_failure(**state)) {
        let filter = RunFilter { state: Some(*state), ..RunFilter::default() };
        let page = PageRequest::<RunId>::new(None, SHOWN_MAX);
        for run in ctx.app.engine.store().list_runs(&filter, page).await?.items {
            if ctx.decide(Action::RunRead, &ctx.run_resource(&run).await?).allowed {
                shown.push(view::run(ctx, &run).await?);
            }
        }
    }
    shown.sort_by(|a, b| b.queued_at.cmp(&a.queued_at));
    shown.truncate(SHOWN_MAX as usize);
    Ok(shown)
}

/// What happened to accounts, tokens and nodes, for those who may read the log.
async fn security(ctx: &Ctx) -> Result<Vec<AuditView>, ApiError> {
    if !ctx.may(Action::AuditRead) {
        return Ok(vec![]);
    }
    let mut shown = Vec::new();
    for action in ["auth.", "node.", "join_token.", "token.", "user."] {
        let filter = AuditFilter { action: Some(action.to_owned()), ..AuditFilter::default() };
        let page = PageRequest::new(None, SHOWN_MAX);
        for entry in ctx.app.engine.store().list_audit(&filter, page).await?.items {
            shown.push(view::audit(ctx, &entry).await?);
        }
    }
    shown.sort_by_key(|record| std::cmp::Reverse(record.index));
    shown.truncate(SHOWN_MAX as usize);
    Ok(shown)
}
