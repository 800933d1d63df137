//! `GET /api/v1/model-usage`

use super::{dollars, millis};
use crate::{
    api::input::{QueryOf, filter},
    context::Ctx,
    error::ApiError,
};
use axum::Json;
use serde::Deserialize;
use std::time::Duration;
use wardroom_core::{
    Action,
    action::{Resource, ResourceKind},
    model::{Spent, SpentBy, SpentFilter},
};
use wardroom_wire::{api::List, error::Problem, models::SpentView};

/// How far back it is looked at most, in days.
const DAYS_MAX: u32 = 400;

/// What is counted.
#[derive(Debug, Clone, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct SpentQuery {
    /// What questions are put together by: `user`, `customer`, `agent`, `model` or `day`; `model` where absent.
    pub(crate) by: Option<String>,
    /// Questions of the last so many days, 1 to 400; 30 where absent.
    #[param(minimum = 1, maximum = 400)]
    pub(crate) days: Option<u32>,
    /// The caller's own only.
    pub(crate) mine: bool,
}

fn view(spent: &Spent) -> SpentView {
    let model = spent.provider.as_ref().zip(spent.model.as_ref());
    SpentView {
        user: spent.user.map(|id| id.to_string()),
        customer: spent.customer.map(|id| id.to_string()),
        agent: spent.agent.clone(),
        model: model.map(|(provider, name)| format!("{provider}/{name}")),
        day: spent.day.and_then(|day| day.to_string().get(..10).map(str::to_owned)),
        calls: spent.calls,
        running: spent.running,
        failures: spent.failures,
        estimated: spent.estimated,
        input_tokens: spent.usage.input_tokens,
        cache_read_tokens: spent.usage.cache_read_tokens,
        output_tokens: spent.usage.output_tokens,
        cost_usd: dollars(spent.cost_micros),
        ms: millis(spent.micros),
    }
}

/// What language models took: the 500 groups that cost the most, or the days in their order. Others' questions are left
/// out where reading them is not allowed.
#[utoipa::path(
    operation_id = "model_usage",
    get, path = "/api/v1/model-usage", tag = "models", params(SpentQuery),
    responses((status = 200, body = List<SpentView>), (status = 422, body = Problem))
)]
pub(crate) async fn handler(
    ctx: Ctx,
    QueryOf(query): QueryOf<SpentQuery>,
) -> Result<Json<List<SpentView>>, ApiError> {
    load(&ctx, query).await.map(Json)
}

/// What models took.
pub(crate) async fn load(ctx: &Ctx, query: SpentQuery) -> Result<List<SpentView>, ApiError> {
    ctx.authorise(Action::ModelCallList, &Resource::system()).await?;
    let days = query.days.unwrap_or(30);
    if !(1..=DAYS_MAX).contains(&days) {
        return Err(ApiError::field("days", format!("must be 1 to {DAYS_MAX}")));
    }
    let anyones = Resource::anothers(ResourceKind::ModelCall);
    let anyones = ctx.decide(Action::ModelCallRead, &anyones).allowed;
    let wanted = SpentFilter {
        by: filter("by", query.by.as_deref())?.unwrap_or(SpentBy::Model),
        since: ctx.now().minus(Duration::from_secs(u64::from(days - 1) * 86_400)).day(),
        user: (query.mine || !anyones).then(|| ctx.user()).transpose()?,
    };
    // SECURITY: each reads many rows, and whoever asks for it must not take all of the database's readers.
    let _place = ctx.app.usages.acquire().await.map_err(ApiError::internal)?;
    let found = ctx.app.engine.store().model_spent(wanted).await?;
    Ok(List { items: found.iter().map(view).collect(), next: None })
}
