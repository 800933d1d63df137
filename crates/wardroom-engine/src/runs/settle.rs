//! Parents end when their last child does.

use crate::{Engine, EngineError};
use wardroom_core::{
    RunId,
    hint::Hint,
    run::{Event, Run, RunState, Target},
};

impl Engine {
    /// Ends `parent` if all its children are over.
    pub(crate) async fn settle_parent(&self, parent: RunId) -> Result<(), EngineError> {
        let counts = self.store.count_children(parent).await?;
        if counts.is_empty() || counts.iter().any(|(state, _)| !state.is_terminal()) {
            return Ok(());
        }
        let of = |wanted: RunState| {
            counts.iter().filter(|(state, _)| *state == wanted).map(|(_, count)| count).sum::<u32>()
        };
        let all: u32 = counts.iter().map(|(_, count)| count).sum();
        let succeeded = of(RunState::Succeeded);
        let failed = all - succeeded;
        let event = Event::ChildrenDone {
            succeeded,
            failed,
            cancelled: failed > 0 && of(RunState::Cancelled) == failed,
        };
        match self.happen(parent, &event, self.own_record(event.as_str())).await {
            // Another child's end was quicker to settle it.
            Ok(_) | Err(EngineError::RunState(_) | EngineError::Conflict) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Whom to wake so that somebody takes a queued run.
    pub(crate) async fn takers(&self, run: &Run) -> Result<Vec<Hint>, EngineError> {
        let nodes = match &run.target {
            Target::Node { node } => vec![*node],
            Target::OneOf { .. } => self.store.list_candidates(run.id).await?,
            Target::AllOf { .. } => vec![],
            Target::Here {} => return Ok(vec![Hint::Here]),
        };
        Ok(nodes.into_iter().map(Hint::Queue).collect())
    }
}
