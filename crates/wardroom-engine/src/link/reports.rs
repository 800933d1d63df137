//! Recording what a node says about its runs.
//!
//! Reports of one run are recorded in order, those of different runs side by side; what one run has
//! waiting goes into one change.

use super::{
    Goodbye, Held, Link, OUTPUT_BYTES_MAX, Report, ToNode, What, held::HeldRun, open::lock,
};
use crate::{EngineError, engine::CONFLICT_TRIES_MAX, runs::describe};
use std::sync::{Arc, atomic::Ordering};
use wardroom_core::{
    RunId,
    audit::{AuditDraft, AuditOutcome},
    change::{Change, Write},
    hint::Hint,
    run::{self, Effect, End, Event, Outcome, OutputChunk, Refusal, Run},
    store::{Extent, StoreError},
};

/// What a batch of reports comes to.
struct Settled {
    run: Run,
    changed: bool,
    chunks: Vec<OutputChunk>,
    output: Extent,
    audit: Vec<AuditDraft>,
    effects: Vec<Effect>,
    stale: bool,
    over: bool,
}

impl Link {
    /// Takes in what the node says. Waits while too much is waiting already, which holds the
    /// connection's reader back.
    pub async fn report(self: &Arc<Self>, report: Report) {
        if !self.agreed().await {
            return;
        }
        let Ok(permit) = Arc::clone(&self.permits).acquire_owned().await else { return };
        permit.forget();
        let id = report.run;
        let first = {
            let mut waiting = lock(&self.waiting);
            match waiting.get_mut(&id) {
                Some(queue) => {
                    queue.push(report);
                    false
                }
                None => {
                    waiting.insert(id, vec![report]);
                    true
                }
            }
        };
        if first {
            tokio::spawn(Arc::clone(self).record_all(id));
        }
    }

    /// Records what waits for `id` until nothing does.
    async fn record_all(self: Arc<Self>, id: RunId) {
        loop {
            let reports = {
                let mut waiting = lock(&self.waiting);
                match waiting.get_mut(&id) {
                    Some(queue) if !queue.is_empty() => std::mem::take(queue),
                    _ => {
                        waiting.remove(&id);
                        return;
                    }
                }
            };
            let count = reports.len();
            let outcome = self.record_reports(id, &reports).await;
            self.permits.add_permits(count);
            if let Err(error) = outcome {
                // Nothing was acknowledged: the node keeps it and sends it again on its next link.
                tracing::warn!(node = %self.node(), run = %id, %error, "a report could not be recorded");
                self.say_goodbye(Goodbye::Store);
                lock(&self.waiting).remove(&id);
                return;
            }
        }
    }

    async fn record_reports(
        self: &Arc<Self>,
        id: RunId,
        reports: &[Report],
    ) -> Result<(), EngineError> {
        for _ in 0..CONFLICT_TRIES_MAX {
            let Some(held) = self.held_run(id, reports).await? else {
                for report in reports {
                    let held = Held { run: id, fence: report.fence };
                    self.refuse_stale(held, "there is no such run").await?;
                }
                return Ok(());
            };
            let settled = match self.settle(held, reports) {
                Ok(settled) => settled,
                Err(what) => {
                    self.say_goodbye(Goodbye::Protocol(what));
                    return Ok(());
                }
            };
            match self.commit(&settled).await {
                Ok(()) => return self.after(settled, reports).await,
                Err(EngineError::Store(StoreError::Conflict(_))) => self.refresh(id).await?,
                Err(error) => return Err(error),
            }
        }
        Err(EngineError::Conflict)
    }

    /// Somebody else changed the run: what is held in memory is brought up to it.
    async fn refresh(&self, id: RunId) -> Result<(), EngineError> {
        if let Some(run) = self.engine.store.lookup_run(id).await? {
            lock(&self.held).keep(run);
        }
        Ok(())
    }

    /// The run is no longer the node's to hold here.
    pub(super) fn let_go(&self, id: RunId) {
        if lock(&self.held).remove(id) {
            self.give_slot_back();
        }
    }

    /// The run as last written, from memory or from the store.
    async fn held_run(
        &self,
        id: RunId,
        reports: &[Report],
    ) -> Result<Option<HeldRun>, EngineError> {
        if let Some(held) = lock(&self.held).get(id) {
            return Ok(Some(held.clone()));
        }
        let Some(run) = self.engine.store.lookup_run(id).await? else { return Ok(None) };
        let fence = reports.first().map_or(run.fence, |report| report.fence);
        let output = self.engine.output_extent(&run, fence).await?;
        Ok(Some(HeldRun { run, output }))
    }

    /// Works out what the reports come to. An error is a node that makes no sense.
    fn settle(&self, base: HeldRun, reports: &[Report]) -> Result<Settled, &'static str> {
        let version = base.run.version + 1;
        let mut settled = Settled {
            run: base.run,
            changed: false,
            chunks: vec![],
            output: base.output,
            audit: vec![],
            effects: vec![],
            stale: false,
            over: false,
        };
        for report in reports {
            self.settle_one(&mut settled, report)?;
        }
        settled.run.version = version;
        Ok(settled)
    }

    fn settle_one(&self, settled: &mut Settled, report: &Report) -> Result<(), &'static str> {
        // SECURITY: a node may speak only of runs that it holds, whatever fence it guessed.
        if settled.run.node != Some(self.node()) || report.fence != settled.run.fence {
            settled.stale = true;
            return Ok(());
        }
        let event = match &report.what {
            What::Accepted => return Ok(()),
            What::Output(chunk) => {
                if take_chunk(settled, chunk)? {
                    return Ok(());
                }
                Event::Ended {
                    fence: report.fence,
                    started_at: None,
                    outcome: Outcome::without_process(
                        End::Limit { limit: "output".to_owned() },
                        "the command printed more than is kept of any run, and was stopped",
                    ),
                }
            }
            What::Started(at) => Event::Started { fence: report.fence, at: *at },
            What::Refused { code, message } => Event::Ended {
                fence: report.fence,
                started_at: None,
                outcome: Outcome::without_process(
                    End::Refused { code: code.clone() },
                    message.clone(),
                ),
            },
            What::Finished { chunks, started_at, outcome } => {
                if *chunks > settled.output.chunks && !settled.run.state.is_terminal() {
                    return Err("a run ended before all of its output had come");
                }
                Event::Ended {
                    fence: report.fence,
                    started_at: *started_at,
                    outcome: outcome.clone(),
                }
            }
        };
        let ends = matches!(event, Event::Ended { .. });
        match run::apply(&settled.run, &event, self.engine.now()) {
            Ok(transition) => {
                settled.run = transition.run;
                settled.changed = true;
                settled.effects.extend(transition.effects);
                settled.over |= ends;
                settled.audit.push(describe(self.record(event.as_str()), &settled.run));
            }
            // Said twice, or too late: the end that is recorded stands.
            Err(Refusal::Over | Refusal::State) => {
                settled.over |= ends;
                self.note_late(settled, &report.what);
            }
            Err(_) => settled.stale = true,
        }
        Ok(())
    }

    /// Records what the node says of a run that the orchestrator closed without it.
    fn note_late(&self, settled: &mut Settled, what: &What) {
        let closed_without_it =
            settled.run.outcome.as_ref().is_some_and(|outcome| {
                matches!(outcome.end, End::DeadlinePassed | End::Interrupted)
            });
        if let (What::Finished { outcome, .. }, true) = (what, closed_without_it)
            && self.may_record()
        {
            let audit = self
                .record("run.late_report")
                .on(settled.run.id)
                .detail("ended", crate::runs::sentence(outcome))
                .outcome(
                    AuditOutcome::Refused,
                    "the run was closed before the node reported its end",
                );
            settled.audit.push(audit);
        }
    }

    async fn commit(&self, settled: &Settled) -> Result<(), EngineError> {
        let mut change = Change { audit: settled.audit.clone(), ..Change::default() };
        if !settled.chunks.is_empty() {
            let chunks = self.engine.seal_output(&settled.run, settled.chunks.clone()).await?;
            change.writes.push(Write::AppendOutput { run: settled.run.id, chunks });
        }
        if settled.changed {
            change.writes.push(Write::UpdateRun(Box::new(settled.run.clone())));
        }
        if change.writes.is_empty() && change.audit.is_empty() {
            return Ok(());
        }
        change.hints.push(Hint::Run(settled.run.id));
        Ok(self.engine.commit(change).await?)
    }

    /// What follows once the reports are durable.
    async fn after(
        self: &Arc<Self>,
        settled: Settled,
        reports: &[Report],
    ) -> Result<(), EngineError> {
        let Settled { mut run, changed, output, effects, stale, over, .. } = settled;
        if !changed {
            run.version -= 1;
        }
        let (id, fence) = (run.id, run.fence);
        let mine = run.node == Some(self.node());
        if over {
            self.let_go(id);
            self.send(ToNode::Recorded { run: id, fence, chunks: output.chunks, finished: true });
        } else if mine && !run.state.is_terminal() {
            self.hold(HeldRun { run: run.clone(), output });
            if reports.iter().any(|report| matches!(report.what, What::Output(_))) {
                let chunks = output.chunks;
                self.send(ToNode::Recorded { run: id, fence, chunks, finished: false });
            }
        }
        if stale {
            if !mine || lock(&self.held).get(id).is_some_and(|held| held.run.fence != fence) {
                self.let_go(id);
            }
            let other = reports.iter().find(|report| !mine || report.fence != fence);
            let held = Held { run: id, fence: other.map_or(fence, |report| report.fence) };
            self.refuse_stale(held, "the report carries a lease that is not the current one")
                .await?;
        }
        self.engine.follow(&run, &effects).await?;
        if over && self.backlog.load(Ordering::SeqCst) {
            self.wake();
        }
        Ok(())
    }
}

/// Takes a chunk that is the next one; passes over one that is there. `false` when no run may print as
/// much.
fn take_chunk(settled: &mut Settled, chunk: &OutputChunk) -> Result<bool, &'static str> {
    let output = &mut settled.output;
    // A run that was ended or taken away meanwhile keeps what it has.
    if settled.run.lease_until.is_none() || chunk.seq < output.chunks {
        return Ok(true);
    }
    if chunk.seq > output.chunks {
        return Err("a piece of output is missing before this one");
    }
    let bytes = output.bytes + chunk.bytes.len() as u64;
    if bytes > OUTPUT_BYTES_MAX {
        return Ok(false);
    }
    *output = Extent { chunks: output.chunks + 1, bytes };
    settled.chunks.push(chunk.clone());
    Ok(true)
}
