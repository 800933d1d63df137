//! What an enrolled, idle node costs the orchestrator in memory.

use crate::{
    figure::{Figure, Target, number},
    swarm::Swarm,
    world::World,
};
use anyhow::Context as _;
use serde_json::Value;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

/// Nodes that enrol at the same time.
const AT_ONCE: usize = 24;
/// Before the first node and after the last: the first heartbeats and the work behind them are over.
const SETTLE_BEFORE: Duration = Duration::from_secs(5);
const SETTLE_AFTER: Duration = Duration::from_secs(40);
/// Descriptors that are not nodes'.
const OTHER_FILES: u64 = 200;

/// Measures it with so many nodes.
pub(crate) async fn memory(wanted: usize, files: Option<u64>) -> anyhow::Result<Vec<Figure>> {
    let most = files.map_or(usize::MAX, |files| {
        usize::try_from(files.saturating_sub(OTHER_FILES)).unwrap_or(usize::MAX)
    });
    let nodes = wanted.min(most);
    let mut world = World::new().await?;
    // The real node says what a node says; then it goes.
    world.join().await?;
    let real: Value = world.get("/api/v1/nodes/local").await?;
    world.stop_node()?;
    let field = |name: &str| real.get(name).cloned().with_context(|| format!("no {name}"));
    let tls = wardroom_trust::tls::client_config(&world.authority)?;
    let swarm = Arc::new(Swarm {
        tls: TlsConnector::from(Arc::new(tls)),
        catalogue: serde_json::from_value(field("catalogue")?)?,
        report: serde_json::from_value(field("report")?)?,
        world: Arc::new(world),
        open: AtomicU64::new(0),
    });
    tokio::time::sleep(SETTLE_BEFORE).await;
    let before = swarm.world.resident()?;
    let begun = Instant::now();
    let keeping = enrol_all(&swarm, nodes).await?;
    let enrolling = begun.elapsed();
    tokio::time::sleep(SETTLE_AFTER).await;
    let after = swarm.world.resident()?;
    let open = swarm.open.load(Ordering::Relaxed);
    let overview: Value = swarm.world.get("/api/v1/overview").await?;
    let online = overview.pointer("/nodes/online").and_then(Value::as_u64).unwrap_or(0);
    drop(keeping);
    let each = |bytes: u64| bytes.saturating_sub(before.now) as f64 / 1024.0 / nodes as f64;
    let mib = |bytes: u64| bytes / 1024 / 1024;
    let what = format!("orchestrator's memory per idle enrolled node, {nodes} over TLS");
    let mut figure = Figure::new(what, Target::AtMost(40.0), each(after.now), "KiB")
        .note(format!(
            "resident {} MiB without nodes, {} MiB with them, {} MiB at the highest ({:.1} KiB per node)",
            mib(before.now),
            mib(after.now),
            mib(after.peak),
            each(after.peak)
        ))
        .note(format!(
            "{open} links open and {online} nodes online {} s after the last was enrolled; enrolling took {:.0} s ({}/s, join token and four requests each)",
            SETTLE_AFTER.as_secs(),
            enrolling.as_secs_f64(),
            number(nodes as f64 / enrolling.as_secs_f64())
        ));
    if nodes < wanted {
        let files = files.unwrap_or_default();
        figure = figure.note(format!(
            "only {nodes} of {wanted}: a process may have {files} files open here and the limit can't be raised"
        ));
    }
    Ok(vec![figure])
}

/// Enrols all, some at the same time; gives their links' tasks.
async fn enrol_all(swarm: &Arc<Swarm>, nodes: usize) -> anyhow::Result<JoinSet<()>> {
    let next = Arc::new(AtomicUsize::new(0));
    let mut enrolling = JoinSet::new();
    for _ in 0..AT_ONCE {
        let (swarm, next) = (Arc::clone(swarm), Arc::clone(&next));
        enrolling.spawn(async move {
            let mut keeping = JoinSet::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= nodes {
                    return anyhow::Ok(keeping);
                }
                let link = swarm.node(number).await.with_context(|| format!("node {number}"))?;
                keeping.spawn(link.keep());
            }
        });
    }
    let mut all = JoinSet::new();
    while let Some(enrolled) = enrolling.join_next().await {
        let mut keeping = enrolled??;
        all.spawn(async move { while keeping.join_next().await.is_some() {} });
    }
    Ok(all)
}
