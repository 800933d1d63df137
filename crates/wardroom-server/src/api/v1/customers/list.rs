//! `GET /api/v1/customers`

use super::super::super::input::{QueryOf, filter, page};
use crate::{context::Ctx, desk::Sight, error::ApiError};
use axum::Json;
use serde::Deserialize;
use wardroom_core::{Action, CustomerId, UserId, action::Resource};
use wardroom_wire::{api::List, desk::CustomerView, error::ErrorCode};

/// Which customers are wanted.
#[derive(Debug, Clone, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct CustomerQuery {
    /// With each of these words in name, address or number.
    pub(crate) text: Option<String>,
    /// That this account looks after, by id; `me` for one's own.
    pub(crate) operator: Option<String>,
    /// Continue behind this customer.
    pub(crate) after: Option<String>,
    /// At most so many, 1 to 200.
    #[param(minimum = 1, maximum = 200)]
    pub(crate) limit: Option<u32>,
}

/// The longest text that is searched for, in characters.
const TEXT_CHARS_MAX: usize = 200;

/// Customers, newest first, as far as the caller may read them.
#[utoipa::path(
    operation_id = "customers_list",
    get, path = "/api/v1/customers", tag = "customers", params(CustomerQuery),
    responses((status = 200, body = List<CustomerView>))
)]
pub(crate) async fn handler(
    ctx: Ctx,
    QueryOf(query): QueryOf<CustomerQuery>,
) -> Result<Json<List<CustomerView>>, ApiError> {
    load(&ctx, query).await.map(Json)
}

/// Customers, newest first.
pub(crate) async fn load(ctx: &Ctx, query: CustomerQuery) -> Result<List<CustomerView>, ApiError> {
    ctx.authorise(Action::CustomerList, &Resource::system()).await?;
    let operator: Option<UserId> = match query.operator.as_deref() {
        Some("me") => Some(ctx.user()?),
        other => filter("operator", other)?,
    };
    let page = page::<CustomerId>(query.after.as_deref(), query.limit)?;
    let text = query.text.unwrap_or_default();
    if text.chars().count() > TEXT_CHARS_MAX {
        return Err(ApiError::field("text", "must be at most 200 characters"));
    }
    let (ids, more) = search(ctx, &text, page.after, page.limit as usize, operator)?;
    let next = ids.last().filter(|_| more).map(ToString::to_string);
    let mut found = ctx.app.engine.store().lookup_customers(&ids).await?;
    found.sort_by_key(|customer| std::cmp::Reverse(customer.id));
    let mut items = Vec::with_capacity(found.len());
    for customer in &found {
        // The index may be a moment behind: what is shown is decided over what is stored.
        let resource = Resource::customer(customer.id, &customer.operators);
        if ctx.decide(Action::CustomerRead, &resource).allowed {
            items.push(super::show(ctx, customer).await?);
        }
    }
    Ok(List { items, next })
}

/// Customers that the caller sees and in which every word of `text` is.
pub(crate) fn search(
    ctx: &Ctx,
    text: &str,
    after: Option<CustomerId>,
    limit: usize,
    operator: Option<UserId>,
) -> Result<(Vec<CustomerId>, bool), ApiError> {
    let index = ctx.app.engine.customers();
    if !index.is_built() {
        return Err(ApiError::say(
            ErrorCode::Busy,
            "The index of customers is being built after the start: try again in a moment.",
        ));
    }
    let mut sight = Sight::new(ctx);
    Ok(index.search(text, after, limit, |id, entry| {
        operator.is_none_or(|operator| entry.operators.contains(&operator))
            && sight.sees(id, &entry.operators)
    }))
}
