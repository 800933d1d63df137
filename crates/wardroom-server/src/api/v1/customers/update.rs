//! `PATCH /api/v1/customers/{id}`

use super::super::super::input::Json;
use crate::{
    api::version::{etag, if_match, or_stale},
    context::Ctx,
    error::ApiError,
};
use axum::{extract::Path, http::HeaderMap};
use wardroom_core::{Action, desk::customer::Customer};
use wardroom_wire::{
    desk::{CustomerPatch, CustomerView},
    error::Problem,
};

/// Change what is known of a customer. `If-Match` names the version that was read.
#[utoipa::path(
    operation_id = "customers_update",
    patch, path = "/api/v1/customers/{id}", tag = "customers", request_body = CustomerPatch,
    params(("id" = String, Path), ("If-Match" = String, Header)),
    responses((status = 200, body = CustomerView), (status = 412, body = Problem), (status = 422, body = Problem))
)]
pub(crate) async fn handler(
    ctx: Ctx,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(body): Json<CustomerPatch>,
) -> Result<(HeaderMap, axum::Json<CustomerView>), ApiError> {
    let view = act(&ctx, &id, body, |current| if_match(&headers, current)).await;
    let view = view.map_err(or_stale)?;
    Ok((etag(view.version)?, axum::Json(view)))
}

/// Changes it; `version` says which version was read.
pub(crate) async fn act(
    ctx: &Ctx,
    id: &str,
    body: CustomerPatch,
    version: impl FnOnce(i64) -> Result<i64, ApiError>,
) -> Result<CustomerView, ApiError> {
    let (customer, allowed) = super::find(ctx, id, Action::CustomerUpdate).await?;
    let customer = Customer { version: version(customer.version)?, ..customer };
    let mut profile = ctx.app.engine.customer_profile(&customer).await?;
    let parts = [
        (&mut profile.name, body.name),
        (&mut profile.email, body.email),
        (&mut profile.phone, body.phone),
        (&mut profile.notes, body.notes),
    ];
    for (part, wanted) in parts {
        if let Some(text) = wanted {
            *part = text;
        }
    }
    if let Some(fields) = body.fields {
        profile.fields = fields;
    }
    let changed = ctx.app.engine.change_customer(&customer, profile, allowed.draft(ctx)).await?;
    super::show(ctx, &changed).await
}
