//! The policy in force: the newest stored one, or the file's, or the default roles. What another one would
//! change is computed before it is put in force.

use crate::{App, context::Ctx, error::ApiError};
use arc_swap::ArcSwap;
use std::{collections::BTreeMap, sync::Arc};
use wardroom_core::{
    Action, ApiTokenId, Principal, UserId,
    action::{Resource, ResourceKind},
    audit::AuditDraft,
    change::{Change, Write},
    hint::Hint,
    identity::{User, UserState},
    node::Node,
    page::{PAGE_ITEMS_MAX, PageRequest},
    policy::StoredPolicy,
    principal::Credential,
    store::{StoreError, UserFilter},
    tool::Hints,
};
use wardroom_trust::policy::{Policy, PolicyError};
use wardroom_wire::{api::AccessChange, error::ErrorCode};

/// Accounts that a dry run looks at.
const USERS_MAX: usize = 10_000;
/// Nodes that it looks at, and commands of all of them.
const NODES_MAX: usize = 100;
const COMMANDS_MAX: usize = 500;
/// Changes that it tells.
const CHANGES_MAX: usize = 500;
/// Names that one change tells.
const NAMES_MAX: usize = 10;
/// The longest note, in characters.
const NOTE_CHARS_MAX: usize = 200;

/// Where the policy in force comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicySource {
    /// The program's own default roles.
    Default,
    /// The setting `policy_file`: it can't be changed here.
    File,
    /// The store.
    Stored,
}

impl PolicySource {
    /// The name on the wire.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::File => "file",
            Self::Stored => "stored",
        }
    }
}

/// A policy in force.
pub(crate) struct InForce {
    /// The policy.
    pub(crate) policy: Policy,
    /// Its number; 0 when it is not stored.
    pub(crate) number: i64,
    /// Where it comes from.
    pub(crate) source: PolicySource,
}

/// The policy in force; another one takes its place for all decisions from then on.
pub(crate) type Current = ArcSwap<InForce>;

/// What another policy would change.
pub(crate) struct Trial {
    /// The changes.
    pub(crate) changes: Vec<AccessChange>,
    /// There are more.
    pub(crate) more: bool,
    /// Nobody could change the policy or let people in any more.
    pub(crate) locks_out: bool,
}

impl App {
    /// Takes over the newest stored policy, unless a file says what holds.
    pub(crate) async fn reload_policy(&self) -> Result<(), StoreError> {
        let current = self.policy.load();
        if current.source == PolicySource::File {
            return Ok(());
        }
        let Some(stored) = self.engine.store().last_policy().await? else { return Ok(()) };
        if stored.number == current.number {
            return Ok(());
        }
        let policy = Policy::load(&stored.text)
            .map_err(|error| StoreError::Corrupt { what: "policy", reason: error.to_string() })?;
        let source = PolicySource::Stored;
        self.policy.store(Arc::new(InForce { policy, number: stored.number, source }));
        Ok(())
    }
}

/// What makes accounts alike for policy: role, groups, whether they belong to a customer, and whom a policy
/// names by id.
type Class = (String, Vec<String>, bool, Option<UserId>);

/// Reads a policy; mistakes stand with the field `text`.
pub(crate) fn read(text: &str) -> Result<Policy, ApiError> {
    Policy::load(text).map_err(|error| match error {
        PolicyError::Mistakes(mistakes) => ApiError::field("text", mistakes.join("\n")),
        error => ApiError::internal(error),
    })
}

/// What `next` would change for the accounts, nodes and commands that there are.
pub(crate) async fn try_out(ctx: &Ctx, next: Policy) -> Result<Trial, ApiError> {
    let current = ctx.app.policy.load_full();
    let users = active_users(ctx).await?;
    let mut classes: BTreeMap<Class, Vec<&User>> = BTreeMap::new();
    for user in &users {
        // Who is named by id is somebody of their own; all others of one role and groups are alike.
        let id = user.id.to_string();
        let named = [current.policy.text(), next.text()].iter().any(|text| text.contains(&id));
        let belongs = user.customer.is_some();
        let class = (user.role.to_string(), user.groups.clone(), belongs, named.then_some(user.id));
        classes.entry(class).or_default().push(user);
    }
    let mut tried = Vec::with_capacity(classes.len());
    for alike in classes.into_values() {
        let mut names = Vec::new();
        for user in alike.iter().take(NAMES_MAX) {
            names.push(ctx.app.engine.profile(user).await?.name);
        }
        let Some(first) = alike.first() else { continue };
        tried.push((principal_of(first), names, alike.len()));
    }
    let nodes = some_nodes(ctx).await?;
    let work = move || compare(&current.policy, &next, &tried, &nodes);
    tokio::task::spawn_blocking(work).await.map_err(ApiError::internal)
}

/// An account as policy sees it, whoever asks in its name.
pub(crate) fn principal_of(user: &User) -> Principal {
    Principal::User {
        id: user.id,
        name: String::new(),
        role: user.role,
        groups: user.groups.clone(),
        customer: user.customer,
        credential: Credential::ApiToken(ApiTokenId::from_uuid(user.id.uuid())),
    }
}

async fn active_users(ctx: &Ctx) -> Result<Vec<User>, ApiError> {
    let filter = UserFilter { state: Some(UserState::Active), ..UserFilter::default() };
    let mut users = Vec::new();
    let mut page = PageRequest::new(None, PAGE_ITEMS_MAX);
    loop {
        let found = ctx.app.engine.store().list_users(&filter, page).await?;
        users.extend(found.items);
        match found.next {
            Some(after) if users.len() < USERS_MAX => page.after = Some(after),
            _ => return Ok(users),
        }
    }
}

async fn some_nodes(ctx: &Ctx) -> Result<Vec<Node>, ApiError> {
    let page = PageRequest::new(None, NODES_MAX as u32);
    Ok(ctx.app.engine.store().list_nodes(page).await?.items)
}

/// A resource of each kind, with what people call it.
fn samples(who: &Principal, nodes: &[Node]) -> Vec<(String, Resource)> {
    let mut found = vec![
        ("the installation".to_owned(), Resource::system()),
        ("a join token".to_owned(), Resource::new(ResourceKind::JoinToken, "any")),
    ];
    for (kind, own, anothers) in [
        (ResourceKind::User, "the own account", "another's account"),
        (ResourceKind::Run, "an own run", "another's run"),
        (ResourceKind::Customer, "an own customer", "another's customer"),
        (ResourceKind::Request, "an own request", "another's request"),
        (ResourceKind::Service, "a published service", "a draft of a service"),
    ] {
        found.push((own.to_owned(), Resource::own(kind, who)));
        found.push((anothers.to_owned(), Resource::anothers(kind)));
    }
    let harmless = Hints { read_only: true, destructive: false, ..Hints::default() };
    for (called, hints) in [
        ("a tool that may destroy something", Hints::default()),
        ("a tool that only reads", harmless),
    ] {
        found.push((called.to_owned(), Resource::tool("any", "any", hints)));
    }
    for node in nodes {
        found.push((format!("node {}", node.name), Resource::node(node)));
    }
    let commands = nodes.iter().flat_map(|node| {
        let named =
            |name: &str| (format!("{name} on {}", node.name), Resource::command(node, name));
        node.catalogue.commands.iter().map(move |command| named(&command.name))
    });
    found.extend(commands.take(COMMANDS_MAX));
    found
}

fn compare(
    before: &Policy,
    after: &Policy,
    tried: &[(Principal, Vec<String>, usize)],
    nodes: &[Node],
) -> Trial {
    let mut trial = Trial { changes: vec![], more: false, locks_out: true };
    for (who, names, count) in tried {
        let keeps = [Action::PolicyUpdate, Action::UserCreate]
            .iter()
            .all(|action| after.decide(who, *action, &Resource::system()).allowed);
        trial.locks_out &= !keeps;
        let samples = samples(who, nodes);
        for action in Action::ALL {
            for (called, resource) in &samples {
                if resource.kind != action.resource_kind() {
                    continue;
                }
                let [was, will] = [before, after].map(|policy| {
                    let decision = policy.decide(who, *action, resource);
                    (decision.allowed, decision.asks.is_some())
                });
                if was == will {
                    continue;
                }
                if trial.changes.len() >= CHANGES_MAX {
                    trial.more = true;
                    continue;
                }
                trial.changes.push(AccessChange {
                    who: names.clone(),
                    count: *count,
                    action: action.to_string(),
                    resource: called.clone(),
                    allowed: will.0,
                    consent: will.1,
                });
            }
        }
    }
    trial
}

/// Puts a policy in force, in place of the one with the number `base`.
pub(crate) async fn put(
    ctx: &Ctx,
    text: String,
    note: &str,
    base: i64,
    audit: AuditDraft,
) -> Result<StoredPolicy, ApiError> {
    let current = ctx.app.policy.load_full();
    if current.source == PolicySource::File {
        return Err(ApiError::say(
            ErrorCode::Conflict,
            "The policy comes from a file: change that file, or take the setting policy_file away.",
        ));
    }
    let changed = || {
        let why = "Another policy was put in force meanwhile: read it, then decide anew.";
        ApiError::say(ErrorCode::Conflict, why)
    };
    if base != current.number {
        return Err(changed());
    }
    let note = note.trim();
    if note.chars().count() > NOTE_CHARS_MAX || note.chars().any(char::is_control) {
        return Err(ApiError::field("note", "must be at most 200 characters"));
    }
    let trial = try_out(ctx, read(&text)?).await?;
    if trial.locks_out {
        return Err(ApiError::new(ErrorCode::PolicyLocksOut));
    }
    let policy = read(&text)?;
    let stored = StoredPolicy {
        number: current.number + 1,
        text,
        note: note.to_owned(),
        author: ctx.principal.to_string(),
        created_at: ctx.now(),
    };
    let audit = audit
        .on(format!("policy:{}", stored.number))
        .detail("version", policy.version())
        .detail("version_before", current.policy.version())
        .detail("changes", trial.changes.len());
    let change = Change::recorded(audit).write(Write::AddPolicy(stored.clone())).hint(Hint::Policy);
    match ctx.app.engine.commit(change).await {
        Ok(()) => {}
        Err(StoreError::Duplicate(_)) => return Err(changed()),
        Err(error) => return Err(error.into()),
    }
    ctx.app.reload_policy().await?;
    Ok(stored)
}
