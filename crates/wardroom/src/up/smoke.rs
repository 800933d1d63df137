//! The first command: proves that the whole road is open.

use crate::serve::Running;
use anyhow::{Context as _, bail};
use std::time::Duration;
use tokio::sync::broadcast::Receiver;
use wardroom_core::{
    Origin, Principal, Role,
    audit::AuditDraft,
    hint::Hint,
    identity::{User, UserState},
    node::{Node, NodeState},
    page::PageRequest,
    run::{PRIORITY_DEFAULT, RetryPolicy, Run, RunState},
    store::UserFilter,
};
use wardroom_engine::{
    Engine,
    runs::{Asked, Submission, sentence},
};

/// How long all of it may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// How often the state is looked at when no hint comes.
const LOOK: Duration = Duration::from_millis(250);
/// The command that is run.
const COMMAND: &str = "hostname";

/// What came of it.
pub(super) struct Smoke {
    pub(super) command: &'static str,
    pub(super) node: String,
    pub(super) output: String,
    pub(super) records: u64,
}

/// Waits for the node, runs a command on it, verifies the audit log.
pub(super) async fn run(running: &Running) -> anyhow::Result<Smoke> {
    tokio::time::timeout(TIMEOUT, first(running))
        .await
        .context("the node did not come through within 30 s; its log is above")?
}

async fn first(running: &Running) -> anyhow::Result<Smoke> {
    let engine = &running.engine;
    let mut hints = engine.hub().listen();
    let node = loop {
        if let Some(node) = ready_node(engine).await? {
            break node;
        }
        wait(&mut hints).await;
    };
    let name = node.name.clone();
    let submitted = submit(engine, node).await?;
    let run = loop {
        let run = engine.store().lookup_run(submitted.id).await?.context("the run is gone")?;
        if run.state.is_terminal() {
            break run;
        }
        wait(&mut hints).await;
    };
    if run.state != RunState::Succeeded {
        let why = run.outcome.as_ref().map(sentence).unwrap_or_default();
        bail!("{COMMAND} ended as {}: {why}", run.state);
    }
    let chunks = engine.store().list_output(run.id, (0, 0), 4096).await?;
    let bytes: Vec<u8> = chunks.into_iter().flat_map(|chunk| chunk.bytes).collect();
    let verified = engine.verify_audit().await?.map_err(|finding| anyhow::anyhow!("{finding}"))?;
    Ok(Smoke {
        command: COMMAND,
        node: name,
        output: String::from_utf8_lossy(&bytes).trim().to_owned(),
        records: verified.records,
    })
}

/// A node that is there and has said what it offers.
async fn ready_node(engine: &Engine) -> anyhow::Result<Option<Node>> {
    let now = engine.now();
    let nodes = engine.store().list_nodes(PageRequest::first()).await?.items;
    Ok(nodes.into_iter().find(|node| {
        node.name == "local"
            && node.state(now) == NodeState::Online
            && node.catalogue.command(COMMAND).is_some()
    }))
}

/// An administrator, whoever is one: the first may have been renamed or erased.
pub(super) async fn admin(engine: &Engine) -> anyhow::Result<User> {
    let filter = UserFilter {
        role: Some(Role::Admin),
        state: Some(UserState::Active),
        ..UserFilter::default()
    };
    let found = engine.store().list_users(&filter, PageRequest::first()).await?.items.pop();
    found.context("there is no administrator to do it for")
}

async fn submit(engine: &Engine, node: Node) -> anyhow::Result<Run> {
    let admin = admin(engine).await?;
    let submission = Submission {
        parent: None,
        user: admin.id,
        command: COMMAND.to_owned(),
        asked: Asked::Node(Box::new(node)),
        parameters: Default::default(),
        deadline: Some(TIMEOUT),
        retry: RetryPolicy::default(),
        priority: PRIORITY_DEFAULT,
        idempotency_key: None,
        replay_of: None,
        secret: Default::default(),
        named: Default::default(),
        request: None,
        wanted: None,
    };
    let audit = AuditDraft::event("run.submit", &Principal::System, &Origin::CONSOLE, engine.now());
    Ok(engine.submit(submission, audit).await?)
}

async fn wait(hints: &mut Receiver<Hint>) {
    let _ = tokio::time::timeout(LOOK, hints.recv()).await;
}
