//! `GET /api/v1/requests/{id}`

use crate::{api::version::etag, context::Ctx, error::ApiError, view};
use axum::{Json, extract::Path, http::HeaderMap};
use wardroom_core::{Action, Role, action::Resource, page::PageRequest, store::RunFilter};
use wardroom_engine::runs::sentence;
use wardroom_wire::{
    desk::{NoteView, RequestDetail, RequestRunView},
    error::Problem,
};

/// Runs of a request that are shown.
const RUNS_MAX: u32 = 50;

/// A request with what was filled in, its runs, what was said about it and its files.
#[utoipa::path(
    operation_id = "requests_get",
    get, path = "/api/v1/requests/{id}", tag = "requests", params(("id" = String, Path)),
    responses((status = 200, body = RequestDetail), (status = 404, body = Problem))
)]
pub(crate) async fn handler(
    ctx: Ctx,
    Path(id): Path<String>,
) -> Result<(HeaderMap, Json<RequestDetail>), ApiError> {
    let detail = load(&ctx, &id).await?;
    Ok((etag(detail.request.version)?, Json(detail)))
}

/// A request with all that belongs to it.
pub(crate) async fn load(ctx: &Ctx, id: &str) -> Result<RequestDetail, ApiError> {
    let (request, _) = super::find(ctx, id, Action::RequestRead).await?;
    let (engine, store) = (&ctx.app.engine, ctx.app.engine.store());
    let inside = ctx.decide(Action::RequestNoteInternal, &Resource::request(&request)).allowed;
    let filter = RunFilter { request: Some(request.id), top_level: true, ..RunFilter::default() };
    let mut runs = Vec::new();
    for run in store.list_runs(&filter, PageRequest::new(None, RUNS_MAX)).await?.items {
        if ctx.decide(Action::RunRead, &ctx.run_resource(&run).await?).allowed {
            runs.push(RequestRunView {
                id: run.id.to_string(),
                state: run.state.as_str().to_owned(),
                message: run.outcome.as_ref().map(sentence),
                queued_at: run.queued_at.to_string(),
                finished_at: run.finished_at.map(|at| at.to_string()),
            });
        }
    }
    let mut notes = Vec::new();
    for note in store.list_notes(request.id).await? {
        if note.internal && !inside {
            continue;
        }
        let (mut author_name, mut staff) = (None, true);
        let seen =
            note.author.filter(|id| ctx.decide(Action::UserRead, &Resource::user(*id)).allowed);
        if let Some(user) = match note.author {
            Some(id) => store.lookup_user(id).await?,
            None => None,
        } {
            staff = user.role != Role::Customer;
            // Colleagues of one customer know each other; those who work here are not named to them.
            if seen.is_some() || (!staff && user.customer == ctx.principal.customer()) {
                author_name = Some(engine.profile(&user).await?.shown().to_owned());
            }
        }
        notes.push(NoteView {
            id: note.id.to_string(),
            author: seen.map(|id| id.to_string()),
            author_name,
            staff,
            internal: note.internal,
            text: engine.note_text(request.customer, &note).await?,
            created_at: note.created_at.to_string(),
        });
    }
    let mut attachments = Vec::new();
    for attachment in store.list_attachments(request.id).await? {
        attachments.push(view::attachment(&ctx.app, &attachment).await?);
    }
    Ok(RequestDetail {
        request: super::show(ctx, &request).await?,
        values: engine.order_of(&request).await?.values,
        runs,
        notes,
        attachments,
    })
}
