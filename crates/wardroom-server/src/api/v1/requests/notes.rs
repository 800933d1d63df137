//! `POST /api/v1/requests/{id}/notes`

use super::super::super::input::Json;
use crate::{context::Ctx, error::ApiError};
use axum::{extract::Path, http::StatusCode};
use wardroom_core::{Action, action::Resource};
use wardroom_wire::{desk::NoteCreate, error::Problem};

/// Say something about a request: for all who may read it, or only for those who work on it.
#[utoipa::path(
    operation_id = "requests_note",
    post, path = "/api/v1/requests/{id}/notes", tag = "requests", request_body = NoteCreate,
    params(("id" = String, Path)),
    responses((status = 204), (status = 404, body = Problem), (status = 422, body = Problem))
)]
pub(crate) async fn handler(
    ctx: Ctx,
    Path(id): Path<String>,
    Json(body): Json<NoteCreate>,
) -> Result<StatusCode, ApiError> {
    act(&ctx, &id, body).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Says it.
pub(crate) async fn act(ctx: &Ctx, id: &str, body: NoteCreate) -> Result<(), ApiError> {
    let (request, mut allowed) = super::find(ctx, id, Action::RequestNote).await?;
    if body.internal {
        let resource = Resource::request(&request);
        allowed = ctx.authorise(Action::RequestNoteInternal, &resource).await?;
    }
    let (engine, audit) = (&ctx.app.engine, allowed.draft(ctx));
    engine.add_note(&request, &body.text, body.internal, ctx.principal.user(), audit).await?;
    Ok(())
}
