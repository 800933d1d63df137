//! `GET /api/v1/services/{id}`

use crate::{api::version::etag, context::Ctx, error::ApiError};
use axum::{Json, extract::Path, http::HeaderMap};
use wardroom_core::Action;
use wardroom_wire::{desk::ServiceView, error::Problem};

/// A service, by id or name.
#[utoipa::path(
    operation_id = "services_get",
    get, path = "/api/v1/services/{id}", tag = "services", params(("id" = String, Path)),
    responses((status = 200, body = ServiceView), (status = 404, body = Problem))
)]
pub(crate) async fn handler(
    ctx: Ctx,
    Path(id): Path<String>,
) -> Result<(HeaderMap, Json<ServiceView>), ApiError> {
    let view = load(&ctx, &id).await?;
    Ok((etag(view.version)?, Json(view)))
}

/// A service.
pub(crate) async fn load(ctx: &Ctx, id: &str) -> Result<ServiceView, ApiError> {
    let (service, _) = super::find(ctx, id, Action::ServiceRead).await?;
    super::show(ctx, &service)
}
