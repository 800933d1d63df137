//! `GET /`

use super::{
    frame::{html, ids_of_records, ids_of_runs, name_ids, see_other, shell},
    pages::overview::OverviewPage,
};
use crate::{api::v1, context::Ctx, error::ApiError};
use axum::{http::StatusCode, response::Response};
use wardroom_core::Action;

/// How everything stands; those who may not see that start at what they can order, or at their runs.
pub(crate) async fn page(ctx: Ctx) -> Result<Response, ApiError> {
    if !ctx.may(Action::OverviewRead) {
        let home = if ctx.principal.customer().is_some() { "/services" } else { "/runs" };
        return Ok(see_other(home));
    }
    let view = v1::overview::load(&ctx).await?;
    let mut shell = shell(&ctx, "/");
    let ids = [ids_of_runs(&view.failures), ids_of_records(&view.security)].concat();
    name_ids(&ctx, &mut shell, ids).await?;
    html(StatusCode::OK, &OverviewPage::new(shell, view))
}
