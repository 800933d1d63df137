//! Asking for consent, and waiting for it.

use super::SEAL_ARGUMENTS;
use crate::{Engine, runs::Submission};
use async_trait::async_trait;
use data_encoding::HEXLOWER;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;
use wardroom_core::{
    Action, ApprovalId,
    approval::{
        Approval, ApprovalState, ApprovalWrite, CallAsked, ConsentError, Consents,
        WAITING_PER_USER_MAX, Wanted,
    },
    audit::AuditDraft,
    change::{Change, Write},
    hint::Hint,
    person::BlindIndex,
    run::Run,
    store::StoreResult,
    tool::arguments::SaltedArguments,
};
use wardroom_trust::vault::VaultError;

/// How often it is looked for a decision whose hint was lost.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

#[async_trait]
impl Consents for Engine {
    async fn ask(
        &self,
        asked: &CallAsked<'_>,
        audit: AuditDraft,
    ) -> Result<Approval, ConsentError> {
        let now = self.now();
        let binding = self.binding(asked);
        let open = self.store.lookup_open_approval(binding, now).await?;
        if let Some(open) = open.filter(|open| open.policy_version == asked.wanted.version) {
            return Ok(open);
        }
        if self.store.count_waiting_approvals(Some(asked.user), now).await? >= WAITING_PER_USER_MAX
        {
            return Err(ConsentError::TooMany);
        }
        let unsealed = |error: &dyn std::fmt::Display| ConsentError::Seal(error.to_string());
        let kept = SaltedArguments::new(asked.arguments, &*self.rng);
        let cipher = self.vault.cipher(asked.user.into()).await.map_err(|error| match error {
            VaultError::Store(error) => ConsentError::Store(error),
            error => unsealed(&error),
        })?;
        let plain = serde_json::to_vec(&kept).map_err(|error| unsealed(&error))?;
        let sealed = cipher.seal(SEAL_ARGUMENTS, &plain, &*self.rng);
        let approval = Approval {
            id: ApprovalId::new(now, &*self.rng),
            action: Action::ToolCall,
            target: asked.target.to_owned(),
            run: None,
            user: asked.user,
            client: asked.wanted.client,
            author: asked.wanted.author,
            agent_run: asked.wanted.agent_run,
            door: asked.wanted.door,
            binding,
            arguments: sealed.map_err(|error| unsealed(&error))?,
            arguments_digest: HEXLOWER.encode(&kept.digest()),
            policies: asked.wanted.policies.clone(),
            policy_version: asked.wanted.version.clone(),
            asked_at: now,
            expires_at: now.plus(self.approvals_open_for),
            verdict: None,
            used: None,
        };
        let id = approval.id;
        let change = Change::recorded(record(audit, &approval))
            .write(Write::Approval(ApprovalWrite::Ask(Box::new(approval.clone()))))
            .hint(Hint::Approval(id));
        self.commit(change).await?;
        Ok(approval)
    }

    async fn wait(&self, id: ApprovalId, most: Duration) -> StoreResult<Option<Approval>> {
        let mut hints = self.hub.listen();
        let until = tokio::time::Instant::now() + most;
        loop {
            let found = self.store.lookup_approval(id).await?;
            let waits = |found: &Approval| found.state(self.now()) == ApprovalState::Waiting;
            if !found.as_ref().is_some_and(waits) || tokio::time::Instant::now() >= until {
                return Ok(found);
            }
            let look_again = until.min(tokio::time::Instant::now() + LOOK_AGAIN);
            loop {
                match tokio::time::timeout_at(look_again, hints.recv()).await {
                    Ok(Ok(Hint::Approval(of))) if of == id => break,
                    Ok(Ok(Hint::Resync) | Err(RecvError::Lagged(_))) | Err(_) => break,
                    Ok(Ok(_)) => {}
                    Ok(Err(RecvError::Closed)) => {
                        tokio::time::sleep_until(look_again).await;
                        break;
                    }
                }
            }
        }
    }

    async fn withdraw(&self, id: ApprovalId) -> StoreResult<()> {
        let withdraw = ApprovalWrite::Withdraw { id, at: self.now() };
        let change = Change::default().write(Write::Approval(withdraw));
        self.commit(change.hint(Hint::Approval(id))).await
    }

    async fn reason(&self, approval: &Approval) -> Option<String> {
        let reason = self.approval_reason(approval).await;
        reason
            .inspect_err(|error| tracing::warn!(%error, "a reason can't be opened"))
            .ok()
            .flatten()
    }
}

impl Engine {
    /// Tells exactly this call from all others.
    fn binding(&self, asked: &CallAsked<'_>) -> BlindIndex {
        let client = asked.wanted.client.map(|client| client.to_string()).unwrap_or_default();
        let run = asked.wanted.agent_run.map(|run| run.to_string()).unwrap_or_default();
        let (user, (server, version)) = (asked.user, asked.server);
        let tool = HEXLOWER.encode(&asked.tool);
        let (target, arguments) = (asked.target, asked.arguments.get());
        let text =
            format!("{user}\n{client}\n{run}\n{server} {version}\n{tool}\n{target}\n{arguments}");
        self.vault.index("approval.call", &text)
    }

    /// What a run waits for that policy wants a person to look at first.
    pub(crate) fn approval_of(
        &self,
        run: &Run,
        submission: &Submission,
        wanted: &Wanted,
    ) -> Approval {
        let id = ApprovalId::new(run.queued_at, &*self.rng);
        Approval {
            id,
            action: Action::RunSubmit,
            target: submission.command.clone(),
            run: Some(run.id),
            user: submission.user,
            client: wanted.client,
            author: wanted.author,
            agent_run: wanted.agent_run,
            door: wanted.door,
            binding: self.vault.index("approval.run", &run.id.to_string()),
            arguments: vec![],
            arguments_digest: run.parameters_digest.clone(),
            policies: wanted.policies.clone(),
            policy_version: wanted.version.clone(),
            asked_at: run.queued_at,
            expires_at: run.queued_at.plus(self.approvals_open_for),
            verdict: None,
            used: None,
        }
    }
}

/// The record of consent being asked for, out of that of what it is asked for.
pub(crate) fn record(mut audit: AuditDraft, approval: &Approval) -> AuditDraft {
    audit.record.action = "approval.asked".to_owned();
    audit
        .policy(&approval.policies, &approval.policy_version)
        .on(&approval.target)
        .detail("approval", approval.id)
        .detail("of", approval.action)
        .detail("arguments", &approval.arguments_digest)
        .detail("expires_at", approval.expires_at)
}
