//! `/api/v1/approvals`

use super::super::input::{Json, QueryOf, filter, id, page};
use crate::{context::Ctx, error::ApiError, policies::principal_of, view};
use axum::{Json as Answer, extract::Path};
use serde::Deserialize;
use serde_json::{Value, json};
use wardroom_core::{
    Action, ApprovalId, RunId, UserId,
    action::Resource,
    approval::Approval,
    identity::UserState,
    page::{PAGE_ITEMS_MAX, PageRequest},
    run::{Run, Target},
    store::{ApprovalFilter, RunFilter},
    tool::shown::shown_to_decider,
};
use wardroom_engine::approvals::Decision;
use wardroom_trust::policy::Circumstances;
use wardroom_wire::{
    api::List,
    approvals::{ApprovalDecision, ApprovalDetail, ApprovalView},
    error::{ErrorCode, Problem},
};

/// Pages that one request looks through for something that its caller may read.
const PAGES_MAX: usize = 10;

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

/// An approval as the API tells it.
pub(crate) fn view(ctx: &Ctx, approval: &Approval) -> ApprovalView {
    let (verdict, used) = (approval.verdict.as_ref(), approval.used);
    ApprovalView {
        id: approval.id.to_string(),
        state: approval.state(ctx.now()).as_str().to_owned(),
        action: approval.action.to_string(),
        target: approval.target.clone(),
        run: approval.run.map(|run| run.to_string()),
        user: approval.user.to_string(),
        client: approval.client.map(|client| client.to_string()),
        agent_run: approval.agent_run.map(|run| run.to_string()),
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
    let (found, next) = find_all(ctx, query).await?;
    Ok(List { items: found.iter().map(|approval| view(ctx, approval)).collect(), next })
}

/// Approvals that the caller may read, and behind which one to go on.
pub(crate) async fn find_all(
    ctx: &Ctx,
    query: ApprovalQuery,
) -> Result<(Vec<Approval>, Option<String>), ApiError> {
    ctx.authorise(Action::ApprovalList, &Resource::system()).await?;
    let wanted = ApprovalFilter {
        state: filter("state", query.state.as_deref())?,
        user: query.mine.then(|| ctx.user()).transpose()?,
    };
    let mut page = page(query.after.as_deref(), query.limit)?;
    let mut items = vec![];
    // Policy tells them apart one by one, by what they are about: somebody's few may lie behind many of others.
    for _ in 0..PAGES_MAX {
        let found = ctx.app.engine.store().list_approvals(&wanted, ctx.now(), page).await?;
        let readable = |approval: &Approval| {
            ctx.decide(Action::ApprovalRead, &Resource::approval(approval)).allowed
        };
        items.extend(found.items.into_iter().filter(readable));
        page.after = found.next;
        if found.next.is_none() || !items.is_empty() {
            break;
        }
    }
    Ok((items, page.after.map(|id| id.to_string())))
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
    Ok(ApprovalDetail {
        arguments: arguments(ctx, &approval).await?,
        arguments_digest: approval.arguments_digest.clone(),
        reason: engine.approval_reason(&approval).await?,
        receipt: approval.verdict.as_ref().map(|verdict| verdict.receipt.clone()),
        approval: view(ctx, &approval),
    })
}

/// What it is about, as those who decide are shown it.
pub(crate) async fn arguments(ctx: &Ctx, approval: &Approval) -> Result<Option<Value>, ApiError> {
    match approval.run {
        Some(run) => of_run(ctx, run).await,
        None => {
            let text = ctx.app.engine.approval_arguments(approval).await?;
            Ok(text.and_then(|text| shown_to_decider(&text)))
        }
    }
}

/// What a run is given and where. Whoever decides over it sees that much of it, also where the run is not theirs to read.
async fn of_run(ctx: &Ctx, run: RunId) -> Result<Option<Value>, ApiError> {
    let Some(run) = ctx.app.engine.store().lookup_run(run).await? else { return Ok(None) };
    let run = view::run(ctx, &run).await?;
    Ok(Some(json!({
        "parameters": run.parameters,
        "node": run.node,
        "labels": run.labels,
        "all": run.all,
    })))
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
    if [Some(approval.user), approval.author].contains(&Some(by)) && !ctx.in_person() {
        let why = "What was asked for in your own name is yours to decide in person: sign in, by the dashboard or `wardroom login`.";
        return Err(ApiError::say(ErrorCode::Forbidden, why));
    }
    if approved {
        match approval.run {
            Some(run) => still_may(ctx, approval.author.unwrap_or(approval.user), run).await?,
            None if ctx.app.engine.approval_arguments(&approval).await?.is_none() => {
                let why = "What it is about can't be shown any more: deny it.";
                return Err(ApiError::say(ErrorCode::ApprovalState, why));
            }
            None => {}
        }
    }
    let version = ctx.app.policy.load().policy.version().to_owned();
    let decision = Decision { id: approval.id, by, approved, reason, policy_version: &version };
    let decided = ctx.app.engine.decide_approval(&decision, allowed.draft(ctx)).await?;
    Ok(view(ctx, &decided))
}

/// SECURITY: a run begins on what may be done at this moment by the account under whose rights it was submitted, not on
/// what it might do then.
async fn still_may(ctx: &Ctx, user: UserId, run: RunId) -> Result<(), ApiError> {
    let no = |why: &str| Err(ApiError::say(ErrorCode::ApprovalState, why));
    let store = ctx.app.engine.store();
    let user = store.lookup_user(user).await?.filter(|user| user.state == UserState::Active);
    let Some(user) = user else {
        return no("Whoever asked has no active account any more: deny it.");
    };
    let Some(run) = store.lookup_run(run).await? else { return Err(ApiError::not_found()) };
    let nodes = match &run.target {
        Target::Node { node } => vec![*node],
        Target::Here {} => vec![],
        Target::OneOf { .. } => store.list_candidates(run.id).await?,
        Target::AllOf { .. } => {
            let filter = RunFilter { parent: Some(run.id), ..RunFilter::default() };
            let parts = store.list_runs(&filter, PageRequest::new(None, PAGE_ITEMS_MAX)).await?;
            let of = |part: &Run| match part.target {
                Target::Node { node } => Some(node),
                _ => None,
            };
            parts.items.iter().filter_map(of).collect()
        }
    };
    let (policy, who) = (ctx.app.policy.load_full(), principal_of(&user));
    let consented = Circumstances { approved: true, ..Circumstances::default() };
    for node in nodes {
        let Some(node) = store.lookup_node(node).await? else { continue };
        let command = Resource::command(&node, &run.command);
        if !policy.policy.decide_in(&who, Action::RunSubmit, &command, &consented).allowed {
            return no("Whoever asked may not run this there any more: deny it.");
        }
    }
    Ok(())
}
