//! `GET /api/v1/services`

use super::super::super::input::{QueryOf, filter, page};
use crate::{context::Ctx, error::ApiError};
use axum::Json;
use serde::Deserialize;
use wardroom_core::{Action, action::Resource};
use wardroom_wire::{api::List, desk::ServiceView};

/// Which services are wanted.
#[derive(Debug, Clone, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct ServiceQuery {
    /// `draft`, `published` or `retired`.
    pub(crate) state: Option<String>,
    /// Continue behind this name.
    pub(crate) after: Option<String>,
    /// At most so many, 1 to 200.
    #[param(minimum = 1, maximum = 200)]
    pub(crate) limit: Option<u32>,
}

/// Services by name, as far as the caller may read them: for a customer's account, its catalogue.
#[utoipa::path(
    operation_id = "services_list",
    get, path = "/api/v1/services", tag = "services", params(ServiceQuery),
    responses((status = 200, body = List<ServiceView>))
)]
pub(crate) async fn handler(
    ctx: Ctx,
    QueryOf(query): QueryOf<ServiceQuery>,
) -> Result<Json<List<ServiceView>>, ApiError> {
    load(&ctx, query).await.map(Json)
}

/// Services by name.
pub(crate) async fn load(ctx: &Ctx, query: ServiceQuery) -> Result<List<ServiceView>, ApiError> {
    ctx.authorise(Action::ServiceList, &Resource::system()).await?;
    let state = filter("state", query.state.as_deref())?;
    let page = page::<String>(query.after.as_deref(), query.limit)?;
    let found = ctx.app.engine.store().list_services(state, page).await?;
    let mut items = Vec::with_capacity(found.items.len());
    for service in &found.items {
        if ctx.decide(Action::ServiceRead, &Resource::service(service)).allowed {
            items.push(super::show(ctx, service)?);
        }
    }
    Ok(List { items, next: found.next })
}
