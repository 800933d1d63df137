//! `/api/v1/threads`: the caller's conversations with agents. Nobody reads another one's, whatever their role.

pub(crate) mod begin;
pub(crate) mod branch;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod remove;
pub(crate) mod say;
pub(crate) mod turns;
pub(crate) mod update;

use super::agents::{self, run};
use crate::{
    api::input::id,
    context::{Authorised, Ctx},
    error::ApiError,
};
use wardroom_core::{Action, action::Resource, thread::Thread};
use wardroom_engine::agents::threads::Talk;
use wardroom_wire::{agents::AgentRunStart, api::RunView, threads::ThreadView};

/// The caller's conversation of this id, if they may do `action` to it.
pub(crate) async fn find(
    ctx: &Ctx,
    text: &str,
    action: Action,
) -> Result<(Thread, Authorised), ApiError> {
    let user = ctx.user()?;
    let allowed = ctx.authorise(action, &Resource::user(user)).await?;
    Ok((ctx.app.engine.thread(user, id(text)?).await?, allowed))
}

/// A conversation as the API tells it.
pub(crate) async fn view(ctx: &Ctx, thread: &Thread) -> Result<ThreadView, ApiError> {
    Ok(ThreadView {
        id: thread.id.to_string(),
        agent: thread.agent.clone(),
        title: ctx.app.engine.thread_title(thread).await?,
        created_at: thread.created_at.to_string(),
        updated_at: thread.updated_at.to_string(),
    })
}

/// Says something to an agent.
async fn turn(
    ctx: &Ctx,
    agent: &str,
    body: AgentRunStart,
    talk: Talk,
    idempotency_key: Option<String>,
) -> Result<RunView, ApiError> {
    let found = agents::find(ctx, agent, Action::AgentRun).await?;
    run::begin(ctx, found, body, Some(talk), idempotency_key).await
}

/// The caller's conversation of this id, to say something in it.
async fn own(ctx: &Ctx, text: &str) -> Result<Thread, ApiError> {
    Ok(ctx.app.engine.thread(ctx.user()?, id(text)?).await?)
}
