//! `POST /api/v1/audit/verify`

use crate::{context::Ctx, error::ApiError};
use axum::Json;
use wardroom_core::{Action, action::Resource, audit::AuditOutcome};
use wardroom_wire::{api::AuditVerification, error::Problem};

/// Verify the stored log from its first record to its last; the result is recorded.
#[utoipa::path(
    post, path = "/api/v1/audit/verify", tag = "audit",
    responses((status = 200, body = AuditVerification), (status = 403, body = Problem))
)]
pub(crate) async fn handler(ctx: Ctx) -> Result<Json<AuditVerification>, ApiError> {
    act(&ctx).await.map(Json)
}

/// Verifies the stored log; one at a time.
pub(crate) async fn act(ctx: &Ctx) -> Result<AuditVerification, ApiError> {
    let allowed = ctx.authorise(Action::AuditVerify, &Resource::system()).await?;
    let mut last = ctx.app.verification.lock().await;
    let found = ctx.app.engine.verify_audit().await?;
    let (size, _) = ctx.app.engine.store().audit_head().await?;
    let checkpoint =
        ctx.app.engine.store().last_checkpoint().await?.map(|checkpoint| checkpoint.note);
    let at = ctx.now().to_string();
    let mut audit = allowed.draft(ctx).on("audit").detail("records", size);
    let verification = match found {
        Ok(verified) => AuditVerification {
            sound: true,
            records: verified.records,
            signed: verified.signed,
            finding: None,
            checkpoint,
            at,
        },
        Err(finding) => {
            let finding = finding.to_string();
            tracing::error!(%finding, "the audit log does not verify");
            audit = audit.outcome(AuditOutcome::Failed, finding.clone());
            AuditVerification {
                sound: false,
                records: size,
                signed: 0,
                finding: Some(finding),
                checkpoint,
                at,
            }
        }
    };
    ctx.app.engine.record(audit).await?;
    *last = Some(verification.clone());
    Ok(verification)
}

/// What the last verification found, if there was one since the start.
pub(crate) async fn last(ctx: &Ctx) -> Option<AuditVerification> {
    ctx.app.verification.lock().await.clone()
}
