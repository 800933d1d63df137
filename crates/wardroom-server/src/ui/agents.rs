//! `/agents`

use super::{
    frame::{html, name_ids, said, see_other, shell},
    pages::{
        agents::{AgentPage, AgentsPage, SAMPLE},
        difference,
    },
};
use crate::{
    api::{
        input::QueryOf,
        v1::agents::{get, list, put, remove, versions},
    },
    context::Ctx,
    error::ApiError,
};
use axum::{Form, extract::Path, http::StatusCode, response::Response};
use serde::Deserialize;
use wardroom_core::{Action, action::Resource};
use wardroom_engine::agents::read;
use wardroom_wire::{agents::AgentPut, error::ErrorCode};

/// Which page.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct AgentsQuery {
    /// `1` for a new agent.
    new: String,
}

/// Which version stands in the form.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct AgentQuery {
    /// Its number.
    from: Option<i64>,
}

/// The editor's form.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AgentForm {
    #[serde(rename = "csrf", default)]
    _csrf: String,
    /// The agent on whose page it stands; empty for a new one.
    #[serde(default)]
    agent: String,
    text: String,
    #[serde(default)]
    note: String,
    base: i64,
}

/// What the form holds and what came of it.
#[derive(Default)]
struct Tried {
    text: Option<String>,
    note: String,
    mistakes: Vec<String>,
    compare: bool,
}

/// The agents, or the form of a new one.
pub(crate) async fn page(
    ctx: Ctx,
    QueryOf(query): QueryOf<AgentsQuery>,
) -> Result<Response, ApiError> {
    let list = list::load(&ctx).await?;
    if query.new == "1" && ctx.may(Action::AgentUpdate) {
        return edit(&ctx, None, Tried::default()).await;
    }
    html(StatusCode::OK, &AgentsPage { shell: shell(&ctx, "/agents"), list })
}

/// One agent.
pub(crate) async fn show(
    ctx: Ctx,
    Path(name): Path<String>,
    QueryOf(query): QueryOf<AgentQuery>,
) -> Result<Response, ApiError> {
    let mut tried = Tried::default();
    if let Some(number) = query.from {
        tried.text = Some(get::load_version(&ctx, &name, number).await?.text);
        tried.note = format!("Back to number {number}");
        tried.compare = true;
    }
    edit(&ctx, Some(&name), tried).await
}

async fn edit(ctx: &Ctx, name: Option<&str>, tried: Tried) -> Result<Response, ApiError> {
    let (detail, versions) = match name {
        Some(name) => (Some(get::load(ctx, name).await?), versions::load(ctx, name).await?.items),
        None => (None, vec![]),
    };
    let before = detail.as_ref().map(|detail| detail.text.clone());
    let text = tried.text.or_else(|| before.clone()).unwrap_or_else(|| SAMPLE.to_owned());
    let lines = match tried.compare && tried.mistakes.is_empty() {
        true => difference::of_texts(before.as_deref().unwrap_or_default(), &text),
        false => vec![],
    };
    let mut shell = shell(ctx, "/agents");
    let authors = versions.iter().map(|version| version.author.clone()).collect();
    name_ids(ctx, &mut shell, authors).await?;
    let status = match tried.mistakes.is_empty() {
        true => StatusCode::OK,
        false => StatusCode::UNPROCESSABLE_ENTITY,
    };
    let Tried { note, mistakes, compare, .. } = tried;
    let same = compare && before.as_deref() == Some(text.as_str());
    html(status, &AgentPage { shell, detail, text, note, mistakes, lines, same, versions })
}

/// The agent on whose page a form stands.
fn page_of(form: &AgentForm) -> Option<String> {
    Some(form.agent.clone()).filter(|name| !name.is_empty())
}

/// Shows what a definition would change, or what is wrong with it.
pub(crate) async fn try_out(ctx: Ctx, Form(form): Form<AgentForm>) -> Result<Response, ApiError> {
    ctx.authorise(Action::AgentList, &Resource::system()).await?;
    // A form's line breaks are CRLF; files are compared and kept with LF.
    let text = form.text.replace("\r\n", "\n");
    let mistakes = match read(&text) {
        Ok(_) => vec![],
        Err(flaws) => flaws.0.iter().map(ToString::to_string).collect(),
    };
    let page = page_of(&form);
    let tried = Tried { text: Some(text), note: form.note, mistakes, compare: true };
    edit(&ctx, page.as_deref(), tried).await
}

/// Puts a definition in force.
pub(crate) async fn put(ctx: Ctx, Form(form): Form<AgentForm>) -> Result<Response, ApiError> {
    let text = form.text.replace("\r\n", "\n");
    let page = page_of(&form);
    // A new one is called as its file says.
    let name = match (&page, read(&text)) {
        (Some(name), _) => name.clone(),
        (None, Ok(definition)) => definition.name,
        (None, Err(_)) => String::new(),
    };
    let body = AgentPut { text: text.clone(), note: form.note.clone(), base: Some(form.base) };
    match put::apply(&ctx, &name, body).await {
        Ok(agent) => Ok(see_other(&format!("/agents/{}", agent.name))),
        Err(error) => {
            let mistakes = mistakes_of(error)?;
            let tried = Tried { text: Some(text), note: form.note, mistakes, compare: false };
            edit(&ctx, page.as_deref(), tried).await
        }
    }
}

/// Lines for the page; other errors have a page of their own.
fn mistakes_of(error: ApiError) -> Result<Vec<String>, ApiError> {
    if error.code == ErrorCode::InvalidField && !error.fields.is_empty() {
        let lines = error.fields.iter().flat_map(|field| field.reason.lines());
        return Ok(lines.map(str::to_owned).collect());
    }
    Ok(vec![said(&error).ok_or(error)?])
}

/// Forgets one.
pub(crate) async fn forget(ctx: Ctx, Path(name): Path<String>) -> Result<Response, ApiError> {
    remove::act(&ctx, &name).await?;
    Ok(see_other("/agents"))
}
