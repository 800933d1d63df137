//! `POST /api/v1/audit/verify`

use crate::{App, context::Ctx, error::ApiError};
use axum::Json;
use std::sync::{Arc, PoisonError};
use wardroom_core::{
    Action, Timestamp,
    action::Resource,
    audit::{AuditDraft, AuditOutcome},
};
use wardroom_wire::{
    api::AuditVerification,
    error::{ErrorCode, Problem},
};

/// Verify the stored log from its first record to its last; the result is recorded.
#[utoipa::path(
    operation_id = "audit_verify",
    post, path = "/api/v1/audit/verify", tag = "audit",
    responses((status = 200, body = AuditVerification), (status = 403, body = Problem))
)]
pub(crate) async fn handler(ctx: Ctx) -> Result<Json<AuditVerification>, ApiError> {
    act(&ctx).await.map(Json)
}

/// Verifies the stored log; one at a time. However long the log is, it is verified to its end: where the
/// request's time is over before, the result is in the log and on the audit page.
pub(crate) async fn act(ctx: &Ctx) -> Result<AuditVerification, ApiError> {
    let allowed = ctx.authorise(Action::AuditVerify, &Resource::system()).await?;
    let busy = |_| ApiError::say(ErrorCode::Busy, "The log is being verified: look again later.");
    let one_at_a_time = Arc::clone(&ctx.app.verifying).try_acquire_owned().map_err(busy)?;
    let (app, audit, at) = (Arc::clone(&ctx.app), allowed.draft(ctx), ctx.now());
    let verifying = tokio::spawn(async move {
        let _one_at_a_time = one_at_a_time;
        verify(&app, audit, at).await
    });
    verifying.await.map_err(ApiError::internal)?
}

async fn verify(
    app: &App,
    audit: AuditDraft,
    at: Timestamp,
) -> Result<AuditVerification, ApiError> {
    let found = app.engine.verify_audit().await?;
    let (size, _) = app.engine.store().audit_head().await?;
    let checkpoint = app.engine.store().last_checkpoint().await?.map(|checkpoint| checkpoint.note);
    let at = at.to_string();
    let mut audit = audit.on("audit").detail("records", size);
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
    app.engine.record(audit).await?;
    *app.verification.lock().unwrap_or_else(PoisonError::into_inner) = Some(verification.clone());
    Ok(verification)
}
