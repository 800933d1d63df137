//! `/models`: who runs language models, what they took and what they may take

use super::{
    frame::{errors_of, html, name_ids, said, see_other, shell},
    pages::models::{BudgetDialog, Days, ModelsPage},
};
use crate::{
    api::{
        input::QueryOf,
        v1::{
            budgets,
            models::{
                list,
                usage::{self, SpentQuery},
            },
        },
    },
    context::Ctx,
    error::ApiError,
};
use axum::{Form, extract::Path, http::StatusCode, response::Response};
use serde::Deserialize;
use wardroom_core::Action;
use wardroom_wire::{api::List, models::BudgetCreate};

/// The fields that the dialog shows errors beside.
const FIELDS: [&str; 7] =
    ["about", "scope", "subject", "period", "tokens_max", "cost_usd_max", "alert_percent"];

/// What is shown.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ModelsQuery {
    /// What questions are put together by.
    by: Option<String>,
    /// Of the last so many days.
    days: Option<u32>,
    /// The viewer's own only.
    mine: bool,
    /// `1` for a new budget.
    new: String,
}

/// Who runs models, and how they do.
pub(crate) async fn page(
    ctx: Ctx,
    QueryOf(query): QueryOf<ModelsQuery>,
) -> Result<Response, ApiError> {
    let dialog = (query.new == "1").then(BudgetDialog::default);
    show(&ctx, StatusCode::OK, query, dialog).await
}

async fn show(
    ctx: &Ctx,
    status: StatusCode,
    query: ModelsQuery,
    dialog: Option<BudgetDialog>,
) -> Result<Response, ApiError> {
    let models = list::load(ctx).await?;
    let budgets = match ctx.may(Action::BudgetList) {
        true => Some(budgets::load(ctx).await?),
        false => None,
    };
    let (days, mine) = (query.days.unwrap_or(30), query.mine);
    let by = query.by.unwrap_or_else(|| "model".to_owned());
    let spent = |by: &str| SpentQuery { by: Some(by.to_owned()), days: query.days, mine };
    let (status, groups, problem) = match usage::load(ctx, spent(&by)).await {
        Ok(groups) => (status, groups, None),
        Err(error) => {
            let problem = Some(said(&error).ok_or(error)?);
            (StatusCode::UNPROCESSABLE_ENTITY, List { items: vec![], next: None }, problem)
        }
    };
    let daily = match &problem {
        None => usage::load(ctx, spent("day")).await?.items,
        Some(_) => vec![],
    };
    let mut shell = shell(ctx, "/models");
    let users = groups.items.iter().filter_map(|one| one.user.as_ref().or(one.customer.as_ref()));
    let used = budgets
        .iter()
        .flat_map(|list| &list.items)
        .flat_map(|one| one.subject.iter().chain(one.used.iter().map(|used| &used.subject)));
    let ids = users.chain(used).cloned().collect();
    name_ids(ctx, &mut shell, ids).await?;
    let chart = Days::new(&daily, days, ctx.now());
    let page =
        ModelsPage { shell, models, groups, chart, by, days, mine, problem, budgets, dialog };
    html(status, &page)
}

/// The form of a new budget.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct New {
    #[serde(rename = "csrf", default)]
    _csrf: String,
    #[serde(default)]
    about: String,
    #[serde(default)]
    scope: String,
    #[serde(default)]
    subject: String,
    #[serde(default)]
    period: String,
    #[serde(default)]
    tokens_max: String,
    #[serde(default)]
    cost_usd_max: String,
    #[serde(default)]
    alert_percent: String,
}

/// A number that may be left out.
fn number<T: std::str::FromStr>(field: &str, text: &str) -> Result<Option<T>, ApiError> {
    match text.trim() {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(|_| ApiError::field(field, "must be a number")),
    }
}

fn wanted(form: &New) -> Result<BudgetCreate, ApiError> {
    Ok(BudgetCreate {
        about: form.about.clone(),
        scope: form.scope.clone(),
        subject: Some(form.subject.trim().to_owned()).filter(|subject| !subject.is_empty()),
        period: form.period.clone(),
        tokens_max: number("tokens_max", &form.tokens_max)?,
        cost_usd_max: number("cost_usd_max", &form.cost_usd_max)?,
        alert_percent: number("alert_percent", &form.alert_percent)?,
    })
}

/// Makes a budget.
pub(crate) async fn add(ctx: Ctx, Form(form): Form<New>) -> Result<Response, ApiError> {
    let made = match wanted(&form) {
        Ok(body) => budgets::add(&ctx, body).await.map(drop),
        Err(error) => Err(error),
    };
    let Err(error) = made else { return Ok(see_other("/models")) };
    let errors = errors_of(error, &FIELDS)?;
    let New { about, scope, subject, period, tokens_max, cost_usd_max, alert_percent, .. } = form;
    let dialog = BudgetDialog {
        about,
        scope,
        subject,
        period,
        tokens_max,
        cost_usd_max,
        alert_percent,
        errors,
    };
    let status = StatusCode::UNPROCESSABLE_ENTITY;
    show(&ctx, status, ModelsQuery::default(), Some(dialog)).await
}

/// Removes a budget.
pub(crate) async fn remove(ctx: Ctx, Path(id): Path<String>) -> Result<Response, ApiError> {
    budgets::forget(&ctx, &id).await?;
    Ok(see_other("/models"))
}
