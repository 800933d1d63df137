//! What an agent did in a run, and where it is let work.

use super::{
    frame::{html, ids_of_records, ids_of_runs, name_ids, see_other, shell},
    pages::{
        agent_run::{AgentRunPage, AgentStartForm},
        story::Story,
    },
};
use crate::{
    api::v1::{
        agents::{get, run},
        audit::{self, list::AuditQuery},
        runs::{self, answer, steps},
    },
    context::Ctx,
    error::ApiError,
};
use axum::{Form, body::Bytes, extract::Path, http::StatusCode, response::Response};
use serde::Deserialize;
use serde_json::{Map, Value};
use wardroom_core::{Action, RequestId};
use wardroom_wire::{
    agents::{AgentRunStart, RunAnswer, StepCallView, StepView},
    api::RunView,
};

/// How many of its audit records a run's page shows.
const RECORDS_SHOWN: u32 = 50;
/// What of their texts a page shows, in bytes.
pub(super) const BYTES_SHOWN: usize = 2 * 1024 * 1024;
/// Steps that a page shows.
const STEPS_SHOWN: usize = 2000;
/// What stands before a variable's name in the form.
pub(super) const PREFIX: &str = "variable.";

/// What a person says to a call that waits.
#[derive(Debug, Deserialize)]
pub(crate) struct AnswerForm {
    call: String,
    #[serde(default)]
    text: String,
    #[serde(default)]
    again: String,
}

/// The page of an agent's run.
pub(super) async fn show(ctx: &Ctx, view: RunView) -> Result<Response, ApiError> {
    let resource = ctx.run_resource(&runs::find(ctx, &view.id).await?).await?;
    let may = |action: Action| ctx.decide(action, &resource).allowed;
    let mut page = AgentRunPage::new(shell(ctx, "/runs"), view);
    page.may_cancel = may(Action::RunCancel);
    page.may_answer = may(Action::RunAnswer);
    if may(Action::RunSteps) {
        let (steps, cut) = steps_of(ctx, &page.run.id, &mut { BYTES_SHOWN }).await?;
        (page.story, page.cut) = (Some(Story::of(steps)), cut);
    }
    if ctx.may(Action::AuditRead) {
        let target = Some(page.run.id.clone());
        let query = AuditQuery { target, limit: Some(RECORDS_SHOWN), ..Default::default() };
        let mut records = audit::list::load(ctx, query).await?.items;
        records.reverse();
        page.records = Some(records);
    }
    let ids = [ids_of_runs([&page.run]), ids_of_records(page.records.iter().flatten())];
    name_ids(ctx, &mut page.shell, ids.concat()).await?;
    html(StatusCode::OK, &page)
}

/// The steps of a run, as many as a page shows that has room for `bytes`; whether there are more.
pub(super) async fn steps_of(
    ctx: &Ctx,
    run: &str,
    bytes: &mut usize,
) -> Result<(Vec<StepView>, bool), ApiError> {
    let (mut all, mut after) = (vec![], None);
    loop {
        let part = steps::load(ctx, run, after).await?;
        let is_last = part.items.is_empty() || part.complete;
        after = part.next;
        let taken: usize = part.items.iter().map(length).sum();
        *bytes = bytes.saturating_sub(taken);
        all.extend(part.items);
        if is_last {
            return Ok((all, false));
        }
        if all.len() >= STEPS_SHOWN || *bytes == 0 {
            return Ok((all, true));
        }
    }
}

/// How long a step is on a page, in bytes.
fn length(step: &StepView) -> usize {
    let arguments = |call: &StepCallView| {
        call.arguments.values().map(|value| value.to_string().len()).sum::<usize>()
    };
    step.text.as_ref().map_or(0, String::len) + step.calls.iter().map(arguments).sum::<usize>()
}

/// A key for a form: sending one form twice makes one run.
pub(super) fn fresh_key(ctx: &Ctx) -> String {
    RequestId::new(ctx.now(), ctx.app.engine.rng()).to_string()
}

/// The form by which an agent is let work.
pub(super) fn form(ctx: &Ctx, definition: &Value) -> AgentStartForm {
    AgentStartForm::new(definition, fresh_key(ctx))
}

/// Lets an agent work and goes to its run.
pub(crate) async fn start(
    ctx: Ctx,
    Path(name): Path<String>,
    body: Bytes,
) -> Result<Response, ApiError> {
    let (body, key) = typed(&ctx, &name, &body).await?;
    let run = run::act(&ctx, &name, body, key).await?;
    Ok(see_other(&format!("/runs/{}", run.id)))
}

/// What was typed into the form of the agent `name`, and the form's key.
pub(super) async fn typed(
    ctx: &Ctx,
    name: &str,
    body: &[u8],
) -> Result<(AgentRunStart, Option<String>), ApiError> {
    let detail = get::load(ctx, name).await?;
    let form = form(ctx, &detail.definition);
    let (mut prompt, mut key, mut variables) = (String::new(), None, Map::new());
    for (field, value) in form_urlencoded::parse(body) {
        match (&*field, field.strip_prefix(PREFIX)) {
            ("prompt", _) => prompt = value.into_owned(),
            ("key", _) => key = Some(value.into_owned()),
            // What is left empty is what holds where nothing is given.
            (_, Some(name)) if !value.trim().is_empty() => {
                variables.insert(name.to_owned(), form.value(name, &value));
            }
            _ => {}
        }
    }
    Ok((AgentRunStart { prompt, variables }, key))
}

/// Answers what an agent asks.
pub(crate) async fn reply(
    ctx: Ctx,
    Path(id): Path<String>,
    Form(form): Form<AnswerForm>,
) -> Result<Response, ApiError> {
    let again = form.again == "1";
    let body = RunAnswer { call: form.call, text: (!again).then_some(form.text), again };
    let run = answer::act(&ctx, &id, body).await?;
    Ok(see_other(&page_of(&ctx, &run)?))
}

/// Where a run is followed: in its conversation, where it is a turn of one of the viewer's.
pub(super) fn page_of(ctx: &Ctx, run: &RunView) -> Result<String, ApiError> {
    let own = run.submitted_by == ctx.user()?.to_string();
    Ok(match run.thread.as_ref().filter(|_| own) {
        Some(thread) => format!("/threads/{thread}"),
        None => format!("/runs/{}", run.id),
    })
}
