//! `/audit`

use super::{
    frame::{html, ids_of_records, name_ids, said, see_other, shell},
    pages::{
        audit::{AuditFilters, AuditPage},
        record::RecordPage,
    },
};
use crate::{
    api::{
        input::{self, QueryOf},
        v1::audit::{self, list::AuditQuery},
    },
    context::Ctx,
    error::ApiError,
};
use axum::{extract::Path, http::StatusCode, response::Response};
use wardroom_wire::api::List;

/// Audit records, newest first, and what the last verification found.
pub(crate) async fn list(
    ctx: Ctx,
    QueryOf(mut query): QueryOf<AuditQuery>,
) -> Result<Response, ApiError> {
    let text = |field: &Option<String>| field.clone().unwrap_or_default();
    let filters = AuditFilters {
        action: text(&query.action),
        actor: text(&query.actor),
        target: text(&query.target),
        outcome: text(&query.outcome),
        from: text(&query.from),
        to: text(&query.to),
        text: text(&query.text),
        later: query.after.is_some(),
    };
    query.from = query.from.map(in_utc);
    query.to = query.to.map(in_utc);
    let (status, list, problem) = match audit::list::load(&ctx, query).await {
        Ok(list) => (StatusCode::OK, list, None),
        Err(error) => {
            let problem = said(&error).ok_or(error)?;
            (StatusCode::UNPROCESSABLE_ENTITY, List { items: vec![], next: None }, Some(problem))
        }
    };
    let mut shell = shell(&ctx, "/audit");
    name_ids(&ctx, &mut shell, ids_of_records(&list.items)).await?;
    let verification = ctx.app.last_verification();
    html(status, &AuditPage { shell, list, filters, problem, verification })
}

/// A browser's field for date and time says no zone; the page says that it is UTC.
fn in_utc(mut text: String) -> String {
    match text.len() {
        16 => text.push_str(":00Z"),
        19 => text.push('Z'),
        _ => {}
    }
    text
}

/// One audit record.
pub(crate) async fn show(ctx: Ctx, Path(index): Path<String>) -> Result<Response, ApiError> {
    let view = audit::get::load(&ctx, input::id(&index)?).await?;
    let mut shell = shell(&ctx, "/audit");
    name_ids(&ctx, &mut shell, ids_of_records([&view])).await?;
    html(StatusCode::OK, &RecordPage { shell, view })
}

/// Verifies the stored log and shows what was found.
pub(crate) async fn verify(ctx: Ctx) -> Result<Response, ApiError> {
    audit::verify::act(&ctx).await?;
    Ok(see_other("/audit"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_a_form_are_in_utc() {
        assert_eq!(in_utc("2026-01-31T09:30".into()), "2026-01-31T09:30:00Z");
        assert_eq!(in_utc("2026-01-31T09:30:05".into()), "2026-01-31T09:30:05Z");
        assert_eq!(in_utc("2026-01-31T09:30:05Z".into()), "2026-01-31T09:30:05Z");
        assert_eq!(in_utc(String::new()), "");
    }
}
