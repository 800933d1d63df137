//! Consent: what policy wants a person to look at waits here, durably, until somebody decides or its time is over.

mod ask;
mod decide;
mod receipt;

pub(crate) use ask::record;
pub use decide::Decision;

use crate::{Engine, EngineError};
use std::time::Duration;
use wardroom_core::{
    UserId,
    approval::{Approval, ApprovalWrite, ConsentError, WAITING_PER_USER_MAX},
    change::{Change, Write},
    run::Event,
    tool::arguments::SaltedArguments,
};
use wardroom_trust::vault::VaultError;

/// What arguments and reasons are sealed for.
pub(crate) const SEAL_ARGUMENTS: &str = "approval.arguments";
pub(crate) const SEAL_REASON: &str = "approval.reason";
/// How long approvals are kept once their time is over. What was decided stays in the audit log.
const KEPT: Duration = Duration::from_secs(90 * 86_400);
/// Approvals whose time is over that one tick looks at.
const OVERDUE_MAX: u32 = 200;

impl Engine {
    /// The arguments that an approval is about; nothing where a run has them, or where whoever asked was erased.
    pub async fn approval_arguments(
        &self,
        approval: &Approval,
    ) -> Result<Option<String>, EngineError> {
        let sealed = (SEAL_ARGUMENTS, approval.arguments.as_slice());
        let Some(plain) = self.open_of_asker(approval, sealed).await? else { return Ok(None) };
        let kept: SaltedArguments = serde_json::from_slice(&plain).map_err(EngineError::seal)?;
        Ok(Some(kept.text().to_owned()))
    }

    /// Why an approval was decided so.
    pub async fn approval_reason(
        &self,
        approval: &Approval,
    ) -> Result<Option<String>, EngineError> {
        let Some(verdict) = &approval.verdict else { return Ok(None) };
        let plain = self.open_of_asker(approval, (SEAL_REASON, &verdict.reason)).await?;
        plain.map(|plain| String::from_utf8(plain).map_err(EngineError::seal)).transpose()
    }

    async fn open_of_asker(
        &self,
        approval: &Approval,
        (purpose, sealed): (&str, &[u8]),
    ) -> Result<Option<Vec<u8>>, EngineError> {
        if sealed.is_empty() {
            return Ok(None);
        }
        match self.vault.cipher(approval.user.into()).await {
            Ok(cipher) => {
                let plain = cipher.open(purpose, sealed).map_err(EngineError::seal)?;
                Ok(Some(plain.to_vec()))
            }
            Err(VaultError::Erased) => Ok(None),
            Err(VaultError::Store(error)) => Err(error.into()),
            Err(error) => Err(EngineError::seal(error)),
        }
    }

    /// Refuses where too much of an account waits for people already.
    pub(crate) async fn check_waiting(&self, user: UserId) -> Result<(), EngineError> {
        let waiting = self.store.count_waiting_approvals(Some(user), self.now()).await?;
        if waiting < WAITING_PER_USER_MAX {
            return Ok(());
        }
        Err(EngineError::LimitReached(ConsentError::TooMany.to_string()))
    }

    /// Ends runs whose approval nobody gave in time, takes back what nobody waits for any more, and forgets what is long over.
    pub(crate) async fn tidy_approvals(&self) -> Result<(), EngineError> {
        let now = self.now();
        for approval in self.store.list_overdue_approvals(now, OVERDUE_MAX).await? {
            let Some(run) = approval.run else { continue };
            let event = Event::Denied { why: "nobody approved it in time".to_owned() };
            let audit = self.own_record(event.as_str()).detail("approval", approval.id);
            match self.happen(run, &event, audit).await {
                Ok((run, effects)) => self.follow(&run, &effects).await?,
                Err(EngineError::RunState(_) | EngineError::Conflict) => {}
                Err(error) => return Err(error),
            }
        }
        let (withdraw, forget) =
            (ApprovalWrite::WithdrawOfEnded(now), ApprovalWrite::Forget(now.minus(KEPT)));
        let change = Change::default().write(Write::Approval(withdraw));
        Ok(self.commit(change.write(Write::Approval(forget))).await?)
    }
}
