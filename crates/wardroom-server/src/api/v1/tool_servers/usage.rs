//! `GET /api/v1/tool-usage`

use super::super::{
    super::input::{QueryOf, filter},
    models::millis,
};
use crate::{context::Ctx, error::ApiError};
use axum::Json;
use serde::Deserialize;
use std::time::Duration;
use wardroom_core::{
    Action, Door,
    action::{Resource, ResourceKind},
    tool::usage::{Usage, UsageBy, UsageFilter},
};
use wardroom_wire::{api::List, error::Problem, tools::ToolUsageView};

/// How far back it is looked at most, in hours.
const HOURS_MAX: u32 = 2160;

/// What is counted.
#[derive(Debug, Clone, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct UsageQuery {
    /// What calls are put together by: `tool`, `user`, `client` (account and program) or `flow` (account, program, way
    /// in and server); `tool` where absent.
    pub(crate) by: Option<String>,
    /// Calls of the last so many hours, 1 to 2,160; 24 where absent.
    #[param(minimum = 1, maximum = 2160)]
    pub(crate) hours: Option<u32>,
    /// The caller's own only.
    pub(crate) mine: bool,
}

fn view(usage: &Usage) -> ToolUsageView {
    ToolUsageView {
        server: usage.server.clone(),
        tool: usage.tool.clone(),
        user: usage.user.map(|user| user.to_string()),
        client: usage.client.map(|client| client.to_string()),
        door: usage.door.map(|door| Door::as_str(door).to_owned()),
        calls: usage.calls,
        running: usage.running,
        errors: usage.errors,
        bytes: usage.bytes,
        ms: millis(usage.micros),
        p50_ms: usage.p50.map(millis),
        p99_ms: usage.p99.map(millis),
    }
}

/// How much tools were used, by whom, and how long they took: the 500 groups with the most calls. Others' calls are left
/// out where reading them is not allowed.
#[utoipa::path(
    operation_id = "tool_usage",
    get, path = "/api/v1/tool-usage", tag = "tool servers", params(UsageQuery),
    responses((status = 200, body = List<ToolUsageView>), (status = 422, body = Problem))
)]
pub(crate) async fn handler(
    ctx: Ctx,
    QueryOf(query): QueryOf<UsageQuery>,
) -> Result<Json<List<ToolUsageView>>, ApiError> {
    load(&ctx, query).await.map(Json)
}

/// How much tools were used.
pub(crate) async fn load(ctx: &Ctx, query: UsageQuery) -> Result<List<ToolUsageView>, ApiError> {
    ctx.authorise(Action::ToolCallList, &Resource::system()).await?;
    let hours = query.hours.unwrap_or(24);
    if !(1..=HOURS_MAX).contains(&hours) {
        return Err(ApiError::field("hours", "must be 1 to 2,160"));
    }
    let anyones = Resource::anothers(ResourceKind::ToolCall);
    let anyones = ctx.decide(Action::ToolCallRead, &anyones).allowed;
    let wanted = UsageFilter {
        by: filter("by", query.by.as_deref())?.unwrap_or(UsageBy::Tool),
        since: ctx.now().minus(Duration::from_secs(u64::from(hours) * 3600)),
        user: (query.mine || !anyones).then(|| ctx.user()).transpose()?,
    };
    // SECURITY: each reads many rows, and whoever asks for it must not take all of the database's readers.
    let _place = ctx.app.usages.acquire().await.map_err(ApiError::internal)?;
    let found = ctx.app.engine.store().tool_usage(wanted).await?;
    Ok(List { items: found.iter().map(view).collect(), next: None })
}
