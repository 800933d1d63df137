//! `GET /api/v1/users`

use super::super::super::input::{QueryOf, filter, page};
use crate::{context::Ctx, error::ApiError, view};
use axum::Json;
use serde::Deserialize;
use wardroom_core::{Action, action::Resource, store::UserFilter};
use wardroom_wire::{api::List, identity::UserView};

/// Which accounts are wanted.
#[derive(Debug, Clone, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct UserQuery {
    /// Of this role.
    pub(crate) role: Option<String>,
    /// `invited`, `active`, `disabled` or `erased`; without it, all but the erased ones.
    pub(crate) state: Option<String>,
    /// Of this customer, by id.
    pub(crate) customer: Option<String>,
    /// Continue behind this account.
    pub(crate) after: Option<String>,
    /// At most so many, 1 to 200.
    #[param(minimum = 1, maximum = 200)]
    pub(crate) limit: Option<u32>,
}

/// Accounts, newest first.
#[utoipa::path(
    operation_id = "users_list",
    get, path = "/api/v1/users", tag = "users", params(UserQuery),
    responses((status = 200, body = List<UserView>))
)]
pub(crate) async fn handler(
    ctx: Ctx,
    QueryOf(query): QueryOf<UserQuery>,
) -> Result<Json<List<UserView>>, ApiError> {
    load(&ctx, query).await.map(Json)
}

/// Accounts, newest first.
pub(crate) async fn load(ctx: &Ctx, query: UserQuery) -> Result<List<UserView>, ApiError> {
    ctx.authorise(Action::UserList, &Resource::system()).await?;
    let wanted = UserFilter {
        role: filter("role", query.role.as_deref())?,
        state: filter("state", query.state.as_deref())?,
        customer: filter("customer", query.customer.as_deref())?,
    };
    let page = page(query.after.as_deref(), query.limit)?;
    let found = ctx.app.engine.store().list_users(&wanted, page).await?;
    let mut items = Vec::with_capacity(found.items.len());
    for user in &found.items {
        if ctx.decide(Action::UserRead, &Resource::user(user.id)).allowed {
            items.push(view::user(&ctx.app, user).await?);
        }
    }
    Ok(List { items, next: found.next.map(|id| id.to_string()) })
}
