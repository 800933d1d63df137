//! A run ends, or waits for somebody.

use super::{
    ask::response,
    driver::{Stop, Worker},
};
use crate::{EngineError, engine::CONFLICT_TRIES_MAX, measure::AgentMeasure};
use serde_json::Value;
use wardroom_core::{
    audit::AuditDraft,
    change::{Change, Write},
    hint::Hint,
    model::ModelFailureKind,
    run::{self, End, Event, Outcome, RunState},
    steps::{Awaited, Ended, Entry, JournalWrite, Limit},
    store::StoreError,
};
use wardroom_gateway::registry::Shape;

impl Worker {
    /// Ends it so, with what was to be written down before.
    pub(super) async fn end(
        &mut self,
        how: Ended,
        mut entries: Vec<Entry>,
        writes: Vec<Write>,
    ) -> Result<(), Stop> {
        let how = self.held_against_schema(how);
        let outcome = outcome(&how);
        entries.push(Entry::Ended { how });
        let event = Event::Ended { fence: self.run.fence, started_at: None, outcome };
        self.pass(&event, entries, writes).await
    }

    /// An answer that is not what its definition says is none.
    fn held_against_schema(&self, how: Ended) -> Ended {
        let schema = response(&self.book().steps, &self.agent.definition);
        let (Ended::Answered { text }, Some(schema)) = (&how, schema) else { return how };
        let mistakes =
            match (serde_json::from_str::<Value>(text), Shape::compile(&Value::Object(schema))) {
                (Ok(value), Ok(shape)) => shape.mistakes(&value),
                (Err(_), _) => vec!["it is no JSON".to_owned()],
                (_, Err(error)) => vec![error],
            };
        if mistakes.is_empty() {
            return how;
        }
        let detail = format!("the answer is not what is declared: {}", mistakes.join("; "));
        Ended::Failed { failure: ModelFailureKind::Broken, detail }
    }

    /// Leaves it until what its calls wait for is there.
    pub(super) async fn pause(&mut self) -> Result<(), Stop> {
        let (mut state, mut awaited) = (RunState::Running, vec![]);
        let waits = self.book().steps.waits();
        for (_, on) in &waits {
            match on {
                Awaited::Consent { approval } => {
                    awaited.push(approval.uuid());
                    if state == RunState::Running {
                        state = RunState::AwaitingApproval;
                    }
                }
                Awaited::Run { run } => awaited.push(run.uuid()),
                Awaited::Answer { .. } | Awaited::Doubt => state = RunState::AwaitingInput,
            }
        }
        let id = self.run.id;
        let writes = vec![
            Write::Journal(JournalWrite::Unawait(id)),
            Write::Journal(JournalWrite::Await { run: id, awaited }),
        ];
        let event = Event::Paused { fence: self.run.fence, state };
        self.pass(&event, vec![], writes).await?;
        // What it waits for may have come before anybody knew that it waits.
        if !self.engine.heard(waits).await?.is_empty() {
            self.engine.wake_run(id).await?;
        }
        Ok(())
    }

    /// Applies an event to the run, in one change with entries and other writes.
    async fn pass(
        &mut self,
        event: &Event,
        entries: Vec<Entry>,
        writes: Vec<Write>,
    ) -> Result<(), Stop> {
        let writes = self.with(&entries, writes)?;
        for _ in 0..CONFLICT_TRIES_MAX {
            let run = self.engine.store.lookup_run(self.run.id).await?;
            let run = run.ok_or(EngineError::NotFound("run"))?;
            let next = match run::apply(&run, event, self.engine.now()) {
                Ok(next) => next,
                // It was asked to stop before it could wait.
                Err(run::Refusal::State) if run.cancel_requested_at.is_some() => {
                    return Err(Stop::Halted);
                }
                Err(refusal) => return Err(EngineError::RunState(refusal).into()),
            };
            let audit = self.engine.own_record(event.as_str());
            let mut change = Change::recorded(self.describe(audit, &next.run, &entries));
            change.writes.clone_from(&writes);
            change.writes.push(Write::UpdateRun(Box::new(next.run.clone())));
            change.hints.push(Hint::Run(next.run.id));
            match self.engine.commit(change).await {
                Ok(()) => {
                    self.book().written(&entries)?;
                    self.run = next.run;
                    self.measure();
                    return Ok(self.engine.follow(&self.run, &next.effects).await?);
                }
                Err(StoreError::Conflict("the run")) => {
                    let now = self.engine.store.lookup_run(self.run.id).await?;
                    let version = now.map(|now| now.version);
                    if version == Some(run.version) {
                        // It is as it was, and yet it can't be written: its journal has another writer.
                        return Err(EngineError::Conflict.into());
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(EngineError::Conflict.into())
    }

    /// Tells whoever keeps numbers of a run that is over.
    fn measure(&self) {
        let (Some(meter), Some(at)) = (self.engine.meter(), self.run.finished_at) else { return };
        let (used, end) = (self.book().steps.used(), self.run.outcome.as_ref());
        let failed = end.filter(|_| self.run.state != RunState::Succeeded);
        let why = |outcome: &Outcome| match &outcome.end {
            End::NoAnswer { failure } => failure.clone(),
            End::Limit { limit } => limit.clone(),
            _ => self.run.state.as_str().to_owned(),
        };
        meter.agent(&AgentMeasure {
            agent: self.run.command.clone(),
            took: at.since(self.run.queued_at),
            steps: used.steps,
            tool_calls: used.tool_calls,
            failure: failed.map(why),
        });
    }

    /// What the record says of it beside its state.
    fn describe(&self, audit: AuditDraft, run: &run::Run, entries: &[Entry]) -> AuditDraft {
        let mut after = self.book().steps.clone();
        // What does not belong there is refused when it is written.
        let _ = entries.iter().try_for_each(|entry| after.apply(entry));
        let used = after.used();
        crate::runs::describe(audit, run)
            .detail("steps", used.steps)
            .detail("tool_calls", used.tool_calls)
            .detail("tokens", used.spend.tokens)
            .detail("cost_micros", used.spend.cost_micros)
    }
}

/// What a run says of its end: nothing that only whoever it works for may read.
fn outcome(how: &Ended) -> Outcome {
    let (end, message) = match how {
        Ended::Answered { .. } => (End::Answered, "the agent answered".to_owned()),
        Ended::Refused { .. } => (
            End::Refused { code: "model".to_owned() },
            "the model would not do what it was asked".to_owned(),
        ),
        Ended::Limit { limit } => {
            (End::Limit { limit: limit.as_str().to_owned() }, at_limit(*limit).to_owned())
        }
        Ended::Failed { failure, .. } => (
            End::NoAnswer { failure: failure.as_str().to_owned() },
            format!("no model answered: {}", failure.as_str()),
        ),
        Ended::Cancelled => (End::Cancelled, "somebody stopped it".to_owned()),
    };
    Outcome::without_process(end, message)
}

const fn at_limit(limit: Limit) -> &'static str {
    match limit {
        Limit::Steps => "it asked its model as often as it may",
        Limit::ToolCalls => "it called as many tools as it may",
        Limit::Tokens => "what is left of its tokens is too little for another question",
        Limit::Cost => "what is left of its money is too little for another question",
        Limit::Output => "its answer was cut off at the longest that it may be",
        Limit::Repeats => "it made the very same call again and again",
    }
}
