//! `/agents`

use super::{
    agent_runs,
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
    /// The digest of the file that the text was made from.
    base: Option<String>,
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

async fn edit(ctx: &Ctx, name: Option<&str>, mut tried: Tried) -> Result<Response, ApiError> {
    let none = List { items: vec![], next: None };
    let name = match name {
        Some(name) if tried.text.is_some() => match get::load(ctx, name).await {
            // What was typed is not lost with the agent.
            Err(error) if error.code == ErrorCode::NotFound => {
                tried
                    .mistakes
                    .push(format!("{name} was forgotten meanwhile: this would define it anew"));
                tried.base = None;
                None
            }
            found => found.map(|_| Some(name))?,
        },
        name => name,
    };
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
    let newest = detail.as_ref().map(|detail| detail.agent.version.digest.clone());
    let newest = newest.unwrap_or_default();
    let base = tried.base.unwrap_or_else(|| newest.clone());
    let overtaken = base != newest;
    // Whoever was shown what their text would change of the newest version has seen that one.
    let base = if compared { newest } else { base };
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
    let run = detail.as_ref().filter(|_| may(Action::AgentRun));
    let start = run.map(|detail| agent_runs::form(ctx, &detail.definition));
    let Tried { note, mistakes, .. } = tried;
    let page = AgentPage {
        shell,
        detail,
        text,
        note,
        mistakes,
        base,
        overtaken,
        difference,
        versions,
        start,
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
    // Before anything is read: a long file takes a while.
    if let Some(name) = &page {
        ctx.authorise(Action::AgentUpdate, &Resource::agent(name)).await?;
    } else if !ctx.may(Action::AgentUpdate) {
        ctx.authorise(Action::AgentUpdate, &Resource::agent("any")).await?;
    }
    let mut tried = Tried {
        text: Some(text.clone()),
        note: note.clone(),
        base: Some(base.clone()),
        ..Tried::default()
    };
    match read_aside(text.clone()).await? {
        Err(flaws) => tried.mistakes = flaws.0.iter().map(ToString::to_string).collect(),
        Ok(definition) if page.as_ref().is_some_and(|name| *name != definition.name) => {
            let what =
                format!("the file defines the agent {:?}, which is another one", definition.name);
            tried.mistakes = vec![what];
        }
        Ok(definition) => {
            let name = definition.name;
            // A new one is called as its file says.
            ctx.authorise(Action::AgentUpdate, &Resource::agent(&name)).await?;
            if query.r#try == "1" {
                tried.compare = true;
                return edit(&ctx, page.as_deref(), tried).await;
            }
            let body = AgentPut { text, note, base: Some(base) };
            match put::apply(&ctx, &name, body).await {
                Ok(agent) => return Ok(see_other(&format!("/agents/{}", agent.name))),
                Err(error) if error.code == ErrorCode::Conflict && page.is_some() => {
                    tried.compare = true;
                }
                Err(error) if error.code == ErrorCode::Conflict => {
                    let what = format!("{name} is defined already: change it on its page");
                    tried.mistakes = vec![what];
                }
                Err(error) => tried.mistakes = mistakes_of(error)?,
            }
        }
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
