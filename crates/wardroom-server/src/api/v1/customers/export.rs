//! `GET /api/v1/customers/export`

use super::list::search;
use crate::{context::Ctx, desk::write_table, error::ApiError};
use axum::{
    http::header,
    response::{IntoResponse, Response},
};
use wardroom_core::{Action, action::Resource};
use wardroom_wire::error::Problem;

/// Customers that one export has.
const CUSTOMERS_MAX: usize = 100_000;
/// Customers that are read at once.
const CHUNK: usize = 500;

/// All customers that the caller may read as a table (CSV), which an import takes. The export is recorded.
#[utoipa::path(
    operation_id = "customers_export",
    get, path = "/api/v1/customers/export", tag = "customers",
    responses((status = 200, content_type = "text/csv", body = String), (status = 403, body = Problem))
)]
pub(crate) async fn handler(ctx: Ctx) -> Result<Response, ApiError> {
    let allowed = ctx.authorise(Action::CustomerExport, &Resource::system()).await?;
    let (ids, _) = search(&ctx, "", None, CUSTOMERS_MAX, None)?;
    let engine = &ctx.app.engine;
    engine.record(allowed.draft(&ctx).on("customers").detail("customers", ids.len())).await?;
    let mut rows = Vec::with_capacity(ids.len());
    for chunk in ids.chunks(CHUNK) {
        for customer in engine.store().lookup_customers(chunk).await? {
            rows.push((customer.id.to_string(), engine.customer_profile(&customer).await?));
        }
    }
    rows.sort_by(|a, b| a.0.cmp(&b.0));
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"customers.csv\""),
    ];
    Ok((headers, write_table(&rows)?).into_response())
}
