//! Stopping runs.

use crate::{Engine, EngineError, engine::CONFLICT_TRIES_MAX};
use wardroom_core::{
    RunId,
    audit::AuditDraft,
    change::{Change, Write},
    hint::Hint,
    page::{PAGE_ITEMS_MAX, PageRequest},
    run::{self, Effect, Event, Refusal, Run, Target},
    store::{RunFilter, StoreError},
};

/// Runs whose stop is told again in one go.
const STOPPING_MAX: u32 = 500;

/// What follows from a run being asked to stop.
fn stops(run: &Run) -> Vec<Effect> {
    match (&run.target, run.node) {
        (Target::AllOf { .. }, _) => vec![Effect::StopChildren],
        (Target::Here {}, _) if run.holder.is_some() => vec![Effect::Halt, Effect::StopChildren],
        (_, Some(node)) if run.lease_until.is_some() => vec![Effect::Stop(node)],
        _ => vec![],
    }
}

impl Engine {
    /// Asks a run to stop. A queued run ends at once, a held one when its node says so. Asking again
    /// is no error. `audit` is the record of the request, without target.
    pub async fn cancel(&self, id: RunId, audit: AuditDraft) -> Result<Run, EngineError> {
        let (run, effects) = self.happen(id, &Event::Cancel, audit).await?;
        self.follow(&run, &effects).await?;
        Ok(run)
    }

    /// Applies `event` to the run, with `audit` as its record, and makes it durable.
    pub(crate) async fn happen(
        &self,
        id: RunId,
        event: &Event,
        audit: AuditDraft,
    ) -> Result<(Run, Vec<Effect>), EngineError> {
        for _ in 0..CONFLICT_TRIES_MAX {
            let run = self.store.lookup_run(id).await?.ok_or(EngineError::NotFound("run"))?;
            let transition = match run::apply(&run, event, self.now()) {
                Ok(transition) => transition,
                // Whoever asks again may do so because the first time did not get through.
                Err(Refusal::AlreadyAsked) => {
                    let effects = stops(&run);
                    return Ok((run, effects));
                }
                Err(refusal) => return Err(EngineError::RunState(refusal)),
            };
            let next = transition.run;
            let mut change = Change::recorded(super::describe(audit.clone(), &next))
                .write(Write::UpdateRun(Box::new(next.clone())))
                .hint(Hint::Run(id));
            for effect in &transition.effects {
                match effect {
                    Effect::Stop(node) => change.hints.push(Hint::Cancel(*node)),
                    Effect::Queue => change.hints.extend(self.takers(&next).await?),
                    Effect::Halt => change.hints.push(Hint::Halt(id)),
                    Effect::Offer(_) | Effect::SettleParent(_) | Effect::StopChildren => {}
                }
            }
            match self.commit(change).await {
                Ok(()) => return Ok((next, transition.effects)),
                Err(StoreError::Conflict(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(EngineError::Conflict)
    }

    /// Does what must follow a durable transition.
    pub(crate) async fn follow(&self, run: &Run, effects: &[Effect]) -> Result<(), EngineError> {
        for effect in effects {
            match effect {
                Effect::Stop(node) => {
                    if let Some(link) = self.links.get(*node) {
                        link.stop(run);
                    }
                }
                Effect::SettleParent(parent) => {
                    self.settle_parent(*parent).await?;
                    self.wake_awaiting(run.id.uuid()).await?;
                }
                Effect::Halt => self.here.halt(run.id),
                Effect::StopChildren => self.stop_children(run.id).await?,
                // The hint that was committed with the change wakes who may take it.
                Effect::Offer(_) | Effect::Queue => {}
            }
        }
        Ok(())
    }

    /// Tells again of stops that did not get through: the hint was lost, or its process died.
    pub(crate) async fn repeat_stops(&self) -> Result<(), EngineError> {
        for run in self.store.list_stopping(STOPPING_MAX).await? {
            if let Err(error) = self.follow(&run, &stops(&run)).await {
                tracing::warn!(run = %run.id, %error, "a stop could not be passed on; it is tried again");
            }
        }
        Ok(())
    }

    /// Cancels all children of `parent` that are not over.
    pub(crate) async fn stop_children(&self, parent: RunId) -> Result<(), EngineError> {
        let filter = RunFilter { parent: Some(parent), ..RunFilter::default() };
        let mut page = PageRequest::new(None, PAGE_ITEMS_MAX);
        loop {
            let found = self.store.list_runs(&filter, page).await?;
            for child in found.items.iter().filter(|child| !child.state.is_terminal()) {
                let audit = self.own_record(Event::Cancel.as_str()).detail("parent", parent);
                match Box::pin(self.cancel(child.id, audit)).await {
                    Ok(_) | Err(EngineError::RunState(_)) => {}
                    Err(error) => return Err(error),
                }
            }
            match found.next {
                Some(after) => page.after = Some(after),
                None => return self.settle_parent(parent).await,
            }
        }
    }
}
