//! `POST /api/v1/customers/import`

use super::super::super::input::QueryOf;
use crate::{context::Ctx, desk::read_table, error::ApiError};
use axum::Json;
use serde::Deserialize;
use wardroom_core::{Action, action::Resource};
use wardroom_wire::{
    desk::{ImportProblem, ImportReport},
    error::Problem,
};

/// How to import.
#[derive(Debug, Clone, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct ImportQuery {
    /// Only tell what would be wrong.
    dry_run: bool,
}

/// Make customers out of a table (CSV, UTF-8): the first line names the columns `name`, `email`, `phone`,
/// `notes`, all others are further fields. All rows are taken or none; what is wrong is told by line.
#[utoipa::path(
    operation_id = "customers_import",
    post, path = "/api/v1/customers/import", tag = "customers", params(ImportQuery),
    request_body(content = String, content_type = "text/csv"),
    responses((status = 200, body = ImportReport), (status = 422, body = Problem))
)]
pub(crate) async fn handler(
    ctx: Ctx,
    QueryOf(query): QueryOf<ImportQuery>,
    text: String,
) -> Result<Json<ImportReport>, ApiError> {
    act(&ctx, &text, query.dry_run).await.map(Json)
}

/// Imports.
pub(crate) async fn act(ctx: &Ctx, text: &str, dry_run: bool) -> Result<ImportReport, ApiError> {
    let allowed = ctx.authorise(Action::CustomerImport, &Resource::system()).await?;
    let table = read_table(text)?;
    let rows = table.len();
    let problems = ctx.app.engine.import_customers(table, dry_run, allowed.draft(ctx)).await?;
    let made = if dry_run || !problems.is_empty() { 0 } else { rows };
    let problems = problems
        .into_iter()
        .map(|p| ImportProblem { line: p.line, field: p.field, reason: p.reason })
        .collect();
    Ok(ImportReport { dry_run, rows, made, problems })
}
