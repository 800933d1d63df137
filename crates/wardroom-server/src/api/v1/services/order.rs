//! `POST /api/v1/services/{id}/order`

use super::super::{super::input::Json, customers, requests};
use crate::{api::input, context::Ctx, desk::submission, error::ApiError};
use axum::{
    extract::Path,
    http::{HeaderMap, HeaderName, StatusCode, header},
};
use wardroom_core::{Action, desk::request::Priority};
use wardroom_engine::desk::NewRequest;
use wardroom_wire::{
    desk::{OrderCreate, RequestView},
    error::{ErrorCode, Problem},
};

/// Order a service. Accounts of a customer order for it; those who work here name the customer. With a command
/// behind it, the request begins at once or at its time, and ends with the command.
#[utoipa::path(
    operation_id = "services_order",
    post, path = "/api/v1/services/{id}/order", tag = "services", request_body = OrderCreate,
    params(
        ("id" = String, Path),
        ("Idempotency-Key" = Option<String>, Header, description = "makes a repeated order answer with the first one's request")
    ),
    responses((status = 201, body = RequestView), (status = 409, body = Problem), (status = 422, body = Problem))
)]
pub(crate) async fn handler(
    ctx: Ctx,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(body): Json<OrderCreate>,
) -> Result<(StatusCode, [(HeaderName, String); 1], axum::Json<RequestView>), ApiError> {
    let view = act(&ctx, &id, body, input::idempotency_key(&headers)?).await?;
    let location = [(header::LOCATION, format!("/api/v1/requests/{}", view.id))];
    Ok((StatusCode::CREATED, location, axum::Json(view)))
}

/// Orders.
pub(crate) async fn act(
    ctx: &Ctx,
    id: &str,
    body: OrderCreate,
    idempotency_key: Option<String>,
) -> Result<RequestView, ApiError> {
    let (service, allowed) = super::find(ctx, id, Action::ServiceOrder).await?;
    let engine = &ctx.app.engine;
    let customer = match (ctx.principal.customer(), &body.customer) {
        (Some(own), None) => engine.customer(own).await?,
        (Some(own), Some(text)) if *text == own.to_string() => engine.customer(own).await?,
        // Others' customers are not there for a customer's account.
        (Some(_), Some(_)) => return Err(ApiError::not_found()),
        (None, Some(text)) => {
            let found = customers::find(ctx, text, Action::CustomerRead).await;
            found
                .map_err(|error| match error.code {
                    ErrorCode::NotFound => ApiError::say(
                        error.code,
                        "No customer has this id, or none that you may see.",
                    ),
                    _ => error,
                })?
                .0
        }
        (None, None) => return Err(ApiError::field("customer", "say for which customer")),
    };
    let time = |field, text: &Option<String>| input::filter(field, text.as_deref());
    let order = NewRequest {
        by: ctx.user()?,
        values: body.values,
        priority: input::filter("priority", body.priority.as_deref())?.unwrap_or(Priority::Normal),
        due_at: time("due_at", &body.due_at)?,
        scheduled_for: time("scheduled_for", &body.scheduled_for)?,
        idempotency_key,
    };
    if let Some(earlier) = engine.earlier_request(&service, customer.id, &order).await? {
        return requests::show(ctx, &earlier).await;
    }
    // What is wrong with the form is told before anything about nodes.
    let values = engine.check_values(&service, order.values.clone())?;
    let run = match order.scheduled_for {
        Some(_) => None,
        None => submission(&ctx.app, &service, order.by, &values).await?,
    };
    let again = order.clone();
    match engine.order(&service, &customer, order, run, allowed.draft(ctx)).await {
        // The same order came twice in one moment: both are answered with the one that was quicker.
        Err(error) => match engine.earlier_request(&service, customer.id, &again).await? {
            Some(earlier) => requests::show(ctx, &earlier).await,
            None => Err(error.into()),
        },
        Ok(request) => requests::show(ctx, &request).await,
    }
}
