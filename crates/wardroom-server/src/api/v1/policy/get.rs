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
    load(&ctx).await.map(Json)
}

/// The policy in force.
pub(crate) async fn load(ctx: &Ctx) -> Result<PolicyView, ApiError> {
    ctx.authorise(Action::PolicyRead, &Resource::system()).await?;
    let current = ctx.app.policy.load();
    Ok(PolicyView {
        version: current.policy.version().to_owned(),
        number: current.number,
        source: current.source.as_str().to_owned(),
        text: current.policy.text().to_owned(),
    })
}
