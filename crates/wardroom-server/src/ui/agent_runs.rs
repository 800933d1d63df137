//! What an agent did in a run, and where it is let work.

use super::{
    frame::{html, ids_of_records, ids_of_runs, name_ids, see_other, shell},
    pages::agent_run::{AgentRunPage, AgentStartForm},
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
    agents::{AgentRunStart, RunAnswer},
    api::RunView,
};

/// How many of its audit records a run's page shows.
const RECORDS_SHOWN: u32 = 50;
/// What of their texts a page shows, in bytes.
const BYTES_SHOWN: usize = 2 * 1024 * 1024;
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
        let (mut all, mut after) = (vec![], None);
        loop {
            let part = steps::load(ctx, &page.run.id, after).await?;
            let is_last = part.items.is_empty();
            after = part.next;
            all.extend(part.items);
            let bytes: usize =
                all.iter().map(|step| step.text.as_ref().map_or(0, String::len)).sum();
            if is_last || part.complete {
                break;
            }
            if all.len() >= STEPS_SHOWN || bytes >= BYTES_SHOWN {
                page.cut = true;
                break;
            }
        }
        page.take(all);
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

/// The form by which an agent is let work.
pub(super) fn form(ctx: &Ctx, definition: &Value) -> AgentStartForm {
    // A fresh key for each showing: sending one form twice makes one run.
    let key = RequestId::new(ctx.now(), ctx.app.engine.rng()).to_string();
    AgentStartForm::new(definition, key)
}

/// Lets an agent work and goes to its run.
pub(crate) async fn start(
    ctx: Ctx,
    Path(name): Path<String>,
    body: Bytes,
) -> Result<Response, ApiError> {
    let detail = get::load(&ctx, &name).await?;
    let form = form(&ctx, &detail.definition);
    let (mut prompt, mut key, mut variables) = (String::new(), None, Map::new());
    for (field, value) in form_urlencoded::parse(&body) {
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
    let body = AgentRunStart { prompt, variables };
    let run = run::act(&ctx, &name, body, key).await?;
    Ok(see_other(&format!("/runs/{}", run.id)))
}

/// Answers what an agent asks.
pub(crate) async fn reply(
    ctx: Ctx,
    Path(id): Path<String>,
    Form(form): Form<AnswerForm>,
) -> Result<Response, ApiError> {
    let again = form.again == "1";
    let body = RunAnswer { call: form.call, text: (!again).then_some(form.text), again };
    answer::act(&ctx, &id, body).await?;
    Ok(see_other(&format!("/runs/{id}")))
}
