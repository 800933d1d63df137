//! Runs per second, from submission to the durable result.

use crate::{
    board::{Board, run},
    figure::{Figure, Target, number},
    world::World,
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::task::JoinSet;

/// Clients, each with one run open at a time.
const CLIENTS: usize = 32;
/// Before anything counts.
const WARM_UP: Duration = Duration::from_secs(2);

/// A real process in the sandbox.
pub(crate) async fn process(seconds: u64) -> anyhow::Result<Vec<Figure>> {
    let (rate, note) = rate("true", seconds).await?;
    let what = "runs of a sandboxed process, submit to durable result";
    Ok(vec![Figure::new(what, Target::AtLeast(300.0), rate, "runs/s").note(note)])
}

/// The command that the node answers itself.
pub(crate) async fn ping(seconds: u64) -> anyhow::Result<Vec<Figure>> {
    let (rate, note) = rate("ping", seconds).await?;
    let what = "runs of the built-in `ping`, submit to durable result";
    Ok(vec![Figure::new(what, Target::AtLeast(3000.0), rate, "runs/s").note(note)])
}

async fn rate(command: &'static str, seconds: u64) -> anyhow::Result<(f64, String)> {
    let mut world = World::new().await?;
    world.join().await?;
    let world = Arc::new(world);
    let board = Arc::new(Board::default());
    let ends = Arc::new(AtomicU64::new(0));
    let looking = tokio::spawn(Arc::clone(&board).look(Arc::clone(&world)));
    let last = Instant::now() + WARM_UP + Duration::from_secs(seconds);
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let (world, board, ends) = (Arc::clone(&world), Arc::clone(&board), Arc::clone(&ends));
        clients.spawn(async move {
            let mut worst = Duration::ZERO;
            while Instant::now() < last {
                let begun = Instant::now();
                run(&world, &board, command).await?;
                worst = worst.max(begun.elapsed());
                ends.fetch_add(1, Ordering::Relaxed);
            }
            anyhow::Ok(worst)
        });
    }
    tokio::time::sleep(WARM_UP).await;
    let (from, begun) = (ends.load(Ordering::Relaxed), Instant::now());
    tokio::time::sleep_until(last.into()).await;
    let (count, took) = (ends.load(Ordering::Relaxed) - from, begun.elapsed());
    let mut worst = Duration::ZERO;
    while let Some(client) = clients.join_next().await {
        worst = worst.max(client??);
    }
    looking.abort();
    let note = format!(
        "{CLIENTS} clients, {} runs in {:.1} s after {} s of warming up; the slowest took {} ms",
        number(count as f64),
        took.as_secs_f64(),
        WARM_UP.as_secs(),
        worst.as_millis(),
    );
    Ok((count as f64 / took.as_secs_f64(), note))
}
