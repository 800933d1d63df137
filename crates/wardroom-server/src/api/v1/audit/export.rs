//! `GET /api/v1/audit/export`

use crate::{context::Ctx, error::ApiError};
use axum::{
    body::Body,
    http::header,
    response::{IntoResponse, Response},
};
use wardroom_core::{Action, action::Resource};
use wardroom_wire::error::Problem;

/// The whole signed log as JSON lines, for `wardroom audit verify FILE`. The export is itself recorded.
#[utoipa::path(
    operation_id = "audit_export",
    get, path = "/api/v1/audit/export", tag = "audit",
    responses((status = 200, content_type = "application/jsonl", body = String), (status = 403, body = Problem))
)]
pub(crate) async fn handler(ctx: Ctx) -> Result<Response, ApiError> {
    let allowed = ctx.authorise(Action::AuditExport, &Resource::system()).await?;
    ctx.app.engine.record(allowed.draft(&ctx).on("audit")).await?;
    let lines = ctx.app.engine.clone().export_audit().await?;
    let headers = [
        (header::CONTENT_TYPE, "application/jsonl"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"wardroom-audit.jsonl\""),
    ];
    Ok((headers, Body::from_stream(lines)).into_response())
}
