//! `POST /api/v1/agents/{name}/runs`

use super::find;
use crate::{
    api::input::{Json, idempotency_key},
    context::{Authorised, Ctx},
    error::ApiError,
    view,
};
use axum::{
    extract::Path,
    http::{HeaderMap, HeaderName, StatusCode, header},
};
use std::sync::Arc;
use wardroom_core::{Action, agent::Agent};
use wardroom_engine::agents::{threads::Talk, work::AgentStart};
use wardroom_wire::{agents::AgentRunStart, api::RunView, error::Problem};

/// A run that was begun, and where it is.
pub(crate) type Accepted = (StatusCode, [(HeaderName, String); 1], axum::Json<RunView>);

/// Says that a run was begun.
pub(crate) fn accepted(run: RunView) -> Accepted {
    let location = [(header::LOCATION, format!("/api/v1/runs/{}", run.id))];
    (StatusCode::ACCEPTED, location, axum::Json(run))
}

/// Let an agent work for oneself. Its answer is the last of its run's steps.
#[utoipa::path(
    operation_id = "agents_run",
    post, path = "/api/v1/agents/{name}/runs", tag = "agents", request_body = AgentRunStart,
    params(("name" = String, Path), ("Idempotency-Key" = Option<String>, Header, description = "makes a repeated request answer with the first one's run")),
    responses(
        (status = 202, body = RunView), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 422, body = Problem)
    )
)]
pub(crate) async fn handler(
    ctx: Ctx,
    Path(name): Path<String>,
    headers: HeaderMap,
    Json(body): Json<AgentRunStart>,
) -> Result<Accepted, ApiError> {
    act(&ctx, &name, body, idempotency_key(&headers)?).await.map(accepted)
}

/// Lets an agent work.
pub(crate) async fn act(
    ctx: &Ctx,
    name: &str,
    body: AgentRunStart,
    idempotency_key: Option<String>,
) -> Result<RunView, ApiError> {
    let (agent, allowed) = find(ctx, name, Action::AgentRun).await?;
    begin(ctx, (agent, allowed), body, None, idempotency_key).await
}

/// Lets an agent work that the caller may let work, where in a conversation that is in a turn of it.
pub(crate) async fn begin(
    ctx: &Ctx,
    (agent, allowed): (Agent, Authorised),
    body: AgentRunStart,
    talk: Option<Talk>,
    idempotency_key: Option<String>,
) -> Result<RunView, ApiError> {
    let start = AgentStart {
        reading: None,
        user: ctx.user()?,
        agent: Arc::new(agent),
        prompt: body.prompt,
        variables: body.variables,
        authority: ctx.proof().authority(ctx.info.door),
        idempotency_key,
        parent: None,
        talk,
    };
    let run = ctx.app.engine.start_agent(start, allowed.draft(ctx)).await?;
    view::run(ctx, &run).await
}
