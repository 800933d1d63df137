//! `GET /api/v1/audit/records/{index}/proof`

use crate::{context::Ctx, error::ApiError};
use axum::{Json, extract::Path};
use data_encoding::HEXLOWER;
use wardroom_core::{Action, action::Resource};
use wardroom_wire::{api::AuditProof, error::Problem};

/// A receipt: the record, its path to a signed checkpoint, and that checkpoint.
#[utoipa::path(
    operation_id = "audit_proof",
    get, path = "/api/v1/audit/records/{index}/proof", tag = "audit", params(("index" = u64, Path)),
    responses((status = 200, body = AuditProof), (status = 404, body = Problem))
)]
pub(crate) async fn handler(
    ctx: Ctx,
    Path(index): Path<String>,
) -> Result<Json<AuditProof>, ApiError> {
    ctx.authorise(Action::AuditExport, &Resource::system()).await?;
    let proof = ctx.app.engine.prove_audit(super::super::super::input::id(&index)?).await?;
    Ok(Json(AuditProof {
        format: "wardroom-audit-proof/1".to_owned(),
        index: proof.entry.index,
        record: proof.entry.body,
        path: proof.path.iter().map(|hash| HEXLOWER.encode(hash)).collect(),
        checkpoint: proof.checkpoint.note,
        verifier_key: ctx.app.engine.audit_key(),
    }))
}
