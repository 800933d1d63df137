//! `GET /api/v1/policy/versions`

use super::super::super::input::{PageQuery, QueryOf, page};
use crate::{context::Ctx, error::ApiError};
use axum::{Json, extract::Path};
use wardroom_core::{Action, action::Resource, page::PageRequest, policy::StoredPolicy};
use wardroom_wire::{
    api::{List, PolicyVersionView, PolicyView},
    error::Problem,
};

/// Policies that were in force, newest first, without their text.
#[utoipa::path(
    operation_id = "policy_versions",
    get, path = "/api/v1/policy/versions", tag = "policy", params(PageQuery),
    responses((status = 200, body = List<PolicyVersionView>))
)]
pub(crate) async fn handler(
    ctx: Ctx,
    QueryOf(query): QueryOf<PageQuery>,
) -> Result<Json<List<PolicyVersionView>>, ApiError> {
    load(&ctx, query.after, query.limit).await.map(Json)
}

/// Policies that were in force.
pub(crate) async fn load(
    ctx: &Ctx,
    after: Option<String>,
    limit: Option<u32>,
) -> Result<List<PolicyVersionView>, ApiError> {
    ctx.authorise(Action::PolicyRead, &Resource::system()).await?;
    let page = page(after.as_deref(), limit)?;
    let found = ctx.app.engine.store().list_policies(page).await?;
    let current = ctx.app.policy.load().number;
    Ok(List {
        items: found.items.iter().map(|stored| view(stored, current)).collect(),
        next: found.next.map(|number| number.to_string()),
    })
}

/// A policy's place in history.
pub(super) fn view(stored: &StoredPolicy, current: i64) -> PolicyVersionView {
    let digest = wardroom_core::digest::sha256_hex(stored.text.as_bytes());
    PolicyVersionView {
        number: stored.number,
        version: digest.chars().take(12).collect(),
        in_force: stored.number == current,
        note: stored.note.clone(),
        author: stored.author.clone(),
        created_at: stored.created_at.to_string(),
    }
}

/// One policy of the history.
#[utoipa::path(
    operation_id = "policy_version",
    get, path = "/api/v1/policy/versions/{number}", tag = "policy", params(("number" = i64, Path)),
    responses((status = 200, body = PolicyView), (status = 404, body = Problem))
)]
pub(crate) async fn one(
    ctx: Ctx,
    Path(number): Path<String>,
) -> Result<Json<PolicyView>, ApiError> {
    get(&ctx, &number).await.map(Json)
}

/// One policy of the history; 0 is the default roles.
pub(crate) async fn get(ctx: &Ctx, text: &str) -> Result<PolicyView, ApiError> {
    ctx.authorise(Action::PolicyRead, &Resource::system()).await?;
    let number: i64 = text.parse().map_err(|_| ApiError::not_found())?;
    let (source, text) = if number == 0 {
        ("default", wardroom_trust::policy::DEFAULT.to_owned())
    } else {
        let page = PageRequest::new(Some(number.saturating_add(1)), 1);
        let found = ctx.app.engine.store().list_policies(page).await?.items.pop();
        let found = found.filter(|stored| stored.number == number);
        ("stored", found.ok_or_else(ApiError::not_found)?.text)
    };
    let digest = wardroom_core::digest::sha256_hex(text.as_bytes());
    let version = digest.chars().take(12).collect();
    Ok(PolicyView { version, number, source: source.to_owned(), text })
}
