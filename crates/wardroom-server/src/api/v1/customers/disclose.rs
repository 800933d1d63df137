//! `GET /api/v1/customers/{id}/disclosure`

use crate::{context::Ctx, disclosure, error::ApiError};
use axum::{extract::Path, response::Response};
use wardroom_core::Action;
use wardroom_wire::error::Problem;

/// Everything that is known of a customer, with its files: a ZIP archive of JSON and of pages to read. An answer that
/// breaks off is not the whole.
#[utoipa::path(
    operation_id = "customers_disclose",
    get, path = "/api/v1/customers/{id}/disclosure", tag = "customers", params(("id" = String, Path)),
    responses((status = 200, content_type = "application/zip", body = Vec<u8>), (status = 404, body = Problem))
)]
pub(crate) async fn handler(ctx: Ctx, Path(id): Path<String>) -> Result<Response, ApiError> {
    let (customer, allowed) = super::find(&ctx, &id, Action::CustomerDisclose).await?;
    let engine = &ctx.app.engine;
    engine.record(allowed.draft(&ctx).on(customer.id)).await?;
    let title = "What is known of this customer";
    disclosure::answer(&ctx, title, |to| engine.clone().disclose_customer(customer, to))
}
