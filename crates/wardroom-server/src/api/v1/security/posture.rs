//! `GET /api/v1/security/posture`

use crate::{context::Ctx, error::ApiError};
use axum::Json;
use wardroom_core::{Action, action::Resource};
use wardroom_wire::{api::List, security::CheckView};

/// How this installation stands, line by line of what a production checklist asks.
#[utoipa::path(
    operation_id = "security_posture",
    get, path = "/api/v1/security/posture", tag = "security",
    responses((status = 200, body = List<CheckView>))
)]
pub(crate) async fn handler(ctx: Ctx) -> Result<Json<List<CheckView>>, ApiError> {
    load(&ctx).await.map(Json)
}

/// The lines.
pub(crate) async fn load(ctx: &Ctx) -> Result<List<CheckView>, ApiError> {
    ctx.authorise(Action::SecurityRead, &Resource::system()).await?;
    Ok(List { items: ctx.app.posture().await, next: None })
}
