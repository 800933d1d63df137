//! `/threads`: conversations with agents.

use super::{
    agent_runs::{BYTES_SHOWN, fresh_key, steps_of},
    frame::{html, ids_of_runs, name_ids, see_other, shell},
    pages::{
        story::Story,
        threads::{ShownTurn, ThreadPage, ThreadsPage},
    },
};
use crate::{
    api::{
        input::{PageQuery, QueryOf},
        v1::{
            agents::list as agents,
            runs,
            threads::{
                begin, branch, get,
                list::{self, ThreadQuery},
                remove as forget, say as turn, turns, update,
            },
        },
    },
    context::Ctx,
    error::ApiError,
};
use axum::{Form, body::Bytes, extract::Path, http::StatusCode, response::Response};
use serde::Deserialize;
use serde_json::Map;
use wardroom_core::{Action, action::Resource, agent::Mode, page::PAGE_ITEMS_MAX};
use wardroom_wire::threads::{ThreadBranch, ThreadPatch, ThreadStart, TurnStart};

/// Conversations on one page.
const SHOWN_MAX: u32 = 50;
/// Turns on one page.
const TURNS_SHOWN: u32 = 10;

/// Which page.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ThreadsQuery {
    after: Option<String>,
}

/// Which part of a conversation.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct TalkQuery {
    before: Option<String>,
}

/// Something that is said.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SayForm {
    #[serde(rename = "csrf", default)]
    _csrf: String,
    text: String,
    key: Option<String>,
}

/// Something that is said otherwise, or again.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BranchForm {
    #[serde(rename = "csrf", default)]
    _csrf: String,
    before: u32,
    text: Option<String>,
}

/// What a conversation is called.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TitleForm {
    #[serde(rename = "csrf", default)]
    _csrf: String,
    title: String,
}

/// One's own conversations.
pub(crate) async fn page(
    ctx: Ctx,
    QueryOf(query): QueryOf<ThreadsQuery>,
) -> Result<Response, ApiError> {
    let later = query.after.is_some();
    let part = ThreadQuery { after: query.after, limit: Some(SHOWN_MAX), agent: None };
    let list = list::load(&ctx, part).await?;
    let mut found = vec![];
    if ctx.may(Action::AgentList) {
        let part = PageQuery { after: None, limit: Some(PAGE_ITEMS_MAX) };
        found = agents::load(&ctx, part).await?.items;
        let may = |name: &str| ctx.decide(Action::AgentRun, &Resource::agent(name)).allowed;
        found.retain(|agent| agent.mode == Mode::Continuous.as_str() && may(&agent.name));
    }
    let shell = shell(&ctx, "/threads");
    html(StatusCode::OK, &ThreadsPage { shell, list, later, agents: found })
}

/// A conversation.
pub(crate) async fn show(
    ctx: Ctx,
    Path(id): Path<String>,
    QueryOf(query): QueryOf<TalkQuery>,
) -> Result<Response, ApiError> {
    let thread = get::load(&ctx, &id).await?;
    let is_earlier = query.before.is_some();
    let part = PageQuery { after: query.before, limit: Some(TURNS_SHOWN) };
    let found = turns::load(&ctx, &id, part).await?;
    let (mut shown, mut older, mut bytes) = (vec![], found.next, BYTES_SHOWN);
    for turn in found.items {
        if bytes == 0 {
            // It begins the page before this one.
            older = Some((turn.seq + 1).to_string());
            break;
        }
        let resource = ctx.run_resource(&runs::find(&ctx, &turn.run.id).await?).await?;
        let may = |action: Action| ctx.decide(action, &resource).allowed;
        let (steps, cut) = match may(Action::RunSteps) {
            true => steps_of(&ctx, &turn.run.id, &mut bytes).await?,
            false => (vec![], false),
        };
        let (story, may_answer) = (Story::of(steps), may(Action::RunAnswer));
        shown.push(ShownTurn { seq: turn.seq, run: turn.run, story, cut, may_answer });
    }
    shown.reverse();
    let agent = ctx.app.engine.store().lookup_agent(&thread.agent).await?;
    let resource = Resource::agent(&thread.agent);
    let may_say = agent.is_some() && ctx.decide(Action::AgentRun, &resource).allowed;
    let provider = agent.map(|agent| agent.definition.model.provider);
    let provider = provider.and_then(|name| ctx.app.engine.models().get(&name));
    let scripted = provider.is_some_and(|provider| provider.parts().kind == "scripted");
    let mut page = ThreadPage {
        shell: shell(&ctx, "/threads"),
        thread,
        turns: shown,
        older,
        is_earlier,
        may_say,
        key: fresh_key(&ctx),
        scripted,
    };
    let ids = ids_of_runs(page.turns.iter().map(|turn| &turn.run));
    name_ids(&ctx, &mut page.shell, ids).await?;
    html(StatusCode::OK, &page)
}

/// Where a conversation goes on.
fn end_of(thread: Option<String>, run: &str) -> Response {
    match thread {
        Some(thread) => see_other(&format!("/threads/{thread}#say")),
        None => see_other(&format!("/runs/{run}")),
    }
}

/// Begins a conversation.
pub(crate) async fn start(ctx: Ctx, body: Bytes) -> Result<Response, ApiError> {
    let mut agent = String::new();
    for (field, value) in form_urlencoded::parse(&body) {
        if field == "agent" {
            agent = value.into_owned();
        }
    }
    let (said, key) = super::agent_runs::typed(&ctx, &agent, &body).await?;
    let body = ThreadStart { agent, text: said.prompt, variables: said.variables, resume: false };
    let run = begin::act(&ctx, body, key).await?;
    Ok(end_of(run.thread, &run.id))
}

/// Says something.
pub(crate) async fn say(
    ctx: Ctx,
    Path(id): Path<String>,
    Form(form): Form<SayForm>,
) -> Result<Response, ApiError> {
    let body = TurnStart { text: form.text, variables: Map::new() };
    let run = turn::act(&ctx, &id, body, form.key).await?;
    Ok(end_of(run.thread, &run.id))
}

/// Says something otherwise, or again.
pub(crate) async fn otherwise(
    ctx: Ctx,
    Path(id): Path<String>,
    Form(form): Form<BranchForm>,
) -> Result<Response, ApiError> {
    let body = ThreadBranch { before: form.before, text: form.text, variables: Map::new() };
    let run = branch::act(&ctx, &id, body, None).await?;
    Ok(end_of(run.thread, &run.id))
}

/// Calls a conversation otherwise.
pub(crate) async fn rename(
    ctx: Ctx,
    Path(id): Path<String>,
    Form(form): Form<TitleForm>,
) -> Result<Response, ApiError> {
    update::act(&ctx, &id, &ThreadPatch { title: form.title }).await?;
    Ok(see_other(&format!("/threads/{id}")))
}

/// Forgets a conversation.
pub(crate) async fn remove(ctx: Ctx, Path(id): Path<String>) -> Result<Response, ApiError> {
    forget::act(&ctx, &id).await?;
    Ok(see_other("/threads"))
}
