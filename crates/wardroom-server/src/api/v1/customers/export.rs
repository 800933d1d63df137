//! `GET /api/v1/customers/export`

use super::list::search;
use crate::{context::Ctx, desk::write_table, error::ApiError};
use axum::{
    http::header,
    response::{IntoResponse, Response},
};
use wardroom_core::{Action, action::Resource};
use wardroom_wire::error::Problem;

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
    let engine = &ctx.app.engine;
    let mut rows = vec![];
    let mut after = None;
    loop {
        let (ids, more) = search(&ctx, "", after, CHUNK, None)?;
        for customer in engine.store().lookup_customers(&ids).await? {
            // The index only finds; what is stored decides.
            let resource = Resource::customer(customer.id, &customer.operators);
            if ctx.decide(Action::CustomerRead, &resource).allowed {
                rows.push((customer.id.to_string(), engine.customer_profile(&customer).await?));
            }
        }
        after = ids.last().copied();
        if !more || after.is_none() {
            break;
        }
    }
    engine.record(allowed.draft(&ctx).on("customers").detail("customers", rows.len())).await?;
    rows.sort_by(|a, b| a.0.cmp(&b.0));
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"customers.csv\""),
    ];
    Ok((headers, write_table(&rows)?).into_response())
}
