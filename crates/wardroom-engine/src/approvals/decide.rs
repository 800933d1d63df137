//! A person's decision, and what follows from it.

use super::{SEAL_REASON, receipt};
use crate::{Engine, EngineError, engine::CONFLICT_TRIES_MAX};
use wardroom_core::{
    ApprovalId, UserId,
    approval::{Approval, ApprovalState, ApprovalWrite, REASON_CHARS_MAX, Use, Verdict},
    audit::AuditDraft,
    change::{Change, Write},
    hint::Hint,
    run::{self, Effect, Event, Run, Target},
    store::StoreError,
};

/// What a person says.
#[derive(Debug, Clone)]
pub struct Decision<'a> {
    /// Which approval.
    pub id: ApprovalId,
    /// Who.
    pub by: UserId,
    /// Whether it may be done.
    pub approved: bool,
    /// Why.
    pub reason: &'a str,
    /// The version of the policy that is in force.
    pub policy_version: &'a str,
}

impl Engine {
    /// Writes down what a person decided, with a signed receipt. What waits for it begins, or ends, in the same change.
    pub async fn decide_approval(
        &self,
        decision: &Decision<'_>,
        audit: AuditDraft,
    ) -> Result<Approval, EngineError> {
        if decision.reason.chars().count() > REASON_CHARS_MAX {
            let reason = format!("must be at most {REASON_CHARS_MAX} characters");
            return Err(EngineError::Field { field: "reason", reason });
        }
        for _ in 0..CONFLICT_TRIES_MAX {
            let approval = self.store.lookup_approval(decision.id).await?;
            let mut approval = approval.ok_or(EngineError::NotFound("approval"))?;
            check(&approval, decision, self.now())?;
            let verdict = self.verdict(&approval, decision).await?;
            let said = (verdict.approved, verdict.by, verdict.at);
            let audit = receipt::describe(audit.clone(), &approval, said, &verdict.receipt);
            let mut change = Change::recorded(audit)
                .write(Write::Approval(ApprovalWrite::Decide {
                    id: approval.id,
                    verdict: verdict.clone(),
                }))
                .hint(Hint::Approval(approval.id));
            let followed = match approval.run {
                Some(run) => Some(self.decide_run(run, &approval, decision, &mut change).await?),
                None => None,
            };
            match self.commit(change).await {
                Ok(()) => {}
                Err(StoreError::Conflict(_)) => continue,
                Err(error) => return Err(error.into()),
            }
            if let Some((run, effects)) = followed {
                self.follow(&run, &effects).await?;
                // Parts of a run wait for as many nodes: those that are linked here look at once, others soon.
                if decision.approved && matches!(run.target, Target::AllOf { .. }) {
                    self.wake_awaited().await?;
                }
            }
            approval.verdict = Some(verdict);
            return Ok(approval);
        }
        Err(EngineError::Conflict)
    }

    async fn verdict(
        &self,
        approval: &Approval,
        decision: &Decision<'_>,
    ) -> Result<Verdict, EngineError> {
        let at = self.now();
        let text = receipt::text(approval, decision.approved, decision.by, at);
        let reason = decision.reason.trim();
        let sealed = if reason.is_empty() {
            vec![]
        } else {
            let cipher = self.vault.cipher(approval.user.into()).await?;
            let sealed = cipher.seal(SEAL_REASON, reason.as_bytes(), &*self.rng);
            sealed.map_err(EngineError::seal)?
        };
        Ok(Verdict {
            approved: decision.approved,
            by: decision.by,
            at,
            reason: sealed,
            receipt: self.signer.sign_note(&text),
        })
    }

    /// Adds to the change what becomes of the run that waits.
    async fn decide_run(
        &self,
        id: wardroom_core::RunId,
        approval: &Approval,
        decision: &Decision<'_>,
        change: &mut Change,
    ) -> Result<(Run, Vec<Effect>), EngineError> {
        let run = self.store.lookup_run(id).await?.ok_or(EngineError::NotFound("run"))?;
        let now = self.now();
        let event = if decision.approved {
            Event::Approved
        } else {
            Event::Denied { why: "a person denied it".to_owned() }
        };
        let next = run::apply(&run, &event, now).map_err(EngineError::RunState)?;
        let audit = self.own_record(event.as_str()).detail("approval", approval.id);
        change.audit.push(crate::runs::describe(audit, &next.run));
        change.writes.push(Write::UpdateRun(Box::new(next.run.clone())));
        change.hints.push(Hint::Run(id));
        if decision.approved {
            let used = Use { by: id.uuid(), at: now };
            change.writes.push(Write::Approval(ApprovalWrite::Use { id: approval.id, used }));
            change.writes.push(Write::Approval(ApprovalWrite::QueueParts(id)));
            change.hints.extend(self.takers(&next.run).await?);
        }
        Ok((next.run, next.effects))
    }
}

/// Whether there is something to decide.
fn check(
    approval: &Approval,
    decision: &Decision<'_>,
    now: wardroom_core::Timestamp,
) -> Result<(), EngineError> {
    let no = |why: String| Err(EngineError::ApprovalState(why));
    match approval.state(now) {
        ApprovalState::Waiting => {}
        ApprovalState::Expired => {
            return no("nobody decided in time: whoever asked has to ask anew".to_owned());
        }
        state => return no(format!("it was decided already: it is {}", state.as_str())),
    }
    // SECURITY: consent is to what policy said then. What another policy says was not asked.
    if decision.approved && approval.policy_version != decision.policy_version {
        return no(
            "the policy changed since consent was asked for: deny it, and let it be asked for anew"
                .to_owned(),
        );
    }
    Ok(())
}
