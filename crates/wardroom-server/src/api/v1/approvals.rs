//! `/api/v1/approvals`

use super::{
    super::input::{Json, QueryOf, filter, id, page},
    tool_servers::calls::shown,
};
use crate::{context::Ctx, error::ApiError};
use axum::{Json as Answer, extract::Path};
use serde::Deserialize;
use wardroom_core::{
    Action, ApprovalId,
    action::{Resource, ResourceKind},
    approval::Approval,
    store::ApprovalFilter,
};
use wardroom_engine::approvals::Decision;
use wardroom_wire::{
    api::List,
    approvals::{ApprovalDecision, ApprovalDetail, ApprovalView},
    error::{ErrorCode, Problem},
};

/// Which approvals are wanted.
#[derive(Debug, Clone, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct ApprovalQuery {
    /// That stand so: `waiting`, `approved`, `denied`, `used` or `expired`.
    pub(crate) state: Option<String>,
    /// The caller's own only.
    pub(crate) mine: bool,
    /// At most so many, 1 to 200; 50 where absent.
    #[param(minimum = 1, maximum = 200)]
    pub(crate) limit: Option<u32>,
    /// Behind this one: `next` of the page before.
    pub(crate) after: Option<String>,
}

fn view(ctx: &Ctx, approval: &Approval) -> ApprovalView {
    let (verdict, used) = (approval.verdict.as_ref(), approval.used);
    ApprovalView {
        id: approval.id.to_string(),
        state: approval.state(ctx.now()).as_str().to_owned(),
        action: approval.action.to_string(),
        target: approval.target.clone(),
        run: approval.run.map(|run| run.to_string()),
        user: approval.user.to_string(),
        client: approval.client.map(|client| client.to_string()),
        door: approval.door.as_str().to_owned(),
        policies: approval.policies.clone(),
        policy_version: approval.policy_version.clone(),
        asked_at: approval.asked_at.to_string(),
        expires_at: approval.expires_at.to_string(),
        decided_by: verdict.map(|verdict| verdict.by.to_string()),
        decided_at: verdict.map(|verdict| verdict.at.to_string()),
        used_by: used.map(|used| match approval.run {
            Some(run) => run.to_string(),
            None => wardroom_core::ToolCallId::from_uuid(used.by).to_string(),
        }),
        used_at: used.map(|used| used.at.to_string()),
    }
}

/// What policy wants a person's consent for, newest first.
#[utoipa::path(
    operation_id = "approvals_list",
    get, path = "/api/v1/approvals", tag = "approvals", params(ApprovalQuery),
    responses((status = 200, body = List<ApprovalView>), (status = 422, body = Problem))
)]
pub(crate) async fn list(
    ctx: Ctx,
    QueryOf(query): QueryOf<ApprovalQuery>,
) -> Result<Answer<List<ApprovalView>>, ApiError> {
    load(&ctx, query).await.map(Answer)
}

/// Approvals.
pub(crate) async fn load(ctx: &Ctx, query: ApprovalQuery) -> Result<List<ApprovalView>, ApiError> {
    ctx.authorise(Action::ApprovalList, &Resource::system()).await?;
    let anyones = Resource::anothers(ResourceKind::Approval);
    let anyones = ctx.decide(Action::ApprovalRead, &anyones).allowed;
    let wanted = ApprovalFilter {
        state: filter("state", query.state.as_deref())?,
        user: (query.mine || !anyones).then(|| ctx.user()).transpose()?,
    };
    let page = page(query.after.as_deref(), query.limit)?;
    let found = ctx.app.engine.store().list_approvals(&wanted, ctx.now(), page).await?;
    let readable = |approval: &&Approval| {
        ctx.decide(Action::ApprovalRead, &Resource::approval(approval)).allowed
    };
    let items = found.items.iter().filter(readable).map(|approval| view(ctx, approval)).collect();
    Ok(List { items, next: found.next.map(|id| id.to_string()) })
}

/// What somebody's consent is asked for.
#[utoipa::path(
    operation_id = "approvals_get",
    get, path = "/api/v1/approvals/{id}", tag = "approvals", params(("id" = String, Path)),
    responses((status = 200, body = ApprovalDetail), (status = 404, body = Problem))
)]
pub(crate) async fn get(
    ctx: Ctx,
    Path(id): Path<String>,
) -> Result<Answer<ApprovalDetail>, ApiError> {
    detail(&ctx, &id).await.map(Answer)
}

/// One approval.
pub(crate) async fn detail(ctx: &Ctx, text: &str) -> Result<ApprovalDetail, ApiError> {
    let approval = find(ctx, text).await?;
    ctx.authorise(Action::ApprovalRead, &Resource::approval(&approval)).await?;
    let engine = &ctx.app.engine;
    let arguments = engine.approval_arguments(&approval).await?;
    Ok(ApprovalDetail {
        arguments: arguments.and_then(|text| shown(&text)),
        arguments_digest: approval.arguments_digest.clone(),
        reason: engine.approval_reason(&approval).await?,
        receipt: approval.verdict.as_ref().map(|verdict| verdict.receipt.clone()),
        approval: view(ctx, &approval),
    })
}

/// The approval of this id, before anybody asked whether the caller may know of it.
pub(crate) async fn find(ctx: &Ctx, text: &str) -> Result<Approval, ApiError> {
    let wanted: ApprovalId = id(text)?;
    let found = ctx.app.engine.store().lookup_approval(wanted).await?;
    found.ok_or_else(ApiError::not_found)
}

/// Consent to it. What waits for that begins; a call is made once its caller is there.
#[utoipa::path(
    operation_id = "approvals_approve",
    post, path = "/api/v1/approvals/{id}/approve", tag = "approvals", params(("id" = String, Path)),
    request_body = ApprovalDecision,
    responses((status = 200, body = ApprovalView), (status = 404, body = Problem), (status = 409, body = Problem))
)]
pub(crate) async fn approve(
    ctx: Ctx,
    Path(id): Path<String>,
    Json(body): Json<ApprovalDecision>,
) -> Result<Answer<ApprovalView>, ApiError> {
    decide(&ctx, &id, true, &body.reason).await.map(Answer)
}

/// Say no to it. What waits for that ends.
#[utoipa::path(
    operation_id = "approvals_deny",
    post, path = "/api/v1/approvals/{id}/deny", tag = "approvals", params(("id" = String, Path)),
    request_body = ApprovalDecision,
    responses((status = 200, body = ApprovalView), (status = 404, body = Problem), (status = 409, body = Problem))
)]
pub(crate) async fn deny(
    ctx: Ctx,
    Path(id): Path<String>,
    Json(body): Json<ApprovalDecision>,
) -> Result<Answer<ApprovalView>, ApiError> {
    decide(&ctx, &id, false, &body.reason).await.map(Answer)
}

/// Decides.
pub(crate) async fn decide(
    ctx: &Ctx,
    text: &str,
    approved: bool,
    reason: &str,
) -> Result<ApprovalView, ApiError> {
    let approval = find(ctx, text).await?;
    let allowed = ctx.authorise(Action::ApprovalDecide, &Resource::approval(&approval)).await?;
    let by = ctx.user()?;
    // SECURITY: what acts in somebody's name must not consent to its own deeds in that name.
    if approval.user == by && !ctx.in_person() {
        let why = "What was asked for in your own name is yours to decide in person: sign in, by the dashboard or `wardroom login`.";
        return Err(ApiError::say(ErrorCode::Forbidden, why));
    }
    let version = ctx.app.policy.load().policy.version().to_owned();
    let decision = Decision { id: approval.id, by, approved, reason, policy_version: &version };
    let decided = ctx.app.engine.decide_approval(&decision, allowed.draft(ctx)).await?;
    Ok(view(ctx, &decided))
}
