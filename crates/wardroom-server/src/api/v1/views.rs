//! `/api/v1/views`: filters that people keep

use super::super::input::{Json, QueryOf, id};
use crate::{context::Ctx, error::ApiError};
use axum::{extract::Path, http::StatusCode};
use serde::Deserialize;
use wardroom_core::{Action, SavedViewId, action::Resource, desk::SavedView};
use wardroom_wire::{
    api::List,
    desk::{SavedViewPut, SavedViewView},
    error::Problem,
};

fn show(view: &SavedView) -> SavedViewView {
    SavedViewView {
        id: view.id.to_string(),
        list: view.list.clone(),
        name: view.name.clone(),
        query: view.query.clone(),
    }
}

/// Which views are wanted.
#[derive(Debug, Clone, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct ViewQuery {
    /// Of this list only: `customers` or `requests`.
    list: Option<String>,
}

/// The caller's saved views, by list and name; all of them.
#[utoipa::path(
    operation_id = "views_list",
    get, path = "/api/v1/views", tag = "account", params(ViewQuery),
    responses((status = 200, body = List<SavedViewView>))
)]
pub(crate) async fn list(
    ctx: Ctx,
    QueryOf(query): QueryOf<ViewQuery>,
) -> Result<axum::Json<List<SavedViewView>>, ApiError> {
    let items = load(&ctx, query.list.as_deref()).await?;
    Ok(axum::Json(List { items, next: None }))
}

/// The caller's saved views.
pub(crate) async fn load(ctx: &Ctx, list: Option<&str>) -> Result<Vec<SavedViewView>, ApiError> {
    let user = ctx.user()?;
    ctx.authorise(Action::ViewList, &Resource::user(user)).await?;
    Ok(ctx.app.engine.store().list_views(user, list).await?.iter().map(show).collect())
}

/// Keep filters under a name, in place of what had it before.
#[utoipa::path(
    operation_id = "views_put",
    put, path = "/api/v1/views", tag = "account", request_body = SavedViewPut,
    responses((status = 200, body = SavedViewView), (status = 422, body = Problem))
)]
pub(crate) async fn put(
    ctx: Ctx,
    Json(body): Json<SavedViewPut>,
) -> Result<axum::Json<SavedViewView>, ApiError> {
    save(&ctx, &body).await.map(axum::Json)
}

/// Keeps them.
pub(crate) async fn save(ctx: &Ctx, body: &SavedViewPut) -> Result<SavedViewView, ApiError> {
    let user = ctx.user()?;
    let allowed = ctx.authorise(Action::ViewSave, &Resource::user(user)).await?;
    let (engine, audit) = (&ctx.app.engine, allowed.draft(ctx));
    Ok(show(&engine.save_view(user, &body.list, &body.name, &body.query, audit).await?))
}

/// Forget a saved view.
#[utoipa::path(
    operation_id = "views_remove",
    delete, path = "/api/v1/views/{id}", tag = "account", params(("id" = String, Path)),
    responses((status = 204), (status = 404, body = Problem))
)]
pub(crate) async fn remove(ctx: Ctx, Path(view): Path<String>) -> Result<StatusCode, ApiError> {
    forget(&ctx, &view).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Forgets it.
pub(crate) async fn forget(ctx: &Ctx, view: &str) -> Result<(), ApiError> {
    let user = ctx.user()?;
    let allowed = ctx.authorise(Action::ViewRemove, &Resource::user(user)).await?;
    let view: SavedViewId = id(view)?;
    Ok(ctx.app.engine.remove_view(user, view, allowed.draft(ctx)).await?)
}
