//! `POST /api/v1/services`

use super::super::super::input::Json;
use crate::{context::Ctx, error::ApiError};
use axum::http::StatusCode;
use wardroom_core::{Action, action::Resource};
use wardroom_wire::{
    desk::{ServiceCreate, ServicePatch, ServiceView},
    error::Problem,
};

/// Make a service, as a draft: nobody can order it until it is published.
#[utoipa::path(
    operation_id = "services_create",
    post, path = "/api/v1/services", tag = "services", request_body = ServiceCreate,
    responses((status = 201, body = ServiceView), (status = 422, body = Problem))
)]
pub(crate) async fn handler(
    ctx: Ctx,
    Json(body): Json<ServiceCreate>,
) -> Result<(StatusCode, axum::Json<ServiceView>), ApiError> {
    Ok((StatusCode::CREATED, axum::Json(act(&ctx, body).await?)))
}

/// Makes one.
pub(crate) async fn act(ctx: &Ctx, body: ServiceCreate) -> Result<ServiceView, ApiError> {
    let allowed = ctx.authorise(Action::ServiceCreate, &Resource::system()).await?;
    let wanted = super::wanted(ServicePatch {
        name: Some(body.name),
        title: Some(body.title),
        description: Some(body.description),
        state: None,
        audience: Some(body.audience),
        form: body.form,
        fulfilment: body.fulfilment,
        limits: body.limits,
    })?;
    let service = ctx.app.engine.add_service(wanted, ctx.user()?, allowed.draft(ctx)).await?;
    super::show(ctx, &service)
}
