//! `GET /api/v1/audit/checkpoint`

use crate::{context::Ctx, error::ApiError};
use wardroom_core::{Action, action::Resource};
use wardroom_wire::error::Problem;

/// The last signed checkpoint, a C2SP signed note: keep it elsewhere, and truncation shows.
#[utoipa::path(
    operation_id = "audit_checkpoint",
    get, path = "/api/v1/audit/checkpoint", tag = "audit",
    responses((status = 200, content_type = "text/plain", body = String), (status = 404, body = Problem))
)]
pub(crate) async fn handler(ctx: Ctx) -> Result<String, ApiError> {
    ctx.authorise(Action::AuditExport, &Resource::system()).await?;
    let checkpoint = ctx.app.engine.store().last_checkpoint().await?;
    Ok(checkpoint.ok_or_else(ApiError::not_found)?.note)
}
