//! `POST /api/v1/customers`

use super::super::super::input::Json;
use crate::{context::Ctx, error::ApiError};
use axum::http::StatusCode;
use wardroom_core::{Action, action::Resource, desk::customer::CustomerProfile};
use wardroom_wire::{
    desk::{CustomerCreate, CustomerView},
    error::Problem,
};

/// Make a customer. What is known of it is sealed under a key of its own.
#[utoipa::path(
    operation_id = "customers_create",
    post, path = "/api/v1/customers", tag = "customers", request_body = CustomerCreate,
    responses((status = 201, body = CustomerView), (status = 422, body = Problem))
)]
pub(crate) async fn handler(
    ctx: Ctx,
    Json(body): Json<CustomerCreate>,
) -> Result<(StatusCode, axum::Json<CustomerView>), ApiError> {
    Ok((StatusCode::CREATED, axum::Json(act(&ctx, body).await?)))
}

/// Makes one.
pub(crate) async fn act(ctx: &Ctx, body: CustomerCreate) -> Result<CustomerView, ApiError> {
    let allowed = ctx.authorise(Action::CustomerCreate, &Resource::system()).await?;
    let CustomerCreate { name, email, phone, notes, fields } = body;
    let profile = CustomerProfile { name, email, phone, notes, fields };
    let customer = ctx.app.engine.add_customer(profile, allowed.draft(ctx)).await?;
    super::show(ctx, &customer).await
}
