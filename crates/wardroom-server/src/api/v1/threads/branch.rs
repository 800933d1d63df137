//! `POST /api/v1/threads/{id}/branches`

use super::{
    super::agents::run::{Accepted, accepted},
    own, turn,
};
use crate::{
    api::input::{Json, idempotency_key},
    context::Ctx,
    error::ApiError,
};
use axum::{extract::Path, http::HeaderMap};
use wardroom_engine::agents::threads::Talk;
use wardroom_wire::{agents::AgentRunStart, api::RunView, error::Problem, threads::ThreadBranch};

/// Go another way from a turn on: a new conversation that has the turns before it. Without a text, what was said there is
/// said again.
#[utoipa::path(
    operation_id = "threads_branch",
    post, path = "/api/v1/threads/{id}/branches", tag = "threads", request_body = ThreadBranch,
    params(("id" = String, Path), ("Idempotency-Key" = Option<String>, Header, description = "makes a repeated request answer with the first one's run")),
    responses(
        (status = 202, body = RunView), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 422, body = Problem)
    )
)]
pub(crate) async fn handler(
    ctx: Ctx,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(body): Json<ThreadBranch>,
) -> Result<Accepted, ApiError> {
    act(&ctx, &id, body, idempotency_key(&headers)?).await.map(accepted)
}

/// Goes another way.
pub(crate) async fn act(
    ctx: &Ctx,
    id: &str,
    body: ThreadBranch,
    key: Option<String>,
) -> Result<RunView, ApiError> {
    let thread = own(ctx, id).await?;
    let talk = Talk::Branch { from: thread.id, before: body.before };
    let prompt = match body.text {
        Some(text) if text.trim().is_empty() => {
            return Err(ApiError::field(
                "text",
                "say something, or leave it out to say the same again",
            ));
        }
        text => text.unwrap_or_default(),
    };
    let said = AgentRunStart { prompt, variables: body.variables };
    turn(ctx, &thread.agent, said, talk, key).await
}
