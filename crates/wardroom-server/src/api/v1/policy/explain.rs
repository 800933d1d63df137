//! `POST /api/v1/policy/explain`

use super::super::super::input::Json;
use crate::{context::Ctx, error::ApiError};
use wardroom_core::{Action, Principal, action::Resource};
use wardroom_wire::{
    api::{ExplainRequest, Explanation},
    error::{ErrorCode, Problem},
};

/// Which policies allow or deny something, for the caller's role or another one.
#[utoipa::path(
    operation_id = "policy_explain",
    post, path = "/api/v1/policy/explain", tag = "policy", request_body = ExplainRequest,
    responses((status = 200, body = Explanation), (status = 422, body = Problem))
)]
pub(crate) async fn handler(
    ctx: Ctx,
    Json(body): Json<ExplainRequest>,
) -> Result<axum::Json<Explanation>, ApiError> {
    ctx.authorise(Action::PolicyRead, &Resource::system()).await?;
    let action: Action =
        body.action.parse().map_err(|error| ApiError::field("action", format!("{error}")))?;
    let mut principal = ctx.principal.clone();
    let Principal::User { role, .. } = &mut principal else {
        return Err(ApiError::new(ErrorCode::Unauthenticated));
    };
    *role = match &body.role {
        Some(text) => text.parse().map_err(|error| ApiError::field("role", format!("{error}")))?,
        None => *role,
    };
    let kind = action.resource_kind();
    let mut resource = match body.own {
        true => Resource::own(kind, &principal),
        false => Resource::anothers(kind),
    };
    resource.id = body.resource.unwrap_or_else(|| "wardroom".to_owned());
    let explained = ctx.app.policy.load().policy.explain(&principal, action, &resource);
    Ok(axum::Json(Explanation {
        allowed: explained.decision.allowed,
        wanted_by: explained.decision.asks.unwrap_or_default(),
        policies: explained.decision.policies,
        near: explained.near,
        version: explained.decision.version,
    }))
}
