//! `/policy`

use super::{
    frame::{html, name_ids, said, see_other, shell},
    pages::policy::PolicyPage,
};
use crate::{
    api::{input::QueryOf, v1::policy},
    context::Ctx,
    error::ApiError,
};
use axum::{Form, http::StatusCode, response::Response};
use serde::Deserialize;
use wardroom_wire::{
    api::{PolicyPut, PolicyTrial},
    error::ErrorCode,
};

/// Which part of the history, and which policy stands in the form.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct PolicyQuery {
    after: Option<String>,
    /// The number of a policy to begin from.
    from: Option<String>,
}

/// What the form holds and what came of it.
#[derive(Default)]
struct Tried {
    text: Option<String>,
    note: String,
    trial: Option<PolicyTrial>,
    mistakes: Vec<String>,
}

/// The policy and its history.
pub(crate) async fn page(
    ctx: Ctx,
    QueryOf(query): QueryOf<PolicyQuery>,
) -> Result<Response, ApiError> {
    let mut tried = Tried::default();
    if let Some(number) = query.from {
        let old = policy::versions::get(&ctx, &number).await?;
        tried.note = format!("Back to {} of number {number}", old.version);
        tried.trial = Some(policy::put::trial(&ctx, &old.text).await?);
        tried.text = Some(old.text);
    }
    show(&ctx, query.after, tried).await
}

async fn show(ctx: &Ctx, after: Option<String>, tried: Tried) -> Result<Response, ApiError> {
    let current = policy::get::load(ctx).await?;
    let versions = policy::versions::load(ctx, after, Some(20)).await?;
    let mut shell = shell(ctx, "/policy");
    let authors = versions.items.iter().map(|version| version.author.clone()).collect();
    name_ids(ctx, &mut shell, authors).await?;
    let status = match tried.mistakes.is_empty() {
        true => StatusCode::OK,
        false => StatusCode::UNPROCESSABLE_ENTITY,
    };
    // A form's line breaks are CRLF; the text is compared and kept with LF.
    let text = tried.text.unwrap_or_else(|| current.text.clone()).replace("\r\n", "\n");
    let Tried { note, trial, mistakes, .. } = tried;
    html(status, &PolicyPage { shell, current, text, note, trial, mistakes, versions })
}

/// The editor's form.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PolicyForm {
    #[serde(rename = "csrf", default)]
    _csrf: String,
    text: String,
    #[serde(default)]
    note: String,
    base: i64,
}

/// Lines for the page; other errors have a page of their own.
fn mistakes_of(error: ApiError) -> Result<Vec<String>, ApiError> {
    if !error.fields.is_empty() {
        return Ok(error
            .fields
            .iter()
            .flat_map(|field| field.reason.lines().map(str::to_owned).collect::<Vec<_>>())
            .collect());
    }
    match error.code {
        ErrorCode::PolicyLocksOut => Ok(vec![error.code.title().to_owned() + "."]),
        _ => Ok(vec![said(&error).ok_or(error)?]),
    }
}

/// Shows what a policy would change.
pub(crate) async fn try_out(ctx: Ctx, Form(form): Form<PolicyForm>) -> Result<Response, ApiError> {
    let text = form.text.replace("\r\n", "\n");
    let mut tried = Tried { note: form.note, ..Tried::default() };
    match policy::put::trial(&ctx, &text).await {
        Ok(trial) => tried.trial = Some(trial),
        Err(error) => tried.mistakes = mistakes_of(error)?,
    }
    tried.text = Some(text);
    show(&ctx, None, tried).await
}

/// Puts a policy in force.
pub(crate) async fn put(ctx: Ctx, Form(form): Form<PolicyForm>) -> Result<Response, ApiError> {
    let text = form.text.replace("\r\n", "\n");
    let body = PolicyPut { text: text.clone(), note: form.note.clone(), base: form.base };
    match policy::put::act(&ctx, body).await {
        Ok(_) => Ok(see_other("/policy")),
        Err(error) => {
            let mistakes = mistakes_of(error)?;
            let tried = Tried { text: Some(text), note: form.note, mistakes, trial: None };
            show(&ctx, None, tried).await
        }
    }
}
