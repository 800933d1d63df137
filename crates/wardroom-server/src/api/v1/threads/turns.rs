//! `GET /api/v1/threads/{id}/turns`

use super::find;
use crate::{
    api::input::{PageQuery, QueryOf, page},
    context::Ctx,
    error::ApiError,
    view,
};
use axum::{Json, extract::Path};
use wardroom_core::Action;
use wardroom_wire::{api::List, error::Problem, threads::TurnView};

/// The turns of a conversation, the last first. What was said in one are its run's steps.
#[utoipa::path(
    operation_id = "threads_turns",
    get, path = "/api/v1/threads/{id}/turns", tag = "threads", params(("id" = String, Path), PageQuery),
    responses((status = 200, body = List<TurnView>), (status = 404, body = Problem))
)]
pub(crate) async fn handler(
    ctx: Ctx,
    Path(id): Path<String>,
    QueryOf(query): QueryOf<PageQuery>,
) -> Result<Json<List<TurnView>>, ApiError> {
    load(&ctx, &id, query).await.map(Json)
}

/// Turns.
pub(crate) async fn load(
    ctx: &Ctx,
    id: &str,
    query: PageQuery,
) -> Result<List<TurnView>, ApiError> {
    let (thread, _) = find(ctx, id, Action::ThreadRead).await?;
    let page = page(query.after.as_deref(), query.limit)?;
    let store = ctx.app.engine.store();
    let found = store.list_turns(thread.id, page).await?;
    let mut items = Vec::with_capacity(found.items.len());
    for turn in found.items {
        let run = store.lookup_run(turn.run).await?.ok_or_else(ApiError::not_found)?;
        items.push(TurnView { seq: turn.seq, run: view::run(ctx, &run).await? });
    }
    Ok(List { items, next: found.next.map(|next| next.to_string()) })
}
