//! `PUT /api/v1/customers/{id}/operators`

use super::super::{super::input::Json, users};
use crate::{context::Ctx, error::ApiError};
use axum::extract::Path;
use wardroom_core::Action;
use wardroom_wire::{
    desk::{CustomerView, OperatorsPut},
    error::Problem,
};

/// Say who looks after a customer: these accounts, and no others.
#[utoipa::path(
    operation_id = "customers_assign",
    put, path = "/api/v1/customers/{id}/operators", tag = "customers", request_body = OperatorsPut,
    params(("id" = String, Path)),
    responses((status = 200, body = CustomerView), (status = 409, body = Problem), (status = 422, body = Problem))
)]
pub(crate) async fn handler(
    ctx: Ctx,
    Path(id): Path<String>,
    Json(body): Json<OperatorsPut>,
) -> Result<axum::Json<CustomerView>, ApiError> {
    act(&ctx, &id, &body.operators).await.map(axum::Json)
}

/// Says who.
pub(crate) async fn act(
    ctx: &Ctx,
    id: &str,
    operators: &[String],
) -> Result<CustomerView, ApiError> {
    let (customer, allowed) = super::find(ctx, id, Action::CustomerAssign).await?;
    let mut named = Vec::with_capacity(operators.len());
    for text in operators {
        let user = users::find(ctx, text)
            .await
            .map_err(|error| error.or_field("operators", format!("{text:?} is no account")))?;
        named.push(user.id);
    }
    let changed = ctx.app.engine.assign_operators(&customer, named, allowed.draft(ctx)).await?;
    super::show(ctx, &changed).await
}
