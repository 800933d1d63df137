//! Submitting a dead run anew.

use super::{Asked, Submission};
use crate::{Engine, EngineError};
use wardroom_core::{
    RunId,
    audit::AuditDraft,
    change::Change,
    run::{Refusal, Run},
};

impl Engine {
    /// Submits a run anew whose end was not a success, with the same values, for `submission_user`.
    /// `asked` is where its target leads now. The old run stops being a dead letter.
    pub async fn replay(
        &self,
        old: &Run,
        asked: Asked,
        user: wardroom_core::UserId,
        audit: AuditDraft,
    ) -> Result<Run, EngineError> {
        if !old.state.is_terminal() {
            return Err(EngineError::RunState(Refusal::State));
        }
        let submission = Submission {
            user,
            command: old.command.clone(),
            asked,
            parameters: self.open_parameters(old)?.all(),
            deadline: None,
            retry: old.retry,
            priority: old.priority,
            // Two clicks on one dead letter are one replay.
            idempotency_key: Some(format!("replay-of-{}", old.id)),
            replay_of: Some(old.id),
        };
        let run = self.submit(submission, audit.detail("replay_of", old.id)).await?;
        self.lay_to_rest(old.id).await?;
        Ok(run)
    }

    /// Takes the mark of a dead letter off a run that was replayed.
    async fn lay_to_rest(&self, id: RunId) -> Result<(), EngineError> {
        let Some(mut run) = self.store.lookup_run(id).await? else { return Ok(()) };
        if !run.dead_letter {
            return Ok(());
        }
        run.dead_letter = false;
        run.version += 1;
        let audit = self.own_record("run.dead_letter_replayed").on(id);
        let change = Change::recorded(audit)
            .write(wardroom_core::change::Write::UpdateRun(Box::new(run)))
            .hint(wardroom_core::hint::Hint::Run(id));
        match self.store.commit(change).await {
            // Somebody else's click was quicker.
            Ok(()) | Err(wardroom_core::store::StoreError::Conflict(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}
