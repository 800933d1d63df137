//! How an order's command is submitted: for who ordered, under the rights of who wrote the service.

use crate::{App, error::ApiError, named_secrets, policies::principal_of};
use serde_json::Value;
use std::{collections::BTreeMap, time::Duration};
use wardroom_core::{
    Action, Door, Principal, UserId,
    action::Resource,
    approval::Wanted,
    desk::service::{Fulfilment, Service, ServiceState},
    identity::UserState,
    node::{Node, Selector},
    page::{PAGE_ITEMS_MAX, PageRequest},
    run::{PRIORITY_DEFAULT, RetryPolicy},
};
use wardroom_engine::{
    Engine, EngineError,
    runs::{Asked, FANOUT_MAX, Submission},
};
use wardroom_wire::error::ErrorCode;

/// Where `who` may run the service's command now; `None` where people do it.
pub(crate) async fn runnable(
    app: &App,
    service: &Service,
    who: &Principal,
) -> Result<Option<(Asked, Option<Wanted>)>, ApiError> {
    let Fulfilment::Command { command, node, labels, .. } = &service.fulfilment else {
        return Ok(None);
    };
    let policy = app.policy.load_full();
    // One of several nodes that takes consent makes all of them wait for it.
    let mut wanted = None;
    let mut fits = |node: &Node| {
        if node.disabled || node.catalogue.command(command).is_none() {
            return false;
        }
        let resource = Resource::command(node, command);
        let decision = policy.policy.decide(who, Action::RunSubmit, &resource);
        let reachable = decision.reachable();
        if let (None, Some(policies)) = (&wanted, decision.asks) {
            let (version, door) = (decision.version, Door::Internal);
            let author = who.user();
            wanted =
                Some(Wanted { policies, version, client: None, door, author, agent_run: None });
        }
        reachable
    };
    let nowhere = "its author may not run its command anywhere, or no node offers it: somebody who may must save the service anew";
    let store = app.engine.store();
    if let Some(text) = node {
        let found = match text.parse() {
            Ok(id) => store.lookup_node(id).await?,
            Err(_) => store.lookup_node_by_name(text).await?,
        };
        let node = found.filter(&mut fits).ok_or(EngineError::NotOrdered(nowhere))?;
        return Ok(Some((Asked::Node(Box::new(node)), wanted)));
    }
    let labels: Selector = labels
        .as_deref()
        .unwrap_or_default()
        .parse()
        .map_err(|error| ApiError::field("fulfilment.labels", format!("{error}")))?;
    let mut nodes = Vec::new();
    let mut page = PageRequest::new(None, PAGE_ITEMS_MAX);
    loop {
        let found = store.list_nodes(page).await?;
        nodes.extend(
            found.items.into_iter().filter(|node| labels.matches(&node.labels) && fits(node)),
        );
        match found.next {
            Some(after) if nodes.len() <= FANOUT_MAX => {
                page = PageRequest::new(Some(after), PAGE_ITEMS_MAX)
            }
            _ => break,
        }
    }
    if nodes.is_empty() {
        return Err(EngineError::NotOrdered(nowhere).into());
    }
    let now = app.engine.now();
    nodes.sort_by_key(|node| node.state(now));
    Ok(Some((Asked::OneOf(labels, nodes), wanted)))
}

/// What is submitted for an order with these values; `None` where people do it.
pub(crate) async fn submission(
    app: &App,
    service: &Service,
    by: UserId,
    values: &BTreeMap<String, Value>,
) -> Result<Option<Submission>, ApiError> {
    let Fulfilment::Command { command, fixed, secrets, deadline_seconds, .. } = &service.fulfilment
    else {
        return Ok(None);
    };
    // SECURITY: publishing is where its author's rights and scopes are asked for; a draft was asked for nothing.
    if service.state != ServiceState::Published {
        return Err(EngineError::NotOrdered(
            "the service is not published: somebody must publish it, or do it by hand",
        )
        .into());
    }
    // SECURITY: no step widens authority. Who orders may run nothing by themselves; the service may what its
    // author may at this moment, and no more once the author is turned away.
    let author = app.engine.store().lookup_user(service.author).await?;
    let author =
        author.filter(|user| user.state == UserState::Active).ok_or(EngineError::NotOrdered(
            "its author's account is closed: somebody else must save the service anew",
        ))?;
    let author = principal_of(&author);
    let Some((asked, wanted)) = runnable(app, service, &author).await? else {
        return Ok(None);
    };
    let policy = app.policy.load_full();
    let may = |secret: &Resource| policy.policy.decide(&author, Action::SecretUse, secret).allowed;
    let given = ("fulfilment.secrets", secrets);
    let checked = named_secrets::check(app, (&asked, command), given, may).await;
    if checked.as_ref().is_err_and(|error| error.code == ErrorCode::InvalidField) {
        let why = "its author may not give its command the secrets that it needs, or they are not there any more: somebody who may must save the service anew";
        return Err(EngineError::NotOrdered(why).into());
    }
    checked?;
    let values = app.engine.check_values(service, values.clone())?;
    let mut parameters = Engine::command_parameters(fixed, &values)?;
    parameters.extend(app.engine.secret_values(secrets).await?);
    Ok(Some(Submission {
        user: by,
        command: command.clone(),
        asked,
        parameters,
        deadline: deadline_seconds.map(Duration::from_secs),
        retry: RetryPolicy::default(),
        priority: PRIORITY_DEFAULT,
        idempotency_key: None,
        replay_of: None,
        secret: secrets.keys().cloned().collect(),
        named: secrets.clone(),
        request: None,
        wanted,
        parent: None,
    }))
}
