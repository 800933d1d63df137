//! What gives reason for an alert about agents.

use crate::{Engine, EngineError};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use wardroom_core::{
    Timestamp,
    change::{Change, Write},
    page::PageRequest,
    run::{Run, RunState},
    store::{RunFilter, StoreError},
    watch::alert::{Rule, Sighting},
};

/// Runs of an agent that are looked at, the last ones.
const RUNS_MAX: u32 = 20;
/// Of these, those count that ended within this time.
const LATELY: Duration = Duration::from_secs(3600);
/// So many that failed, and at least half of all, are many.
const FAILED_FROM: usize = 5;
/// How long a run waits for somebody who takes it up before that is told of.
const QUEUED_LONG: Duration = Duration::from_secs(600);
/// How long one waits for a person or another run.
const WAITS_LONG: Duration = Duration::from_secs(24 * 3600);
/// Up to when runs were looked at that wait.
const CURSOR: &str = "agents_waiting";
/// How far that may stay behind where there was nothing to tell.
const BEHIND_MAX: Duration = Duration::from_secs(3600);
/// Runs that wait which one look tells of.
const WAITING_MAX: u32 = 200;

impl Engine {
    /// Of agents that failed just now, those of which many runs fail.
    pub(super) async fn failing(
        &self,
        agents: BTreeSet<String>,
    ) -> Result<Vec<Sighting>, EngineError> {
        let (now, mut seen) = (self.now(), vec![]);
        for agent in agents {
            // What works for another run, its own readers too, is that run's matter.
            let filter =
                RunFilter { command: Some(agent.clone()), top_level: true, ..RunFilter::default() };
            let found = self.store.list_runs(&filter, PageRequest::new(None, RUNS_MAX)).await?;
            let lately = |run: &&Run| run.finished_at.is_some_and(|at| now.since(at) <= LATELY);
            let ended = found.items.iter().filter(|run| run.work.is_some()).filter(lately);
            let (failed, other): (Vec<&Run>, Vec<&Run>) =
                ended.partition(|run| matches!(run.state, RunState::Failed | RunState::TimedOut));
            if failed.len() >= FAILED_FROM && failed.len() >= other.len() {
                let all = failed.len() + other.len();
                let last = failed.first().and_then(|run| run.outcome.as_ref());
                let why = last.map(crate::runs::sentence).unwrap_or_default();
                let detail = format!("{} of the last {all}: {why}", failed.len());
                seen.push(Sighting { rule: Rule::AgentFailures, subject: agent, detail, at: now });
            }
        }
        Ok(seen)
    }

    /// Tells of runs that wait for a long time by now, each once; of more than one look finds, not of all.
    pub(crate) async fn watch_waiting(&self) -> Result<(), EngineError> {
        let now = self.now();
        let from = self.store.cursor(CURSOR).await?;
        let seen_until = Timestamp::from_micros(i64::try_from(from).unwrap_or(i64::MAX));
        let span = |long| (seen_until.minus(long), now.minus(long));
        let (queued, waits) = (span(QUEUED_LONG), span(WAITS_LONG));
        let found = self.store.list_waiting_since(queued, waits, WAITING_MAX).await?;
        if found.is_empty() && now.since(seen_until) < BEHIND_MAX {
            return Ok(());
        }
        let mut agents: BTreeMap<&str, Vec<&Run>> = BTreeMap::new();
        for run in &found {
            agents.entry(&run.command).or_default().push(run);
        }
        let told = agents.into_iter().filter_map(|(agent, runs)| {
            let last = runs.last()?;
            let on = match last.state {
                RunState::Queued => "an orchestrator that takes it up",
                RunState::AwaitingApproval => "an approval",
                RunState::AwaitingInput => "an answer",
                _ => "another run",
            };
            let detail = format!("{} of its runs; {} waits for {on}", runs.len(), last.id);
            Some(Sighting { rule: Rule::AgentWaits, subject: agent.to_owned(), detail, at: now })
        });
        let mut change: Change = self.alert(told.collect()).await?;
        let to = u64::try_from(now.as_micros()).unwrap_or_default();
        change.writes.push(Write::MoveCursor { name: CURSOR, from, to });
        match self.commit(change).await {
            // Another orchestrator was faster.
            Err(StoreError::Conflict(_) | StoreError::Duplicate(_)) => Ok(()),
            outcome => Ok(outcome?),
        }
    }
}
