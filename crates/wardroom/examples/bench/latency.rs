//! From submission to the started process, at a steady pace that waits for nobody.

use crate::{
    figure::{Figure, Target},
    world::{PATIENCE, World},
};
use anyhow::{Context as _, ensure};
use serde::Deserialize;
use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::task::JoinSet;
use wardroom_core::Timestamp;

/// Submissions per second.
const PACE: u64 = 50;
/// The first seconds warm up connections and caches.
const WARM_UP_SECONDS: u64 = 2;

#[derive(Deserialize)]
struct Run {
    id: String,
    state: String,
    terminal: bool,
    queued_at: String,
    started_at: Option<String>,
}

#[derive(Deserialize)]
struct List {
    items: Vec<Run>,
    next: Option<String>,
}

/// Measures it.
pub(crate) async fn start(seconds: u64) -> anyhow::Result<Vec<Figure>> {
    let mut world = World::new().await?;
    world.join().await?;
    let world = Arc::new(world);
    let intended = submit_all(&world, seconds).await?;
    let runs = all_ended(&world).await?;
    let (mut server, mut whole) = (Vec::new(), Vec::new());
    for run in &runs {
        ensure!(run.state == "succeeded", "run {} {}", run.id, run.state);
        let Some(intended) = intended.get(&run.id) else { continue };
        let started = run.started_at.as_deref().context("a run that never started")?;
        let started: Timestamp = started.parse().map_err(|_| anyhow::anyhow!("not a time"))?;
        let queued: Timestamp = run.queued_at.parse().map_err(|_| anyhow::anyhow!("not a time"))?;
        server.push(milliseconds(started.since(queued)));
        whole.push(milliseconds(started.since(*intended)));
    }
    ensure!(server.len() == intended.len(), "some runs are not in the list");
    server.sort_by(f64::total_cmp);
    whole.sort_by(f64::total_cmp);
    let note = format!(
        "{} runs at {PACE}/s, open loop, by the run's own `queued_at` and `started_at` (one machine's clock); slowest {:.1} ms",
        server.len(),
        at(&server, 1.0)
    );
    let outside = format!(
        "from the moment at which the client meant to submit: p50 {:.1} ms, p99 {:.1} ms, slowest {:.1} ms",
        at(&whole, 0.5),
        at(&whole, 0.99),
        at(&whole, 1.0)
    );
    Ok(vec![
        Figure::new("submit to process started, p50", Target::AtMost(5.0), at(&server, 0.5), "ms")
            .note(note),
        Figure::new(
            "submit to process started, p99",
            Target::AtMost(20.0),
            at(&server, 0.99),
            "ms",
        )
        .note(outside),
    ])
}

/// Submits on time, whatever became of what went before; gives when each was meant to be submitted.
async fn submit_all(
    world: &Arc<World>,
    seconds: u64,
) -> anyhow::Result<HashMap<String, Timestamp>> {
    let mut open = JoinSet::new();
    let begun = tokio::time::Instant::now();
    let mut intended = HashMap::new();
    for tick in 0..(WARM_UP_SECONDS + seconds) * PACE {
        let due = begun + Duration::from_micros(tick * 1_000_000 / PACE);
        tokio::time::sleep_until(due).await;
        // The timer comes late at times, which is part of what is measured.
        let meant = now().minus(due.elapsed());
        let counts = tick >= WARM_UP_SECONDS * PACE;
        let world = Arc::clone(world);
        open.spawn(async move { anyhow::Ok((world.submit("true").await?, meant, counts)) });
    }
    while let Some(submitted) = open.join_next().await {
        let (id, meant, counts) = submitted??;
        if counts {
            intended.insert(id, meant);
        }
    }
    Ok(intended)
}

async fn all_ended(world: &World) -> anyhow::Result<Vec<Run>> {
    let begun = Instant::now();
    loop {
        let mut runs = Vec::new();
        let mut path = "/api/v1/runs?limit=200".to_owned();
        loop {
            let page: List = world.get(&path).await?;
            runs.extend(page.items);
            let Some(next) = page.next else { break };
            path = format!("/api/v1/runs?limit=200&after={next}");
        }
        if runs.iter().all(|run| run.terminal) {
            return Ok(runs);
        }
        ensure!(begun.elapsed() < PATIENCE, "some runs never ended");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[expect(clippy::disallowed_methods, reason = "measured by the clock that the programs use")]
fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let micros = since.map_or(0, |since| since.as_micros());
    Timestamp::from_micros(i64::try_from(micros).unwrap_or(i64::MAX))
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// The value below which this share of the sorted values lies.
pub(crate) fn at(sorted: &[f64], share: f64) -> f64 {
    let place = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(place.saturating_sub(1)).copied().unwrap_or(f64::NAN)
}
