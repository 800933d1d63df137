//! Customers.

pub(crate) mod assign;
pub(crate) mod create;
pub(crate) mod disclose;
pub(crate) mod erase;
pub(crate) mod export;
pub(crate) mod get;
pub(crate) mod import;
pub(crate) mod list;
pub(crate) mod update;

use crate::{context::Ctx, error::ApiError, view};
use wardroom_core::{Action, action::Resource, desk::customer::Customer};
use wardroom_wire::desk::CustomerView;

/// The customer with this id, if the caller may do `action` to it.
pub(crate) async fn find(
    ctx: &Ctx,
    text: &str,
    action: Action,
) -> Result<(Customer, crate::context::Authorised), ApiError> {
    let id = crate::api::input::id(text)?;
    let customer = ctx.app.engine.customer(id).await?;
    let resource = Resource::customer(customer.id, &customer.operators);
    let allowed = ctx.authorise(action, &resource).await?;
    Ok((customer, allowed))
}

/// A customer for whoever may read it.
pub(crate) async fn show(ctx: &Ctx, customer: &Customer) -> Result<CustomerView, ApiError> {
    view::customer(&ctx.app, customer).await
}
