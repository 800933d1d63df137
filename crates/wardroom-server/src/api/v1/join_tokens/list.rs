//! `GET /api/v1/join-tokens`

use super::super::super::input::{PageQuery, QueryOf, page};
use crate::{context::Ctx, error::ApiError, view};
use axum::Json;
use wardroom_core::{Action, action::Resource};
use wardroom_wire::api::{JoinTokenView, List};

/// Join tokens, newest first.
#[utoipa::path(
    operation_id = "join_tokens_list",
    get, path = "/api/v1/join-tokens", tag = "nodes", params(PageQuery),
    responses((status = 200, body = List<JoinTokenView>))
)]
pub(crate) async fn handler(
    ctx: Ctx,
    QueryOf(query): QueryOf<PageQuery>,
) -> Result<Json<List<JoinTokenView>>, ApiError> {
    load(&ctx, query.after, query.limit).await.map(Json)
}

/// Join tokens.
pub(crate) async fn load(
    ctx: &Ctx,
    after: Option<String>,
    limit: Option<u32>,
) -> Result<List<JoinTokenView>, ApiError> {
    ctx.authorise(Action::JoinTokenList, &Resource::system()).await?;
    let page = page(after.as_deref(), limit)?;
    let found = ctx.app.engine.store().list_join_tokens(page).await?;
    let now = ctx.now();
    Ok(List {
        items: found.items.iter().map(|token| view::join_token(token, now)).collect(),
        next: found.next.map(|id| id.to_string()),
    })
}
