//! `/api/v1/budgets`

use super::{
    super::input::{Json, filter, id},
    models::dollars,
};
use crate::{context::Ctx, error::ApiError};
use axum::{extract::Path, http::StatusCode};
use wardroom_core::{
    Action, BudgetId,
    action::Resource,
    model::{Budget, BudgetUse},
};
use wardroom_engine::models::BudgetBounds;
use wardroom_wire::{
    api::List,
    error::Problem,
    models::{BudgetCreate, BudgetPut, BudgetUseView, BudgetView},
};

/// Those whose use is shown with a budget.
const USES_SHOWN_MAX: u32 = 20;

async fn view(ctx: &Ctx, budget: &Budget) -> Result<BudgetView, ApiError> {
    let period = budget.period.began(ctx.now());
    let store = ctx.app.engine.store();
    let used = store.list_budget_use(budget.id, period, USES_SHOWN_MAX).await?;
    Ok(BudgetView {
        id: budget.id.to_string(),
        about: budget.about.clone(),
        scope: budget.scope.as_str().to_owned(),
        subject: budget.subject.clone(),
        period: budget.period.as_str().to_owned(),
        tokens_max: budget.tokens_max,
        cost_usd_max: budget.cost_micros_max.map(dollars),
        alert_percent: budget.alert_percent,
        version: budget.version,
        used: used.iter().map(|used| used_view(budget, used)).collect(),
    })
}

fn used_view(budget: &Budget, used: &BudgetUse) -> BudgetUseView {
    BudgetUseView {
        subject: used.subject.clone(),
        tokens: used.spent.tokens,
        tokens_held: used.held.tokens,
        cost_usd: dollars(used.spent.cost_micros),
        cost_usd_held: dollars(used.held.cost_micros),
        percent: budget.percent(used.all()),
    }
}

/// Dollars as millionths of a dollar, rounded down: a bound is never wider than it says.
fn micros(dollars: Option<f64>) -> Result<Option<u64>, ApiError> {
    let sound = |dollars: f64| {
        let micros = (dollars * 1e6).floor();
        let fits = micros.is_finite() && (0.0..=1e15).contains(&micros);
        fits.then_some(micros as u64)
            .ok_or_else(|| ApiError::field("cost_usd_max", "must be 0 or more US dollars"))
    };
    dollars.map(sound).transpose()
}

/// What language models may take, with what is used of it now.
#[utoipa::path(
    operation_id = "budgets_list",
    get, path = "/api/v1/budgets", tag = "models",
    responses((status = 200, body = List<BudgetView>))
)]
pub(crate) async fn list(ctx: Ctx) -> Result<axum::Json<List<BudgetView>>, ApiError> {
    load(&ctx).await.map(axum::Json)
}

/// Budgets.
pub(crate) async fn load(ctx: &Ctx) -> Result<List<BudgetView>, ApiError> {
    ctx.authorise(Action::BudgetList, &Resource::system()).await?;
    let mut items = vec![];
    for budget in ctx.app.engine.store().list_budgets().await? {
        items.push(view(ctx, &budget).await?);
    }
    Ok(List { items, next: None })
}

/// Bound what language models may take. It counts what is asked from now on.
#[utoipa::path(
    operation_id = "budgets_create",
    post, path = "/api/v1/budgets", tag = "models", request_body = BudgetCreate,
    responses((status = 201, body = BudgetView), (status = 422, body = Problem))
)]
pub(crate) async fn create(
    ctx: Ctx,
    Json(body): Json<BudgetCreate>,
) -> Result<(StatusCode, axum::Json<BudgetView>), ApiError> {
    Ok((StatusCode::CREATED, axum::Json(add(&ctx, body).await?)))
}

/// Makes one.
pub(crate) async fn add(ctx: &Ctx, body: BudgetCreate) -> Result<BudgetView, ApiError> {
    let allowed = ctx.authorise(Action::BudgetCreate, &Resource::system()).await?;
    let missing = |field: &'static str| move || ApiError::field(field, "is missing");
    let scope = filter("scope", Some(&body.scope))?.ok_or_else(missing("scope"))?;
    let period = filter("period", Some(&body.period))?.ok_or_else(missing("period"))?;
    let bounds = BudgetBounds {
        about: body.about,
        tokens_max: body.tokens_max,
        cost_micros_max: micros(body.cost_usd_max)?,
        alert_percent: body.alert_percent,
    };
    let subject = body.subject.filter(|subject| !subject.trim().is_empty());
    let whose = (scope, subject, period);
    let engine = &ctx.app.engine;
    let made = engine.add_budget(whose, bounds, ctx.user()?, allowed.draft(ctx)).await?;
    view(ctx, &made).await
}

async fn find(ctx: &Ctx, id: BudgetId) -> Result<Budget, ApiError> {
    ctx.app.engine.store().lookup_budget(id).await?.ok_or_else(ApiError::not_found)
}

/// Change what language models may take. What was counted stays counted.
#[utoipa::path(
    operation_id = "budgets_put",
    put, path = "/api/v1/budgets/{id}", tag = "models", params(("id" = String, Path)), request_body = BudgetPut,
    responses((status = 200, body = BudgetView), (status = 404, body = Problem), (status = 422, body = Problem))
)]
pub(crate) async fn put(
    ctx: Ctx,
    Path(text): Path<String>,
    Json(body): Json<BudgetPut>,
) -> Result<axum::Json<BudgetView>, ApiError> {
    change(&ctx, &text, body).await.map(axum::Json)
}

/// Changes one.
pub(crate) async fn change(ctx: &Ctx, text: &str, body: BudgetPut) -> Result<BudgetView, ApiError> {
    let allowed = ctx.authorise(Action::BudgetUpdate, &Resource::system()).await?;
    let budget = find(ctx, id(text)?).await?;
    let bounds = BudgetBounds {
        about: body.about,
        tokens_max: body.tokens_max,
        cost_micros_max: micros(body.cost_usd_max)?,
        alert_percent: body.alert_percent,
    };
    let changed = ctx.app.engine.update_budget(budget, bounds, allowed.draft(ctx)).await?;
    view(ctx, &changed).await
}

/// Bound what language models may take no more.
#[utoipa::path(
    operation_id = "budgets_remove",
    delete, path = "/api/v1/budgets/{id}", tag = "models", params(("id" = String, Path)),
    responses((status = 204), (status = 404, body = Problem))
)]
pub(crate) async fn remove(ctx: Ctx, Path(text): Path<String>) -> Result<StatusCode, ApiError> {
    forget(&ctx, &text).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Removes one.
pub(crate) async fn forget(ctx: &Ctx, text: &str) -> Result<(), ApiError> {
    let allowed = ctx.authorise(Action::BudgetRemove, &Resource::system()).await?;
    let budget = find(ctx, id(text)?).await?;
    Ok(ctx.app.engine.remove_budget(&budget, allowed.draft(ctx)).await?)
}
