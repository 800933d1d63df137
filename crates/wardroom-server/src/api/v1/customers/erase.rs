//! `DELETE /api/v1/customers/{id}`

use crate::{context::Ctx, error::ApiError};
use axum::{extract::Path, http::StatusCode};
use wardroom_core::Action;
use wardroom_wire::error::Problem;

/// Erase a customer: its key is destroyed, and with it what is known of it, what it ordered, what was said about
/// that and every file, here, in backups and in the audit log. What its commands were given and printed is deleted
/// here; old backups keep that. Its accounts must be gone before. This can't be undone.
#[utoipa::path(
    operation_id = "customers_erase",
    delete, path = "/api/v1/customers/{id}", tag = "customers", params(("id" = String, Path)),
    responses((status = 204), (status = 404, body = Problem), (status = 422, body = Problem))
)]
pub(crate) async fn handler(ctx: Ctx, Path(id): Path<String>) -> Result<StatusCode, ApiError> {
    act(&ctx, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Erases.
pub(crate) async fn act(ctx: &Ctx, id: &str) -> Result<(), ApiError> {
    let (customer, allowed) = super::find(ctx, id, Action::CustomerErase).await?;
    Ok(ctx.app.engine.erase_customer(&customer, allowed.draft(ctx)).await?)
}
