//! `POST /api/v1/threads`

use super::{
    super::agents::run::{Accepted, accepted},
    turn,
};
use crate::{
    api::input::{Json, idempotency_key},
    context::Ctx,
    error::ApiError,
};
use axum::http::HeaderMap;
use wardroom_engine::agents::threads::Talk;
use wardroom_wire::{agents::AgentRunStart, api::RunView, error::Problem, threads::ThreadStart};

/// Begin a conversation with an agent, or go on in the last one. The answer is the last of the run's steps; `thread` of
/// the run says in which conversation.
#[utoipa::path(
    operation_id = "threads_begin",
    post, path = "/api/v1/threads", tag = "threads", request_body = ThreadStart,
    params(("Idempotency-Key" = Option<String>, Header, description = "makes a repeated request answer with the first one's run")),
    responses(
        (status = 202, body = RunView), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 422, body = Problem)
    )
)]
pub(crate) async fn handler(
    ctx: Ctx,
    headers: HeaderMap,
    Json(body): Json<ThreadStart>,
) -> Result<Accepted, ApiError> {
    act(&ctx, body, idempotency_key(&headers)?).await.map(accepted)
}

/// Begins it.
pub(crate) async fn act(
    ctx: &Ctx,
    body: ThreadStart,
    key: Option<String>,
) -> Result<RunView, ApiError> {
    let talk = if body.resume { Talk::Resume } else { Talk::New };
    let said = AgentRunStart { prompt: body.text, variables: body.variables };
    turn(ctx, &body.agent, said, talk, key).await
}
