//! `GET /api/v1/tokens`

use super::super::super::input::{PageQuery, QueryOf, page};
use crate::{context::Ctx, error::ApiError, view};
use axum::Json;
use wardroom_core::{Action, action::Resource};
use wardroom_wire::{api::List, identity::TokenView};

/// The caller's API tokens, newest first.
#[utoipa::path(
    operation_id = "tokens_list",
    get, path = "/api/v1/tokens", tag = "account", params(PageQuery),
    responses((status = 200, body = List<TokenView>))
)]
pub(crate) async fn handler(
    ctx: Ctx,
    QueryOf(query): QueryOf<PageQuery>,
) -> Result<Json<List<TokenView>>, ApiError> {
    load(&ctx, query.after, query.limit).await.map(Json)
}

/// The caller's API tokens.
pub(crate) async fn load(
    ctx: &Ctx,
    after: Option<String>,
    limit: Option<u32>,
) -> Result<List<TokenView>, ApiError> {
    let user = ctx.user()?;
    ctx.authorise(Action::TokenList, &Resource::user(user)).await?;
    let page = page(after.as_deref(), limit)?;
    let found = ctx.app.engine.store().list_api_tokens(user, page).await?;
    Ok(List {
        items: found.items.iter().map(view::token).collect(),
        next: found.next.map(|id| id.to_string()),
    })
}
