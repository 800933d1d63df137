//! `GET /api/v1/requests`

use super::super::{
    super::input::{QueryOf, filter, page},
    customers, services, users,
};
use crate::{context::Ctx, error::ApiError};
use axum::Json;
use serde::Deserialize;
use wardroom_core::{
    Action, ServiceRequestId, UserId,
    action::{Resource, ResourceKind},
    store::RequestFilter,
};
use wardroom_wire::{api::List, desk::RequestView};

/// Which requests are wanted.
#[derive(Debug, Clone, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct RequestQuery {
    /// `pending`, `scheduled`, `in_progress`, `completed` or `cancelled`; `open` for all that are not closed.
    pub(crate) state: Option<String>,
    /// `low`, `normal`, `high` or `urgent`.
    pub(crate) priority: Option<String>,
    /// Who works on it, by id or name; `me`, or `none` for nobody.
    pub(crate) assignee: Option<String>,
    /// Of this customer, by id.
    pub(crate) customer: Option<String>,
    /// Of this service, by id or name.
    pub(crate) service: Option<String>,
    /// Due before this time.
    pub(crate) due_before: Option<String>,
    /// Those whose command did not succeed only.
    pub(crate) attention: bool,
    /// Of customers with each of these words in name, address or number.
    pub(crate) text: Option<String>,
    /// Continue behind this request.
    pub(crate) after: Option<String>,
    /// At most so many, 1 to 200.
    #[param(minimum = 1, maximum = 200)]
    pub(crate) limit: Option<u32>,
}

/// Customers that a text may find; a text that finds more says too little.
const CUSTOMERS_MAX: usize = 500;

/// Requests, newest first, as far as the caller may read them.
#[utoipa::path(
    operation_id = "requests_list",
    get, path = "/api/v1/requests", tag = "requests", params(RequestQuery),
    responses((status = 200, body = List<RequestView>))
)]
pub(crate) async fn handler(
    ctx: Ctx,
    QueryOf(query): QueryOf<RequestQuery>,
) -> Result<Json<List<RequestView>>, ApiError> {
    load(&ctx, query).await.map(Json)
}

/// Requests, newest first.
pub(crate) async fn load(ctx: &Ctx, query: RequestQuery) -> Result<List<RequestView>, ApiError> {
    ctx.authorise(Action::RequestList, &Resource::system()).await?;
    let page = page::<ServiceRequestId>(query.after.as_deref(), query.limit)?;
    let wanted = wanted(ctx, &query).await?;
    let found = ctx.app.engine.store().list_requests(&wanted, page).await?;
    let mut items = Vec::with_capacity(found.items.len());
    for request in &found.items {
        if ctx.decide(Action::RequestRead, &Resource::request(request)).allowed {
            items.push(super::show(ctx, request).await?);
        }
    }
    Ok(List { items, next: found.next.map(|id| id.to_string()) })
}

/// What the store is asked for.
async fn wanted(ctx: &Ctx, query: &RequestQuery) -> Result<RequestFilter, ApiError> {
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let open = query.state.as_deref() == Some("open");
    let state = if open { None } else { filter("state", query.state.as_deref())? };
    let (assignee, unassigned): (Option<UserId>, bool) = match given(&query.assignee).as_deref() {
        None => (None, false),
        Some("none") => (None, true),
        Some("me") => (Some(ctx.user()?), false),
        Some(text) => (Some(users::find(ctx, text).await?.id), false),
    };
    let mut customers = match given(&query.customer) {
        Some(text) => Some(vec![crate::api::input::id(&text)?]),
        None => None,
    };
    if let Some(text) = given(&query.text) {
        let (found, more) = customers::list::search(ctx, &text, None, CUSTOMERS_MAX, None)?;
        if more {
            let reason = "finds too many customers: say more of the name";
            return Err(ApiError::field("text", reason));
        }
        customers = Some(match customers {
            Some(one) => one.into_iter().filter(|id| found.contains(id)).collect(),
            None => found,
        });
    }
    let service = match given(&query.service) {
        Some(text) => Some(services::find(ctx, &text, Action::ServiceRead).await?.0.id),
        None => None,
    };
    // Where policy lets the caller read no requests but those that concern them, the store is asked for no others.
    let anyones =
        ctx.decide(Action::RequestRead, &Resource::anothers(ResourceKind::Request)).allowed;
    let concerning = if anyones { None } else { Some((ctx.user()?, ctx.principal.customer())) };
    Ok(RequestFilter {
        requested_by: None,
        state,
        open,
        customers,
        service,
        priority: filter("priority", query.priority.as_deref())?,
        assignee,
        unassigned,
        due_before: filter("due_before", query.due_before.as_deref())?,
        attention: query.attention,
        concerning,
    })
}
