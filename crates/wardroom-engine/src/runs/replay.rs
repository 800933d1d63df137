//! Submitting a run anew that did not succeed.

use super::{Asked, Submission, name_secrets};
use crate::{Engine, EngineError, engine::CONFLICT_TRIES_MAX};
use wardroom_core::{
    RunId, UserId,
    approval::Wanted,
    audit::AuditDraft,
    change::Write,
    hint::Hint,
    run::{self, Event, Run, RunState},
    store::StoreError,
};

impl Engine {
    /// Submits a run anew whose end was not a success, with the same values, for `user`. `asked` is
    /// where its target leads now. In the same change the old run stops being a dead letter. A run is
    /// repeated once, whoever asks: who asks again gets that repetition while it is not over.
    pub async fn replay(
        &self,
        id: RunId,
        (asked, wanted): (Asked, Option<Wanted>),
        user: UserId,
        audit: AuditDraft,
    ) -> Result<Run, EngineError> {
        for _ in 0..CONFLICT_TRIES_MAX {
            let old = self.store.lookup_run(id).await?.ok_or(EngineError::NotFound("run"))?;
            let no = |why: &str| Err(EngineError::NotRepeated(why.to_owned()));
            match old.state {
                RunState::Succeeded => {
                    return no(
                        "the run succeeded, so there is nothing to repeat: submit the command anew",
                    );
                }
                state if !state.is_terminal() => {
                    return no("the run still goes on: cancel it, or wait for its end");
                }
                _ => {}
            }
            let laid_to_rest =
                run::apply(&old, &Event::Replayed, self.now()).map_err(EngineError::RunState)?.run;
            match self.store.lookup_replay(id).await? {
                Some(earlier) if earlier.state.is_terminal() => {
                    let earlier = earlier.id;
                    return no(&format!(
                        "it was repeated as {earlier}, which is over: repeat that one"
                    ));
                }
                Some(earlier) => return Ok(earlier),
                None => {}
            }
            let Some(values) = self.values_left(&old).await? else {
                return no("its customer was erased, and what it was given went with them");
            };
            let mut parameters = values.all();
            parameters.extend(self.secret_values(&values.named).await?);
            let submission = Submission {
                parent: None,
                user,
                command: old.command.clone(),
                asked: asked.clone(),
                parameters,
                deadline: None,
                retry: old.retry,
                priority: old.priority,
                idempotency_key: None,
                replay_of: Some(id),
                secret: values.secret.into_keys().collect(),
                named: values.named,
                request: old.request.zip(old.customer),
                wanted: wanted.clone(),
            };
            let planned = self.plan(&submission).await?;
            let audit = name_secrets(audit.clone(), &submission.named);
            let mut change = planned.change(audit.on(planned.id()).detail("replay_of", id));
            change.hints.push(Hint::Run(id));
            change.writes.push(Write::UpdateRun(Box::new(laid_to_rest)));
            if let Some(request) = old.request {
                change.writes.push(Write::AwaitRequest { id: request, at: self.now() });
                change.hints.push(Hint::Request(request));
            }
            match self.take_in(planned, change).await {
                // Somebody else was quicker: with the replay, or with another change of the old run.
                Err(EngineError::Store(StoreError::Duplicate(_) | StoreError::Conflict(_))) => {}
                outcome => return outcome,
            }
        }
        Err(EngineError::Conflict)
    }
}
