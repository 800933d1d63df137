//! `GET /api/v1/audit/records`

use super::super::super::input::{QueryOf, filter, page};
use crate::{context::Ctx, error::ApiError, view};
use axum::Json;
use serde::Deserialize;
use wardroom_core::{Action, action::Resource, audit::AuditOutcome, store::AuditFilter};
use wardroom_wire::api::{AuditView, List};

/// The longest text that is searched for.
const TEXT_BYTES_MAX: usize = 200;

/// Which records are wanted.
#[derive(Debug, Clone, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct AuditQuery {
    /// This action; with a `.` at the end, all that begin so.
    pub(crate) action: Option<String>,
    /// By this actor.
    pub(crate) actor: Option<String>,
    /// On this target.
    pub(crate) target: Option<String>,
    /// `done`, `refused` or `failed`.
    pub(crate) outcome: Option<String>,
    /// Not before, RFC 3339.
    pub(crate) from: Option<String>,
    /// Before, RFC 3339.
    pub(crate) to: Option<String>,
    /// With this text somewhere in the record.
    pub(crate) text: Option<String>,
    /// Continue behind this record.
    pub(crate) after: Option<String>,
    /// At most so many, 1 to 200.
    #[param(minimum = 1, maximum = 200)]
    pub(crate) limit: Option<u32>,
}

/// Audit records, newest first.
#[utoipa::path(
    operation_id = "audit_list",
    get, path = "/api/v1/audit/records", tag = "audit", params(AuditQuery),
    responses((status = 200, body = List<AuditView>))
)]
pub(crate) async fn handler(
    ctx: Ctx,
    QueryOf(query): QueryOf<AuditQuery>,
) -> Result<Json<List<AuditView>>, ApiError> {
    load(&ctx, query).await.map(Json)
}

/// Audit records, newest first.
pub(crate) async fn load(ctx: &Ctx, query: AuditQuery) -> Result<List<AuditView>, ApiError> {
    ctx.authorise(Action::AuditRead, &Resource::system()).await?;
    let some = |text: Option<String>| text.filter(|text| !text.is_empty());
    let text = some(query.text);
    if text.as_ref().is_some_and(|text| text.len() > TEXT_BYTES_MAX) {
        return Err(ApiError::field("text", "must be at most 200 bytes"));
    }
    let outcome = match query.outcome.as_deref() {
        None | Some("") => None,
        Some("done") => Some(AuditOutcome::Done),
        Some("refused") => Some(AuditOutcome::Refused),
        Some("failed") => Some(AuditOutcome::Failed),
        Some(_) => return Err(ApiError::field("outcome", "must be done, refused or failed")),
    };
    let wanted = AuditFilter {
        action: some(query.action),
        actor: some(query.actor),
        target: some(query.target),
        outcome,
        from: filter("from", query.from.as_deref())?,
        to: filter("to", query.to.as_deref())?,
        text,
    };
    let page = page(query.after.as_deref(), query.limit)?;
    let found = ctx.app.engine.store().list_audit(&wanted, page).await?;
    let mut items = Vec::with_capacity(found.items.len());
    for entry in &found.items {
        items.push(view::audit(ctx, entry).await?);
    }
    Ok(List { items, next: found.next.map(|index| index.to_string()) })
}
