//! What every handler of the dashboard needs: the frame of a page, and its answer.

use super::{
    assets,
    pages::{errors::Errors, shell::Shell},
};
use crate::{api::v1::names, context::Ctx, error::ApiError};
use askama::Template;
use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use std::collections::BTreeSet;
use wardroom_core::{Action, Principal};
use wardroom_wire::{
    api::{AuditView, RunView},
    error::ErrorCode,
};

pub(super) use crate::sign_in::see_other;

/// A page.
pub(super) fn html(status: StatusCode, page: &impl Template) -> Result<Response, ApiError> {
    let body = page.render().map_err(ApiError::internal)?;
    let kind = HeaderValue::from_static("text/html; charset=utf-8");
    Ok((status, [(header::CONTENT_TYPE, kind)], body).into_response())
}

/// What stands between spaces or line ends.
pub(super) fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

/// The frame of a page in `section`, which is the path of its entry in the navigation.
pub(super) fn shell(ctx: &Ctx, section: &'static str) -> Shell {
    let (name, role) = match &ctx.principal {
        Principal::User { name, role, .. } => (name.clone(), role.to_string()),
        other => (other.to_string(), String::new()),
    };
    Shell {
        name,
        role,
        may: Action::ALL
            .iter()
            .filter(|action| ctx.may(**action))
            .map(|action| action.as_str())
            .collect(),
        csrf: ctx.csrf().to_owned(),
        section,
        page: ctx.answer_page.clone(),
        assets: assets::base(),
        now: ctx.now(),
        names: std::collections::BTreeMap::new(),
    }
}

/// Ids that runs show.
pub(super) fn ids_of_runs<'a>(runs: impl IntoIterator<Item = &'a RunView>) -> Vec<String> {
    let ids = |run: &RunView| [run.node.clone(), Some(run.submitted_by.clone())];
    runs.into_iter().flat_map(ids).flatten().collect()
}

/// Ids that audit records show.
pub(super) fn ids_of_records<'a>(records: impl IntoIterator<Item = &'a AuditView>) -> Vec<String> {
    records
        .into_iter()
        .flat_map(|view| [view.record.actor.clone(), view.record.target.clone()])
        .collect()
}

/// Gives the frame the names of `ids`, as far as the viewer may know them.
pub(super) async fn name_ids(
    ctx: &Ctx,
    shell: &mut Shell,
    ids: Vec<String>,
) -> Result<(), ApiError> {
    let distinct: BTreeSet<&str> = ids.iter().map(String::as_str).collect();
    shell.names.extend(names::load(ctx, distinct.into_iter().take(names::NAMES_MAX)).await?);
    Ok(())
}

/// What was wrong with a form whose page shows errors beside `known` fields; an error that deserves a page of its
/// own is given back.
pub(super) fn errors_of(error: ApiError, known: &[&str]) -> Result<Errors, ApiError> {
    if error.code == ErrorCode::InvalidField && !error.fields.is_empty() {
        let fields = error.fields.into_iter().map(|field| (field.field, field.reason));
        return Ok(Errors::of_fields(fields, known));
    }
    Ok(Errors::whole(said(&error).ok_or(error)?))
}

/// What to say of an error in the page where it happened; `None` when it deserves a page of its own.
pub(super) fn said(error: &ApiError) -> Option<String> {
    let fields: Vec<String> =
        error.fields.iter().map(|field| format!("{}: {}", field.field, field.reason)).collect();
    match error.code {
        ErrorCode::InvalidField if !fields.is_empty() => Some(format!("{}.", fields.join("; "))),
        ErrorCode::InvalidField
        | ErrorCode::NoNode
        | ErrorCode::Conflict
        | ErrorCode::UnknownCommand
        | ErrorCode::RequestState
        | ErrorCode::NotOrdered
        | ErrorCode::LimitReached
        | ErrorCode::ApprovalState
        | ErrorCode::RunState => {
            Some(error.detail.clone().unwrap_or_else(|| error.code.title().to_owned()))
        }
        _ => None,
    }
}
