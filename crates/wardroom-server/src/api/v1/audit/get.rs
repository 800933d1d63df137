//! `GET /api/v1/audit/records/{index}`

use crate::{context::Ctx, error::ApiError, view};
use axum::{Json, extract::Path};
use wardroom_core::{Action, action::Resource};
use wardroom_wire::{api::AuditView, error::Problem};

/// One audit record.
#[utoipa::path(
    operation_id = "audit_get",
    get, path = "/api/v1/audit/records/{index}", tag = "audit", params(("index" = u64, Path)),
    responses((status = 200, body = AuditView), (status = 404, body = Problem))
)]
pub(crate) async fn handler(
    ctx: Ctx,
    Path(index): Path<String>,
) -> Result<Json<AuditView>, ApiError> {
    load(&ctx, super::super::super::input::id(&index)?).await.map(Json)
}

/// One audit record.
pub(crate) async fn load(ctx: &Ctx, index: u64) -> Result<AuditView, ApiError> {
    ctx.authorise(Action::AuditRead, &Resource::system()).await?;
    let end = index.checked_add(1).ok_or_else(ApiError::not_found)?;
    let mut found = ctx.app.engine.store().read_audit(index..end).await?;
    view::audit(ctx, &found.pop().ok_or_else(ApiError::not_found)?).await
}
