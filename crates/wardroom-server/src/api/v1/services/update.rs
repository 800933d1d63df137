//! `PATCH /api/v1/services/{id}`

use super::super::super::input::Json;
use crate::{
    api::version::{etag, if_match, or_stale},
    context::Ctx,
    error::ApiError,
};
use axum::{extract::Path, http::HeaderMap};
use wardroom_core::{Action, desk::service::Service};
use wardroom_wire::{
    desk::{ServicePatch, ServiceView},
    error::Problem,
};

/// Change a service, publish it, retire it. `If-Match` names the version that was read. Its command runs under
/// your rights from then on, so to publish it you must be able to run it yourself.
#[utoipa::path(
    operation_id = "services_update",
    patch, path = "/api/v1/services/{id}", tag = "services", request_body = ServicePatch,
    params(("id" = String, Path), ("If-Match" = String, Header)),
    responses((status = 200, body = ServiceView), (status = 412, body = Problem), (status = 422, body = Problem))
)]
pub(crate) async fn handler(
    ctx: Ctx,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(body): Json<ServicePatch>,
) -> Result<(HeaderMap, axum::Json<ServiceView>), ApiError> {
    let view = act(&ctx, &id, body, |current| if_match(&headers, current)).await;
    let view = view.map_err(or_stale)?;
    Ok((etag(view.version)?, axum::Json(view)))
}

/// Changes it; `version` says which version was read.
pub(crate) async fn act(
    ctx: &Ctx,
    id: &str,
    body: ServicePatch,
    version: impl FnOnce(i64) -> Result<i64, ApiError>,
) -> Result<ServiceView, ApiError> {
    let (service, allowed) = super::find(ctx, id, Action::ServiceUpdate).await?;
    let service = Service { version: version(service.version)?, ..service };
    let wanted = super::wanted(body)?;
    super::check_author(ctx, &wanted.clone().apply(service.clone())).await?;
    let (engine, audit) = (&ctx.app.engine, allowed.draft(ctx));
    let changed = engine.change_service(&service, wanted, ctx.user()?, audit).await?;
    super::show(ctx, &changed)
}
