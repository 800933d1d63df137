//! `POST /api/v1/runs/{id}/answers`

use crate::{api::input::Json, context::Ctx, error::ApiError, view};
use axum::extract::Path;
use wardroom_core::Action;
use wardroom_engine::agents::work::Reply;
use wardroom_wire::{agents::RunAnswer, api::RunView, error::Problem};

/// Answer what an agent asks, or say what became of a call of which nobody knows.
#[utoipa::path(
    operation_id = "runs_answer",
    post, path = "/api/v1/runs/{id}/answers", tag = "runs", params(("id" = String, Path)),
    request_body = RunAnswer,
    responses(
        (status = 200, body = RunView), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 422, body = Problem)
    )
)]
pub(crate) async fn handler(
    ctx: Ctx,
    Path(id): Path<String>,
    Json(body): Json<RunAnswer>,
) -> Result<axum::Json<RunView>, ApiError> {
    act(&ctx, &id, body).await.map(axum::Json)
}

/// Answers what a run waits for.
pub(crate) async fn act(ctx: &Ctx, text: &str, body: RunAnswer) -> Result<RunView, ApiError> {
    let run = super::find(ctx, text).await?;
    let allowed = ctx.authorise(Action::RunAnswer, &ctx.run_resource(&run).await?).await?;
    let reply = match (body.text, body.again) {
        (Some(text), false) => Reply::Text(text),
        (None, true) => Reply::Again,
        _ => return Err(ApiError::field("text", "give exactly one of text and again")),
    };
    let answered =
        ctx.app.engine.answer_run(run.id, &body.call, &reply, allowed.draft(ctx)).await?;
    view::run(ctx, &answered).await
}
