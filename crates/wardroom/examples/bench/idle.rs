//! What the programs need when nothing happens, and how soon the orchestrator is ready.

use crate::{
    figure::{Figure, Target},
    world::World,
};
use std::time::Duration;

/// Starts that are measured.
const STARTS: usize = 7;
/// How long the programs are left alone before their memory is read.
const SETTLE: Duration = Duration::from_secs(10);
const MIB: f64 = 1024.0 * 1024.0;

/// Resident memory of both programs, a node being linked.
pub(crate) async fn memory() -> anyhow::Result<Vec<Figure>> {
    let mut world = World::new().await?;
    world.join().await?;
    tokio::time::sleep(SETTLE).await;
    let (orchestrator, node) = (world.resident()?, world.node_resident()?);
    let peak = |bytes: u64| format!("highest until then {:.1} MiB", bytes as f64 / MIB);
    Ok(vec![
        Figure::new(
            "orchestrator at rest, resident",
            Target::AtMost(60.0),
            orchestrator.now as f64 / MIB,
            "MiB",
        )
        .note(peak(orchestrator.peak))
        .note("10 s after a new installation was signed in to and its first node came online"),
        Figure::new("node at rest, resident", Target::AtMost(15.0), node.now as f64 / MIB, "MiB")
            .note(peak(node.peak)),
    ])
}

/// From the start of the process to its ready file, with data that is there.
pub(crate) async fn ready() -> anyhow::Result<Vec<Figure>> {
    let mut world = World::new().await?;
    world.join().await?;
    world.stop_node()?;
    let mut took = Vec::new();
    for _ in 0..STARTS {
        world.stop()?;
        took.push(world.start().await?.as_secs_f64() * 1000.0);
    }
    took.sort_by(f64::total_cmp);
    let median = took.get(STARTS / 2).copied().unwrap_or(f64::NAN);
    let note = format!(
        "median of {STARTS} starts with existing data; fastest {:.0} ms, slowest {:.0} ms",
        took.first().copied().unwrap_or(f64::NAN),
        took.last().copied().unwrap_or(f64::NAN)
    );
    Ok(vec![
        Figure::new("orchestrator ready after its start", Target::AtMost(300.0), median, "ms")
            .note(note),
    ])
}
