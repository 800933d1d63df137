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
        input::{PageQuery, QueryOf},
        v1::agents::{get, list, put, remove, versions},
    },
    context::Ctx,
    error::ApiError,
};
use axum::{Form, extract::Path, http::StatusCode, response::Response};
use serde::Deserialize;
use wardroom_core::{Action, action::Resource};
use wardroom_engine::agents::{read_aside, with_plain_ends};
use wardroom_wire::{agents::AgentPut, api::List, error::ErrorCode};

/// Agents and versions on one page of the dashboard.
const SHOWN_MAX: u32 = 100;

/// Which page.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct AgentsQuery {
    /// `1` for a new agent.
    new: String,
    after: Option<String>,
}

/// Which version stands in the form.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct AgentQuery {
    /// Its number.
    from: Option<i64>,
    after: Option<String>,
}

/// What is done with what is in the form.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct PutQuery {
    /// `1`: it is only checked and compared.
    r#try: String,
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
    /// The digest of the file that the text was made from.
    #[serde(default)]
    base: String,
}

/// What the form holds and what came of it.
#[derive(Default)]
struct Tried {
    text: Option<String>,
    note: String,
    mistakes: Vec<String>,
    compare: bool,
    /// Somebody else was faster.
    overtaken: bool,
    after: Option<String>,
}

/// The agents, or the form of a new one.
pub(crate) async fn page(
    ctx: Ctx,
    QueryOf(query): QueryOf<AgentsQuery>,
) -> Result<Response, ApiError> {
    let part = PageQuery { after: query.after, limit: Some(SHOWN_MAX) };
    let list = list::load(&ctx, part).await?;
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
    let mut tried = Tried { after: query.after, ..Tried::default() };
    if let Some(number) = query.from {
        tried.text = Some(get::load_version(&ctx, &name, number).await?.text);
        tried.note = format!("Back to number {number}");
        tried.compare = true;
    }
    edit(&ctx, Some(&name), tried).await
}

async fn edit(ctx: &Ctx, name: Option<&str>, tried: Tried) -> Result<Response, ApiError> {
    let none = List { items: vec![], next: None };
    let (detail, versions) = match name {
        Some(name) => {
            let part = PageQuery { after: tried.after, limit: Some(SHOWN_MAX) };
            (Some(get::load(ctx, name).await?), versions::load(ctx, name, part).await?)
        }
        None => (None, none),
    };
    let before = detail.as_ref().map(|detail| detail.text.as_str());
    let text = tried.text.or_else(|| before.map(str::to_owned));
    let text = text.unwrap_or_else(|| SAMPLE.to_owned());
    let compared = tried.compare && tried.mistakes.is_empty();
    let difference = compared.then(|| difference::of_files(before.unwrap_or_default(), &text));
    let mut shell = shell(ctx, "/agents");
    let authors = versions.items.iter().map(|version| version.author.clone()).collect();
    name_ids(ctx, &mut shell, authors).await?;
    let status = match tried.mistakes.is_empty() {
        true => StatusCode::OK,
        false => StatusCode::UNPROCESSABLE_ENTITY,
    };
    let may = |action| match name {
        Some(name) => ctx.decide(action, &Resource::agent(name)).allowed,
        None => ctx.may(action),
    };
    let (may_update, may_remove) = (may(Action::AgentUpdate), may(Action::AgentRemove));
    let Tried { note, mistakes, overtaken, .. } = tried;
    let page = AgentPage {
        shell,
        detail,
        text,
        note,
        mistakes,
        overtaken,
        difference,
        versions,
        may_update,
        may_remove,
    };
    html(status, &page)
}

/// Puts a definition in force, or says what is wrong with it or what it would change.
pub(crate) async fn put(
    ctx: Ctx,
    QueryOf(query): QueryOf<PutQuery>,
    Form(form): Form<AgentForm>,
) -> Result<Response, ApiError> {
    let AgentForm { agent, text, note, base, .. } = form;
    let text = with_plain_ends(&text);
    let page = Some(agent).filter(|name| !name.is_empty());
    let read = read_aside(text.clone()).await?;
    // A new one is called as its file says.
    let named = read.as_ref().ok().map(|definition| definition.name.clone());
    let name = page.clone().or(named);
    if let Some(name) = &name {
        ctx.authorise(Action::AgentUpdate, &Resource::agent(name)).await?;
    } else if !ctx.may(Action::AgentUpdate) {
        ctx.authorise(Action::AgentUpdate, &Resource::agent("any")).await?;
    }
    let mut tried = Tried { text: Some(text.clone()), note: note.clone(), ..Tried::default() };
    match (read, name) {
        (Err(flaws), _) => tried.mistakes = flaws.0.iter().map(ToString::to_string).collect(),
        (Ok(_), Some(name)) if query.r#try != "1" => {
            let body = AgentPut { text, note, base: Some(base) };
            match put::apply(&ctx, &name, body).await {
                Ok(agent) => return Ok(see_other(&format!("/agents/{}", agent.name))),
                Err(error) if error.code == ErrorCode::Conflict && page.is_some() => {
                    tried.compare = true;
                    tried.overtaken = true;
                }
                Err(error) if error.code == ErrorCode::Conflict => {
                    tried.mistakes =
                        vec![format!("{name} is defined already: change it on its page")];
                }
                Err(error) => tried.mistakes = mistakes_of(error)?,
            }
        }
        (Ok(_), _) => tried.compare = true,
    }
    edit(&ctx, page.as_deref(), tried).await
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
