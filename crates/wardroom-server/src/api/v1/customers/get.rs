//! `GET /api/v1/customers/{id}`

use crate::{api::version::etag, context::Ctx, error::ApiError};
use axum::{Json, extract::Path, http::HeaderMap};
use wardroom_core::Action;
use wardroom_wire::{desk::CustomerView, error::Problem};

/// A customer.
#[utoipa::path(
    operation_id = "customers_get",
    get, path = "/api/v1/customers/{id}", tag = "customers", params(("id" = String, Path)),
    responses((status = 200, body = CustomerView), (status = 404, body = Problem))
)]
pub(crate) async fn handler(
    ctx: Ctx,
    Path(id): Path<String>,
) -> Result<(HeaderMap, Json<CustomerView>), ApiError> {
    let view = load(&ctx, &id).await?;
    Ok((etag(view.version)?, Json(view)))
}

/// A customer.
pub(crate) async fn load(ctx: &Ctx, id: &str) -> Result<CustomerView, ApiError> {
    let (customer, _) = super::find(ctx, id, Action::CustomerRead).await?;
    super::show(ctx, &customer).await
}
