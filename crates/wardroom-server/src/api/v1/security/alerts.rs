//! `/api/v1/security/alerts`

use super::super::super::input::{QueryOf, id, page};
use crate::{context::Ctx, error::ApiError};
use axum::{Json, extract::Path, http::StatusCode};
use serde::Deserialize;
use wardroom_core::{Action, AlertId, action::Resource, watch::alert::Alert};
use wardroom_wire::{
    api::List,
    error::Problem,
    security::{AlertTest, AlertView},
};

/// Which alerts are wanted.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct AlertQuery {
    /// Only those that nobody looked at yet.
    #[serde(default)]
    open: bool,
    /// At most so many, 1 to 200; 50 where absent.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// Behind this one: `next` of the page before.
    after: Option<String>,
}

impl AlertQuery {
    /// The newest that nobody looked at yet.
    pub(crate) fn open(limit: u32) -> Self {
        Self { open: true, limit: Some(limit), after: None }
    }
}

fn view(alert: &Alert) -> AlertView {
    AlertView {
        id: alert.id.to_string(),
        rule: alert.rule.as_str().to_owned(),
        title: alert.rule.title().to_owned(),
        subject: alert.subject.clone(),
        detail: alert.detail.clone(),
        advice: alert.rule.advice().to_owned(),
        count: alert.count,
        first_at: alert.first_at.to_string(),
        last_at: alert.last_at.to_string(),
        acknowledged_by: alert.acknowledged.map(|(by, _)| by.to_string()),
        acknowledged_at: alert.acknowledged.map(|(_, at)| at.to_string()),
    }
}

/// What somebody should look at, newest first.
#[utoipa::path(
    operation_id = "alerts_list",
    get, path = "/api/v1/security/alerts", tag = "security", params(AlertQuery),
    responses((status = 200, body = List<AlertView>))
)]
pub(crate) async fn list(
    ctx: Ctx,
    QueryOf(query): QueryOf<AlertQuery>,
) -> Result<Json<List<AlertView>>, ApiError> {
    load(&ctx, query).await.map(Json)
}

/// Alerts.
pub(crate) async fn load(ctx: &Ctx, query: AlertQuery) -> Result<List<AlertView>, ApiError> {
    ctx.authorise(Action::SecurityRead, &Resource::system()).await?;
    let page = page(query.after.as_deref(), query.limit)?;
    let found = ctx.app.engine.store().list_alerts(query.open, page).await?;
    Ok(List {
        items: found.items.iter().map(view).collect(),
        next: found.next.map(|id| id.to_string()),
    })
}

/// Say that you have looked at an alert. What is seen again from then on is a new one.
#[utoipa::path(
    operation_id = "alerts_acknowledge",
    post, path = "/api/v1/security/alerts/{id}/acknowledge", tag = "security", params(("id" = String, Path)),
    responses((status = 204), (status = 404, body = Problem), (status = 409, body = Problem))
)]
pub(crate) async fn acknowledge(
    ctx: Ctx,
    Path(alert): Path<String>,
) -> Result<StatusCode, ApiError> {
    act(&ctx, &alert).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Acknowledges one.
pub(crate) async fn act(ctx: &Ctx, alert: &str) -> Result<(), ApiError> {
    let allowed = ctx.authorise(Action::AlertAcknowledge, &Resource::system()).await?;
    let alert: AlertId = id(alert)?;
    Ok(ctx.app.engine.acknowledge(alert, ctx.user()?, allowed.draft(ctx)).await?)
}

/// Send a message to wherever alerts go.
#[utoipa::path(
    operation_id = "alerts_test",
    post, path = "/api/v1/security/alerts/test", tag = "security",
    responses((status = 202, body = AlertTest))
)]
pub(crate) async fn test(ctx: Ctx) -> Result<(StatusCode, Json<AlertTest>), ApiError> {
    Ok((StatusCode::ACCEPTED, Json(try_out(&ctx).await?)))
}

/// Sends one.
pub(crate) async fn try_out(ctx: &Ctx) -> Result<AlertTest, ApiError> {
    let allowed = ctx.authorise(Action::AlertTest, &Resource::system()).await?;
    let messages = ctx.app.engine.try_outlets(allowed.draft(ctx)).await?;
    Ok(AlertTest { messages })
}
