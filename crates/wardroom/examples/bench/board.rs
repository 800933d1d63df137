//! Waiting for the ends of many runs: one reader of the list of runs serves all that wait.
//!
//! A run is over here when the API says so, which it does only once its end is committed.

use crate::world::{PATIENCE, World};
use anyhow::{Context as _, ensure};
use serde::Deserialize;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::{Notify, oneshot};

/// Runs in one look: a few more than there are clients, each of which has one open. The orchestrator asks
/// its policy about every run that it lists, so looking for more costs what is being measured.
const LOOK_RUNS: usize = 40;
/// The pause between two looks.
const PAUSE: Duration = Duration::from_millis(8);
/// Who waited so long is looked for alone.
const LATE: Duration = Duration::from_millis(500);

/// What a client wants to know of a run.
#[derive(Debug, Deserialize)]
pub(crate) struct Seen {
    pub(crate) id: String,
    pub(crate) state: String,
    terminal: bool,
}

#[derive(Deserialize)]
struct List {
    items: Vec<Seen>,
}

struct Waiting {
    since: Instant,
    tell: oneshot::Sender<Seen>,
}

/// Who waits for which run.
#[derive(Default)]
pub(crate) struct Board {
    waiting: Mutex<HashMap<String, Waiting>>,
    somebody: Notify,
}

impl Board {
    /// Waits for the run's end.
    pub(crate) async fn ended(&self, id: String) -> anyhow::Result<Seen> {
        let (tell, told) = oneshot::channel();
        self.lock().insert(id, Waiting { since: Instant::now(), tell });
        self.somebody.notify_one();
        tokio::time::timeout(PATIENCE, told)
            .await
            .context("a run never ended")?
            .context("the list of runs could not be read")
    }

    /// Looks, as long as it lives.
    pub(crate) async fn look(self: Arc<Self>, world: Arc<World>) -> anyhow::Result<()> {
        let list = format!("/api/v1/runs?limit={LOOK_RUNS}");
        loop {
            if self.lock().is_empty() {
                self.somebody.notified().await;
                continue;
            }
            let found: List = world.get(&list).await?;
            found.items.into_iter().for_each(|run| self.tell(run));
            for id in self.late() {
                self.tell(world.get(&format!("/api/v1/runs/{id}")).await?);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    fn tell(&self, run: Seen) {
        if run.terminal
            && let Some(waiting) = self.lock().remove(&run.id)
        {
            let _ = waiting.tell.send(run);
        }
    }

    fn late(&self) -> Vec<String> {
        let waiting = self.lock();
        let late = waiting.iter().filter(|(_, waiting)| waiting.since.elapsed() > LATE);
        late.map(|(id, _)| id.clone()).collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Submits a run and waits for its durable end, which must be a good one.
pub(crate) async fn run(world: &World, board: &Board, command: &str) -> anyhow::Result<()> {
    let id = world.submit(command).await?;
    let seen = board.ended(id).await?;
    ensure!(seen.state == "succeeded", "run {} {}", seen.id, seen.state);
    Ok(())
}
