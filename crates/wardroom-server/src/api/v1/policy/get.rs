//! `GET /api/v1/policy`

use crate::{context::Ctx, error::ApiError};
use axum::Json;
use wardroom_core::{Action, action::Resource};
use wardroom_wire::{api::PolicyView, error::Problem};

/// The policy in force, as Cedar text.
#[utoipa::path(
    operation_id = "policy_get",
    get, path = "/api/v1/policy", tag = "policy",
    responses((status = 200, body = PolicyView), (status = 403, body = Problem))
)]
pub(crate) async fn handler(ctx: Ctx) -> Result<Json<PolicyView>, ApiError> {
    ctx.authorise(Action::PolicyRead, &Resource::system()).await?;
    let policy = &ctx.app.policy;
    Ok(Json(PolicyView { version: policy.version().to_owned(), text: policy.text().to_owned() }))
}
