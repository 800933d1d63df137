//! `PATCH /api/v1/requests/{id}`

use super::super::{super::input::Json, users};
use crate::{
    api::{
        input::filter,
        version::{etag, if_match, or_stale},
    },
    context::Ctx,
    error::ApiError,
};
use axum::{extract::Path, http::HeaderMap};
use wardroom_core::{
    Action,
    desk::request::{RequestState, ServiceRequest},
};
use wardroom_engine::desk::RequestChange;
use wardroom_wire::{
    desk::{RequestPatch, RequestView},
    error::Problem,
};

/// Work on a request: take it up, assign, schedule, complete it. `If-Match` names the version that was read.
#[utoipa::path(
    operation_id = "requests_update",
    patch, path = "/api/v1/requests/{id}", tag = "requests", request_body = RequestPatch,
    params(("id" = String, Path), ("If-Match" = String, Header)),
    responses((status = 200, body = RequestView), (status = 409, body = Problem), (status = 412, body = Problem))
)]
pub(crate) async fn handler(
    ctx: Ctx,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(body): Json<RequestPatch>,
) -> Result<(HeaderMap, axum::Json<RequestView>), ApiError> {
    let view = act(&ctx, &id, body, |current| if_match(&headers, current)).await;
    let view = view.map_err(or_stale)?;
    Ok((etag(view.version)?, axum::Json(view)))
}

/// Changes it; `version` says which version was read.
pub(crate) async fn act(
    ctx: &Ctx,
    id: &str,
    body: RequestPatch,
    version: impl FnOnce(i64) -> Result<i64, ApiError>,
) -> Result<RequestView, ApiError> {
    let (request, allowed) = super::find(ctx, id, Action::RequestWork).await?;
    let request = ServiceRequest { version: version(request.version)?, ..request };
    let state: Option<RequestState> = filter("state", body.state.as_deref())?;
    if state == Some(RequestState::Cancelled) {
        return Err(ApiError::field("state", "a request is cancelled by its own operation"));
    }
    let assignee = match body.assignee {
        None => None,
        Some(None) => Some(None),
        Some(Some(text)) if text == "me" => Some(Some(ctx.user()?)),
        Some(Some(text)) => {
            let found = users::find(ctx, &text).await;
            Some(Some(found.map_err(|error| error.or_field("assignee", "is no account"))?.id))
        }
    };
    let due_at = match body.due_at {
        None => None,
        Some(text) => Some(filter("due_at", text.as_deref())?),
    };
    let wanted = RequestChange {
        state,
        scheduled_for: filter("scheduled_for", body.scheduled_for.as_deref())?,
        priority: filter("priority", body.priority.as_deref())?,
        assignee,
        due_at,
    };
    let changed = ctx.app.engine.change_request(&request, wanted, allowed.draft(ctx)).await?;
    super::show(ctx, &changed).await
}
