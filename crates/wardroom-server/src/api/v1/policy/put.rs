//! `PUT /api/v1/policy`, `POST /api/v1/policy/try`

use super::super::super::input::Json;
use crate::{context::Ctx, error::ApiError, policies};
use wardroom_core::{Action, action::Resource};
use wardroom_wire::{
    api::{PolicyPut, PolicyText, PolicyTrial, PolicyVersionView},
    error::Problem,
};

/// What a policy would change, for the accounts, nodes and commands that there are. Nothing is put in force.
#[utoipa::path(
    operation_id = "policy_try",
    post, path = "/api/v1/policy/try", tag = "policy", request_body = PolicyText,
    responses((status = 200, body = PolicyTrial), (status = 422, body = Problem))
)]
pub(crate) async fn try_handler(
    ctx: Ctx,
    Json(body): Json<PolicyText>,
) -> Result<axum::Json<PolicyTrial>, ApiError> {
    trial(&ctx, &body.text).await.map(axum::Json)
}

/// What a policy would change.
pub(crate) async fn trial(ctx: &Ctx, text: &str) -> Result<PolicyTrial, ApiError> {
    ctx.authorise(Action::PolicyRead, &Resource::system()).await?;
    let policy = policies::read(text)?;
    let version = policy.version().to_owned();
    let tried = policies::try_out(ctx, policy).await?;
    Ok(PolicyTrial {
        version,
        changes: tried.changes,
        more: tried.more,
        locks_out: tried.locks_out,
    })
}

/// Put another policy in force. One that would lock out the last administrator is refused.
#[utoipa::path(
    operation_id = "policy_put",
    put, path = "/api/v1/policy", tag = "policy", request_body = PolicyPut,
    responses((status = 200, body = PolicyVersionView), (status = 409, body = Problem), (status = 422, body = Problem))
)]
pub(crate) async fn handler(
    ctx: Ctx,
    Json(body): Json<PolicyPut>,
) -> Result<axum::Json<PolicyVersionView>, ApiError> {
    act(&ctx, body).await.map(axum::Json)
}

/// Puts a policy in force.
pub(crate) async fn act(ctx: &Ctx, body: PolicyPut) -> Result<PolicyVersionView, ApiError> {
    let allowed = ctx.authorise(Action::PolicyUpdate, &Resource::system()).await?;
    let stored = policies::put(ctx, body.text, &body.note, body.base, allowed.draft(ctx)).await?;
    Ok(super::versions::view(&stored, stored.number))
}
