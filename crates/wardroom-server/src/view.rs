//! Domain values as the API shows them.

use crate::{App, context::Ctx, error::ApiError, identity::Standing};
use secrecy::ExposeSecret as _;
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, BTreeSet};
use wardroom_core::{
    Action, Timestamp,
    action::Resource,
    audit::AuditEntry,
    desk::{customer::Customer, request::Attachment},
    identity::{ApiToken, JoinToken, Pass, User},
    node::{Catalogue, Node},
    run::{End, Outcome, Run, RunState, Target},
};
use wardroom_engine::EngineError;
use wardroom_trust::secret::PassSecret;
use wardroom_wire::{
    api::{AuditRecordView, AuditView, JoinTokenView, NodeView, OutcomeView, RunView},
    desk::{AttachmentView, CustomerView},
    identity::{NewLink, StandingView, TokenView, UserView},
};

fn text(at: Option<Timestamp>) -> Option<String> {
    at.map(|at| at.to_string())
}

/// Turns a value of one crate into its twin of another: both have the same JSON by contract.
pub(crate) fn twin<T: DeserializeOwned>(value: impl serde::Serialize) -> Result<T, ApiError> {
    serde_json::to_value(value).and_then(serde_json::from_value).map_err(ApiError::internal)
}

/// A node for a list.
pub(crate) fn node(node: &Node, now: Timestamp) -> Result<NodeView, ApiError> {
    Ok(NodeView {
        id: node.id.to_string(),
        version: node.version,
        name: node.name.clone(),
        state: node.state(now).as_str().to_owned(),
        labels: node.labels.clone(),
        enrolled_at: node.enrolled_at.to_string(),
        seen_at: text(node.seen_at),
        report: node.report.as_ref().map(twin).transpose()?,
        commands: node.catalogue.commands.len(),
    })
}

/// A node's catalogue as far as the caller may use it: commands to run, tool servers to register.
pub(crate) fn catalogue(
    ctx: &Ctx,
    node: &Node,
) -> Result<wardroom_wire::link::CatalogueShape, ApiError> {
    let mut shown = Catalogue { digest: node.catalogue.digest.clone(), ..Catalogue::default() };
    if ctx.decide(Action::ToolServerCreate, &Resource::system()).reachable() {
        shown.tool_servers.clone_from(&node.catalogue.tool_servers);
    }
    for command in &node.catalogue.commands {
        if ctx.decide(Action::RunSubmit, &Resource::command(node, &command.name)).reachable() {
            shown.commands.push(command.clone());
        }
    }
    twin(shown)
}

/// A join token.
pub(crate) fn join_token(token: &JoinToken, now: Timestamp) -> JoinTokenView {
    JoinTokenView {
        id: token.id.to_string(),
        state: token.state(now).as_str().to_owned(),
        labels: token.labels.clone(),
        created_by: token.created_by.clone(),
        created_at: token.created_at.to_string(),
        expires_at: token.expires_at.to_string(),
        used_by: token.used_by.map(|node| node.to_string()),
    }
}

/// An API token.
pub(crate) fn token(token: &ApiToken) -> TokenView {
    TokenView {
        id: token.id.to_string(),
        name: token.name.clone(),
        scopes: token.scopes.clone(),
        created_at: token.created_at.to_string(),
        expires_at: token.expires_at.to_string(),
        used_at: text(token.used_at),
    }
}

/// An account.
pub(crate) async fn user(app: &App, user: &User) -> Result<UserView, ApiError> {
    let profile = app.engine.profile(user).await?;
    Ok(UserView {
        id: user.id.to_string(),
        version: user.version,
        name: profile.name,
        display_name: profile.display_name,
        email: profile.email,
        role: user.role.to_string(),
        groups: user.groups.clone(),
        customer: user.customer.map(|id| id.to_string()),
        state: user.state.as_str().to_owned(),
        second_factor: user.second_factor,
        password_changed_at: (!user.password_hash.is_empty())
            .then(|| user.password_changed_at.to_string()),
        created_at: user.created_at.to_string(),
    })
}

/// A customer.
pub(crate) async fn customer(app: &App, customer: &Customer) -> Result<CustomerView, ApiError> {
    let profile = app.engine.customer_profile(customer).await?;
    Ok(CustomerView {
        id: customer.id.to_string(),
        version: customer.version,
        name: profile.name,
        email: profile.email,
        phone: profile.phone,
        notes: profile.notes,
        fields: profile.fields,
        operators: customer.operators.iter().map(ToString::to_string).collect(),
        created_at: customer.created_at.to_string(),
    })
}

/// A file of a request.
pub(crate) async fn attachment(
    app: &App,
    attachment: &Attachment,
) -> Result<AttachmentView, ApiError> {
    Ok(AttachmentView {
        id: attachment.id.to_string(),
        name: app.engine.attachment_name(attachment).await?,
        media_type: attachment.media_type.clone(),
        size_bytes: attachment.size_bytes,
        created_at: attachment.created_at.to_string(),
    })
}

/// A single-use link.
pub(crate) fn link(app: &App, pass: &Pass, secret: &PassSecret) -> NewLink {
    NewLink {
        url: link_url(app, secret),
        secret: secret.expose().expose_secret().to_owned(),
        purpose: pass.purpose.as_str().to_owned(),
        expires_at: pass.expires_at.to_string(),
    }
}

/// Where a single-use link leads.
pub(crate) fn link_url(app: &App, secret: &PassSecret) -> String {
    format!("{}/welcome?link={}", app.public_url, secret.expose().expose_secret())
}

/// What is open to a session of `user`.
pub(crate) async fn standing(
    app: &App,
    user: &User,
    standing: Standing,
) -> Result<StandingView, ApiError> {
    let mut factors = BTreeSet::new();
    if user.second_factor {
        for factor in app.engine.store().list_factors(user.id).await? {
            if factor.confirmed {
                factors.insert(factor.kind.as_str().to_owned());
            }
        }
    }
    Ok(StandingView { needs: standing.as_str().to_owned(), factors: factors.into_iter().collect() })
}

/// An audit record for whoever may read the log: what is sealed is opened, as far as it was not erased.
pub(crate) async fn audit(ctx: &Ctx, entry: &AuditEntry) -> Result<AuditView, ApiError> {
    let mut record: AuditRecordView =
        serde_json::from_str(&entry.body).map_err(ApiError::internal)?;
    let vault = ctx.app.engine.vault();
    if let Some(address) = &mut record.address {
        *address = vault.open_text("address", address).await.map_err(EngineError::from)?;
    }
    for (key, text) in &mut record.detail {
        *text = vault.open_text(key, text).await.map_err(EngineError::from)?;
    }
    let leaf = data_encoding::HEXLOWER.encode(&entry.leaf);
    Ok(AuditView { index: entry.index, leaf, record })
}

/// A run. Values of secret parameters are not shown to anybody.
pub(crate) async fn run(ctx: &Ctx, run: &Run) -> Result<RunView, ApiError> {
    let values = ctx.app.engine.values_left(run).await?.unwrap_or_default();
    let mut parameters = BTreeMap::new();
    for (name, value) in values.shown {
        parameters.insert(name, serde_json::to_value(value).map_err(ApiError::internal)?);
    }
    for name in values.secret.into_keys() {
        parameters.insert(name, serde_json::Value::from("[secret]"));
    }
    let (labels, all) = match &run.target {
        Target::Node { .. } => (None, false),
        Target::OneOf { labels } => (Some(labels.to_string()), false),
        Target::AllOf { labels } => (Some(labels.to_string()), true),
        Target::Here {} => (None, false),
    };
    let node = match (&run.target, run.node) {
        (_, Some(node)) => Some(node.to_string()),
        (Target::Node { node }, None) => Some(node.to_string()),
        _ => None,
    };
    Ok(RunView {
        id: run.id.to_string(),
        state: run.state.as_str().to_owned(),
        terminal: run.state.is_terminal(),
        command: run.command.clone(),
        agent_version: run.work.as_ref().map(|work| work.version),
        thread: run.work.as_ref().and_then(|work| work.thread).map(|id| id.to_string()),
        parameters,
        node,
        labels,
        all,
        parent: run.parent.map(|id| id.to_string()),
        replay_of: run.replay_of.map(|id| id.to_string()),
        submitted_by: run.submitted_by.to_string(),
        request: run.request.map(|id| id.to_string()),
        approval: match run.state {
            RunState::AwaitingApproval => {
                let of = run.parent.unwrap_or(run.id);
                let found = ctx.app.engine.store().lookup_approval_of(of).await?;
                found.map(|approval| approval.id.to_string())
            }
            _ => None,
        },
        attempt: run.attempt,
        attempts_max: run.retry.attempts_max,
        priority: run.priority,
        idempotent: run.idempotent,
        dead_letter: run.dead_letter,
        deadline: text(run.deadline),
        not_before: text(run.not_before),
        cancel_requested_at: text(run.cancel_requested_at),
        queued_at: run.queued_at.to_string(),
        started_at: text(run.started_at),
        finished_at: text(run.finished_at),
        outcome: run.outcome.as_ref().map(outcome),
    })
}

fn outcome(outcome: &Outcome) -> OutcomeView {
    let (kind, exit_code) = match &outcome.end {
        End::Answered => ("answered", None),
        End::NoAnswer { .. } => ("no_answer", None),
        End::Exited { code } => ("exited", Some(*code)),
        End::Signalled { .. } => ("signalled", None),
        End::Limit { .. } => ("limit", None),
        End::Cancelled => ("cancelled", None),
        End::NotStarted => ("not_started", None),
        End::Refused { .. } => ("refused", None),
        End::Interrupted => ("interrupted", None),
        End::DeadlinePassed => ("deadline_passed", None),
        End::Children { .. } => ("children", None),
    };
    OutcomeView {
        kind: kind.to_owned(),
        exit_code,
        message: wardroom_engine::runs::sentence(outcome),
        cpu_ms: outcome.cpu_ms,
        memory_peak_bytes: outcome.memory_peak_bytes,
        output_bytes: outcome.output_bytes,
    }
}

/// Whether a run of this state shows up among failures.
pub(crate) const fn is_failure(state: RunState) -> bool {
    matches!(state, RunState::Failed | RunState::TimedOut | RunState::Interrupted)
}
