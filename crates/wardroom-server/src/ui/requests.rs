//! `/requests`

use super::{
    frame::{errors_of, html, name_ids, said, see_other, shell},
    pages::{
        errors::Errors,
        format as f,
        requests::{RequestFilters, RequestPage, RequestsPage},
    },
    services::time,
};
use crate::{
    api::{
        input::QueryOf,
        v1::{
            requests::{self, list::RequestQuery},
            views,
        },
    },
    context::Ctx,
    error::ApiError,
};
use axum::{Form, extract::Path, http::StatusCode, response::Response};
use serde::Deserialize;
use wardroom_core::{Action, action::Resource, desk::form};
use wardroom_wire::{
    api::List,
    desk::{NoteCreate, RequestPatch, SavedViewPut},
    error::ErrorCode,
};

/// The fields that a request's page shows errors beside.
const FIELDS: [&str; 6] = ["text", "assignee", "due_at", "scheduled_for", "priority", "content"];

/// Requests, newest first.
pub(crate) async fn list(
    ctx: Ctx,
    QueryOf(query): QueryOf<RequestQuery>,
) -> Result<Response, ApiError> {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let filters = RequestFilters {
        state: text(&query.state),
        priority: text(&query.priority),
        assignee: text(&query.assignee),
        customer: text(&query.customer),
        service: text(&query.service),
        text: text(&query.text),
        attention: query.attention,
        later: query.after.is_some(),
    };
    let (status, list, problem) = match requests::list::load(&ctx, query).await {
        Ok(list) => (StatusCode::OK, list, None),
        Err(error) => {
            let problem = match error.code {
                ErrorCode::NotFound => {
                    "Nobody and nothing has the name in one of the filters.".into()
                }
                _ => said(&error).ok_or(error)?,
            };
            (StatusCode::UNPROCESSABLE_ENTITY, List { items: vec![], next: None }, Some(problem))
        }
    };
    let mut shell = shell(&ctx, "/requests");
    let ids =
        list.items.iter().flat_map(|one| [Some(one.requested_by.clone()), one.assignee.clone()]);
    name_ids(&ctx, &mut shell, ids.flatten().collect()).await?;
    let views = views::load(&ctx, Some("requests")).await?;
    html(status, &RequestsPage { shell, list, filters, views, problem })
}

/// One request.
pub(crate) async fn show(ctx: Ctx, Path(id): Path<String>) -> Result<Response, ApiError> {
    page(&ctx, &id, String::new(), Errors::default()).await
}

async fn page(ctx: &Ctx, id: &str, note: String, errors: Errors) -> Result<Response, ApiError> {
    let mut detail = requests::get::load(ctx, id).await?;
    let (found, _) = requests::find(ctx, id, Action::RequestRead).await?;
    let resource = Resource::request(&found);
    let may = |action: Action| ctx.decide(action, &resource).allowed;
    let service = ctx.app.engine.store().lookup_service(found.service).await?;
    let form =
        service.and_then(|service| form::Form::parse(&service.form).ok()).unwrap_or_default();
    let mut values = Vec::new();
    for field in &form.fields {
        if let Some(value) = detail.values.remove(&field.name) {
            values.push((field.title.clone(), said_value(&value)));
        }
    }
    // Fields that the form had when it was ordered.
    let rest = std::mem::take(&mut detail.values).into_iter();
    values.extend(rest.map(|(name, value)| (name, said_value(&value))));
    let mut shell = shell(ctx, "/requests");
    let ids = [Some(detail.request.requested_by.clone()), detail.request.assignee.clone()];
    name_ids(ctx, &mut shell, ids.into_iter().flatten().collect()).await?;
    let status = if errors.any() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let page = RequestPage {
        shell,
        detail,
        values,
        may_work: may(Action::RequestWork),
        may_cancel: may(Action::RequestCancel),
        may_note: may(Action::RequestNote),
        may_note_internal: may(Action::RequestNoteInternal),
        may_attach: may(Action::RequestAttach),
        may_detach: may(Action::RequestDetach),
        note,
        errors,
    };
    html(status, &page)
}

/// A value as people say it.
fn said_value(value: &serde_json::Value) -> String {
    match value.as_bool() {
        Some(true) => "yes".to_owned(),
        Some(false) => "no".to_owned(),
        None => f::value(value),
    }
}

/// What became of an act on a request: its page again, with what was wrong.
async fn acted(
    ctx: &Ctx,
    id: &str,
    note: String,
    done: Result<(), ApiError>,
) -> Result<Response, ApiError> {
    match done {
        Ok(()) => Ok(see_other(&format!("/requests/{id}"))),
        Err(error) => page(ctx, id, note, errors_of(error, &FIELDS)?).await,
    }
}

/// What changes.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Typed {
    #[serde(rename = "csrf")]
    _csrf: String,
    version: i64,
    state: Option<String>,
    scheduled_for: Option<String>,
    priority: Option<String>,
    assignee: Option<String>,
    due_at: Option<String>,
}

/// Works on a request.
pub(crate) async fn change(
    ctx: Ctx,
    Path(id): Path<String>,
    Form(typed): Form<Typed>,
) -> Result<Response, ApiError> {
    let some = |text: String| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    let body = RequestPatch {
        state: typed.state.and_then(some),
        scheduled_for: typed.scheduled_for.as_deref().and_then(time),
        priority: typed.priority.and_then(some),
        assignee: typed.assignee.map(some),
        due_at: typed.due_at.as_deref().map(time),
    };
    let done = requests::update::act(&ctx, &id, body, |_| Ok(typed.version)).await.map(drop);
    acted(&ctx, &id, String::new(), done).await
}

/// Cancels a request.
pub(crate) async fn cancel(ctx: Ctx, Path(id): Path<String>) -> Result<Response, ApiError> {
    let done = requests::cancel::act(&ctx, &id).await.map(drop);
    acted(&ctx, &id, String::new(), done).await
}

/// A note.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Note {
    #[serde(rename = "csrf", default)]
    _csrf: String,
    text: String,
    #[serde(default)]
    internal: String,
}

/// Says something about a request.
pub(crate) async fn note(
    ctx: Ctx,
    Path(id): Path<String>,
    Form(typed): Form<Note>,
) -> Result<Response, ApiError> {
    let body = NoteCreate { text: typed.text.clone(), internal: typed.internal == "true" };
    let done = requests::notes::act(&ctx, &id, body).await;
    acted(&ctx, &id, typed.text, done).await
}

/// Removes a file.
pub(crate) async fn detach(
    ctx: Ctx,
    Path((id, attachment)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    let done = requests::attachments::detach(&ctx, &id, &attachment).await;
    acted(&ctx, &id, String::new(), done).await
}

/// Filters to keep.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kept {
    #[serde(rename = "csrf", default)]
    _csrf: String,
    list: String,
    name: String,
    query: String,
}

/// Keeps filters under a name.
pub(crate) async fn keep(ctx: Ctx, Form(typed): Form<Kept>) -> Result<Response, ApiError> {
    let body = SavedViewPut { list: typed.list, name: typed.name, query: typed.query };
    let kept = views::save(&ctx, &body).await?;
    Ok(see_other(&format!("/{}?{}", kept.list, kept.query)))
}

/// Forgets kept filters.
pub(crate) async fn forget(ctx: Ctx, Path(id): Path<String>) -> Result<Response, ApiError> {
    let all = views::load(&ctx, None).await?;
    let list = all.into_iter().find(|view| view.id == id).map(|view| view.list);
    views::forget(&ctx, &id).await?;
    Ok(see_other(&format!("/{}", list.as_deref().unwrap_or("requests"))))
}
