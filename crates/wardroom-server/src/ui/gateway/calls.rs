//! `/gateway/calls` and `/gateway/usage`

use super::super::{
    frame::{html, name_ids, said, shell},
    pages::gateway::calls::{CallFilters, CallPage, CallsPage, UsagePage},
};
use crate::{
    api::{
        input::QueryOf,
        v1::tool_servers::{
            calls::{self, CallQuery},
            usage::{self, UsageQuery},
        },
    },
    context::Ctx,
    error::ApiError,
};
use axum::{extract::Path, http::StatusCode, response::Response};
use wardroom_wire::api::List;

fn nothing<T>() -> List<T> {
    List { items: vec![], next: None }
}

/// Calls, newest first.
pub(crate) async fn list(
    ctx: Ctx,
    QueryOf(mut query): QueryOf<CallQuery>,
) -> Result<Response, ApiError> {
    let filters = CallFilters {
        server: query.server.clone().unwrap_or_default(),
        tool: query.tool.clone().unwrap_or_default(),
        outcome: query.outcome.clone().unwrap_or_default(),
        mine: query.mine,
        later: query.after.is_some(),
    };
    query.server = query.server.filter(|server| !server.is_empty());
    let mut shell = shell(&ctx, "/gateway");
    let (status, list, problem) = match calls::load(&ctx, query).await {
        Ok(list) => (StatusCode::OK, list, None),
        Err(error) => {
            let problem = Some(said(&error).ok_or(error)?);
            (StatusCode::UNPROCESSABLE_ENTITY, nothing(), problem)
        }
    };
    let ids = list.items.iter().map(|call| call.user.clone()).collect();
    name_ids(&ctx, &mut shell, ids).await?;
    html(status, &CallsPage { shell, list, filters, problem })
}

/// One call.
pub(crate) async fn show(ctx: Ctx, Path(id): Path<String>) -> Result<Response, ApiError> {
    let detail = calls::detail(&ctx, &id).await?;
    let mut shell = shell(&ctx, "/gateway");
    name_ids(&ctx, &mut shell, vec![detail.call.user.clone()]).await?;
    html(StatusCode::OK, &CallPage { shell, detail })
}

/// How much tools were used.
pub(crate) async fn used(
    ctx: Ctx,
    QueryOf(query): QueryOf<UsageQuery>,
) -> Result<Response, ApiError> {
    let by = query.by.clone().unwrap_or_else(|| "tool".to_owned());
    let (hours, mine) = (query.hours.unwrap_or(24), query.mine);
    let mut shell = shell(&ctx, "/gateway");
    let (status, list, problem) = match usage::load(&ctx, query).await {
        Ok(list) => (StatusCode::OK, list, None),
        Err(error) => {
            let problem = Some(said(&error).ok_or(error)?);
            (StatusCode::UNPROCESSABLE_ENTITY, nothing(), problem)
        }
    };
    let ids = list.items.iter().filter_map(|usage| usage.user.clone()).collect();
    name_ids(&ctx, &mut shell, ids).await?;
    html(status, &UsagePage { shell, list, by, hours, mine, problem })
}
