//! `POST /api/v1/threads/{id}/turns`

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
use wardroom_wire::{agents::AgentRunStart, api::RunView, error::Problem, threads::TurnStart};

/// Say something in a conversation. The turn before must be over.
#[utoipa::path(
    operation_id = "threads_say",
    post, path = "/api/v1/threads/{id}/turns", tag = "threads", request_body = TurnStart,
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
    Json(body): Json<TurnStart>,
) -> Result<Accepted, ApiError> {
    act(&ctx, &id, body, idempotency_key(&headers)?).await.map(accepted)
}

/// Says it.
pub(crate) async fn act(
    ctx: &Ctx,
    id: &str,
    body: TurnStart,
    key: Option<String>,
) -> Result<RunView, ApiError> {
    let thread = own(ctx, id).await?;
    let said = AgentRunStart { prompt: body.text, variables: body.variables };
    turn(ctx, &thread.agent, said, Talk::Next(thread.id), key).await
}
