//! `POST /api/v1/runs`

use super::super::{
    super::input::{Json, idempotency_key},
    requests,
};
use crate::{
    context::{Authorised, Ctx},
    error::ApiError,
    named_secrets, view,
};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use std::{collections::BTreeMap, time::Duration};
use wardroom_core::{
    Action,
    action::Resource,
    approval::Wanted,
    audit::AuditDraft,
    command::Parameters,
    node::{Node, Selector},
    page::{PAGE_ITEMS_MAX, PageRequest},
    run::{PRIORITY_DEFAULT, RetryPolicy},
};
use wardroom_engine::{
    EngineError,
    runs::{Asked, FANOUT_MAX, Submission},
};
use wardroom_trust::policy::Circumstances;
use wardroom_wire::{
    api::{RunSubmit, RunView},
    error::Problem,
};

/// Run a command on a node, on one of the nodes that a selector matches, or on all of them.
#[utoipa::path(
    operation_id = "runs_submit",
    post, path = "/api/v1/runs", tag = "runs", request_body = RunSubmit,
    params(("Idempotency-Key" = Option<String>, Header, description = "makes a repeated request answer with the first one's run")),
    responses(
        (status = 202, body = RunView), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 422, body = Problem)
    )
)]
pub(crate) async fn handler(
    ctx: Ctx,
    headers: HeaderMap,
    Json(body): Json<RunSubmit>,
) -> Result<(StatusCode, [(HeaderName, String); 1], axum::Json<RunView>), ApiError> {
    let key = idempotency_key(&headers)?;
    let run = act(&ctx, body, key).await?;
    let location = [(header::LOCATION, format!("/api/v1/runs/{}", run.id))];
    Ok((StatusCode::ACCEPTED, location, axum::Json(run)))
}

/// Submits a run.
pub(crate) async fn act(
    ctx: &Ctx,
    body: RunSubmit,
    key: Option<String>,
) -> Result<RunView, ApiError> {
    let user = ctx.user()?;
    let (asked, audit, wanted) = place(ctx, &body).await?;
    let request = match &body.request {
        Some(text) => {
            let (request, _) = requests::find(ctx, text, Action::RequestWork).await?;
            Some((request.id, request.customer))
        }
        None => None,
    };
    let mut parameters = values(body.parameters)?;
    let may = |secret: &Resource| ctx.decide(Action::SecretUse, secret).allowed;
    let given = ("secrets", &body.secrets);
    named_secrets::check(&ctx.app, (&asked, &body.command), given, may).await?;
    for (name, value) in ctx.app.engine.secret_values(&body.secrets).await? {
        if parameters.insert(name.clone(), value).is_some() {
            let field = format!("secrets.{name}");
            return Err(ApiError::field(&field, "has a value in parameters as well"));
        }
    }
    let default = RetryPolicy::default();
    let submission = Submission {
        user,
        command: body.command,
        asked,
        parameters,
        deadline: body.deadline_seconds.map(Duration::from_secs),
        retry: RetryPolicy {
            attempts_max: body.attempts_max.unwrap_or(default.attempts_max),
            backoff_ms: body.backoff_ms.unwrap_or(default.backoff_ms),
        },
        priority: body.priority.unwrap_or(PRIORITY_DEFAULT),
        idempotency_key: key,
        replay_of: None,
        secret: body.secrets.keys().cloned().collect(),
        named: body.secrets,
        request,
        wanted,
        parent: None,
    };
    let run = ctx.app.engine.submit(submission, audit).await?;
    view::run(ctx, &run).await
}

/// Where a run may go, the record of it, and what a person has to consent to first.
pub(super) type Placed = (Asked, AuditDraft, Option<Wanted>);

/// Where the run may go: policy is asked for every node that it names.
async fn place(ctx: &Ctx, body: &RunSubmit) -> Result<Placed, ApiError> {
    match (&body.node, &body.labels) {
        (Some(node), None) if !body.all => one_node(ctx, node, &body.command).await,
        (None, Some(labels)) => {
            let labels: Selector =
                labels.parse().map_err(|error| ApiError::field("labels", format!("{error}")))?;
            by_labels(ctx, labels, &body.command, body.all).await
        }
        _ => Err(ApiError::field(
            "node",
            "give exactly one of node and labels; all goes with labels",
        )),
    }
}

/// One node, by id or name.
pub(super) async fn one_node(ctx: &Ctx, node: &str, command: &str) -> Result<Placed, ApiError> {
    let node = super::super::nodes::find(ctx, node).await?;
    let allowed = allowed_on(ctx, &Resource::command(&node, command)).await?;
    Ok((Asked::Node(Box::new(node)), allowed.draft(ctx), allowed.wanted(ctx)))
}

async fn allowed_on(ctx: &Ctx, command: &Resource) -> Result<Authorised, ApiError> {
    ctx.authorise_or_ask(Action::RunSubmit, command, &Circumstances::default()).await
}

/// The nodes that match now, offer the command and on which the caller may run it.
pub(super) async fn by_labels(
    ctx: &Ctx,
    labels: Selector,
    command: &str,
    all: bool,
) -> Result<Placed, ApiError> {
    let mut nodes: Vec<Node> = Vec::new();
    // One of them that takes consent makes all of them wait for it.
    let mut takes_consent: Option<Node> = None;
    let mut page = PageRequest::new(None, PAGE_ITEMS_MAX);
    loop {
        let found = ctx.app.engine.store().list_nodes(page).await?;
        for node in found.items {
            let offers = node.catalogue.command(command).is_some();
            if node.disabled || !offers || !labels.matches(&node.labels) {
                continue;
            }
            let decision = ctx.decide(Action::RunSubmit, &Resource::command(&node, command));
            if decision.reachable() {
                if decision.asks.is_some() {
                    takes_consent.get_or_insert_with(|| node.clone());
                }
                nodes.push(node);
            }
        }
        match found.next {
            Some(after) if nodes.len() <= FANOUT_MAX => {
                page = PageRequest::new(Some(after), PAGE_ITEMS_MAX)
            }
            _ => break,
        }
    }
    let Some(first) = nodes.first() else {
        // Without any node to ask about, policy is asked about a command on no node.
        let nowhere = Resource::new(wardroom_core::action::ResourceKind::Command, command);
        allowed_on(ctx, &nowhere).await?;
        return Err(EngineError::NoNode(command.to_owned()).into());
    };
    let asked_of = Resource::command(takes_consent.as_ref().unwrap_or(first), command);
    let allowed = allowed_on(ctx, &asked_of).await?;
    // Nodes that are there now go first, so that «one of» does not wait for one that is not.
    let now = ctx.now();
    nodes.sort_by_key(|node| node.state(now));
    let audit = allowed.draft(ctx).detail("labels", &labels).detail("nodes", nodes.len());
    let asked = if all { Asked::AllOf(labels, nodes) } else { Asked::OneOf(labels, nodes) };
    Ok((asked, audit, allowed.wanted(ctx)))
}

/// JSON values as a command takes them: texts, whole numbers, booleans.
fn values(given: BTreeMap<String, serde_json::Value>) -> Result<Parameters, ApiError> {
    given
        .into_iter()
        .map(|(name, value)| match serde_json::from_value(value) {
            Ok(value) => Ok((name, value)),
            Err(_) => Err(ApiError::field(
                &format!("parameters.{name}"),
                "must be a text, a whole number or a boolean",
            )),
        })
        .collect()
}
