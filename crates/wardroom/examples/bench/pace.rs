//! Requests at fixed times, whatever became of those before.

use std::time::{Duration, Instant};
use tokio::{sync::mpsc, task::JoinSet};

/// Microseconds from when each request was meant to its answer: `pace` requests a second over so many clients, each of
/// which `client` makes. The first second warms up.
pub(crate) async fn paced<C, F>(
    pace: u64,
    clients: usize,
    seconds: u64,
    client: impl Fn() -> anyhow::Result<C>,
) -> anyhow::Result<Vec<f64>>
where
    C: Fn() -> F + Send + 'static,
    F: Future<Output = anyhow::Result<()>> + Send,
{
    let begun = Instant::now() + Duration::from_millis(50);
    let total = pace * seconds;
    let (sender, mut took) = mpsc::unbounded_channel();
    let mut working = JoinSet::new();
    for own in 0..clients {
        let (ask, sender) = (client()?, sender.clone());
        working.spawn(async move {
            for number in (own as u64..total).step_by(clients) {
                let meant = begun + Duration::from_nanos(number * 1_000_000_000 / pace);
                tokio::time::sleep_until(meant.into()).await;
                ask().await?;
                if number > pace {
                    let _ = sender.send(meant.elapsed().as_secs_f64() * 1e6);
                }
            }
            Ok::<_, anyhow::Error>(())
        });
    }
    drop(sender);
    let mut all = vec![];
    while let Some(one) = took.recv().await {
        all.push(one);
    }
    while let Some(done) = working.join_next().await {
        done??;
    }
    all.sort_by(f64::total_cmp);
    Ok(all)
}
