//! `/api/v1/security/faults`

use super::super::super::input::QueryOf;
use crate::{context::Ctx, error::ApiError};
use axum::{Json, extract::Path, http::StatusCode};
use serde::Deserialize;
use wardroom_core::{Action, action::Resource, watch::fault::Fault};
use wardroom_wire::{api::List, error::Problem, security::FaultView};

/// Faults that one answer has.
const SHOWN_MAX: u32 = 500;

/// Which faults are wanted.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct FaultQuery {
    /// Only those that nobody said to be mended.
    #[serde(default)]
    pub(crate) open: bool,
}

fn view(fault: Fault) -> FaultView {
    FaultView {
        fingerprint: fault.fingerprint,
        place: fault.place,
        message: fault.message,
        count: fault.count,
        first_at: fault.first_at.to_string(),
        last_at: fault.last_at.to_string(),
        request: fault.request,
        run: fault.run,
        resolved_at: fault.resolved_at.map(|at| at.to_string()),
    }
}

/// What went wrong inside, grouped; what was seen last comes first. At most 500.
#[utoipa::path(
    operation_id = "faults_list",
    get, path = "/api/v1/security/faults", tag = "security", params(FaultQuery),
    responses((status = 200, body = List<FaultView>))
)]
pub(crate) async fn list(
    ctx: Ctx,
    QueryOf(query): QueryOf<FaultQuery>,
) -> Result<Json<List<FaultView>>, ApiError> {
    load(&ctx, query.open).await.map(Json)
}

/// Faults.
pub(crate) async fn load(ctx: &Ctx, open: bool) -> Result<List<FaultView>, ApiError> {
    ctx.authorise(Action::FaultRead, &Resource::system()).await?;
    let found = ctx.app.engine.store().list_faults(open, SHOWN_MAX).await?;
    Ok(List { items: found.into_iter().map(view).collect(), next: None })
}

/// Say that a fault is mended. When it is seen again, it is open again.
#[utoipa::path(
    operation_id = "faults_resolve",
    post, path = "/api/v1/security/faults/{fingerprint}/resolve", tag = "security",
    params(("fingerprint" = String, Path)),
    responses((status = 204), (status = 404, body = Problem))
)]
pub(crate) async fn resolve(
    ctx: Ctx,
    Path(fingerprint): Path<String>,
) -> Result<StatusCode, ApiError> {
    act(&ctx, &fingerprint).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Resolves one.
pub(crate) async fn act(ctx: &Ctx, fingerprint: &str) -> Result<(), ApiError> {
    let allowed = ctx.authorise(Action::FaultResolve, &Resource::system()).await?;
    if fingerprint.len() != 16 || !fingerprint.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(ApiError::not_found());
    }
    Ok(ctx.app.engine.resolve_fault(fingerprint, allowed.draft(ctx)).await?)
}
