//! Faults: what went wrong inside, counted by what it is.

use super::Letter;
use crate::{Engine, EngineError};
use wardroom_core::{
    audit::AuditDraft,
    change::{Change, Write},
    store::StoreError,
    watch::{fault::Fault, message::Channel},
};

impl Engine {
    /// Counts what went wrong. One that is new, or was said to be mended, is told to the error tracker.
    pub async fn count_faults(&self, faults: Vec<Fault>) -> Result<(), EngineError> {
        let mut change = Change::default();
        for fault in faults {
            if self.outlets.tracker {
                let known = self.store.lookup_fault(&fault.fingerprint).await?;
                if known.is_none_or(|known| known.resolved_at.is_some()) {
                    let letter = Letter::of(&fault);
                    change.writes.push(self.message(Channel::Tracker, None, &letter).await?);
                }
            }
            change.writes.push(Write::CountFault(fault));
        }
        if change.writes.is_empty() {
            return Ok(());
        }
        Ok(self.commit(change).await?)
    }

    /// Somebody says that a fault is mended.
    pub async fn resolve_fault(
        &self,
        fingerprint: &str,
        audit: AuditDraft,
    ) -> Result<(), EngineError> {
        let fingerprint = fingerprint.to_owned();
        let change = Change::recorded(audit.on(format!("fault_{fingerprint}")))
            .write(Write::ResolveFault { fingerprint, at: self.now() });
        match self.commit(change).await {
            Err(StoreError::Conflict(_)) => Err(EngineError::NotFound("fault")),
            other => Ok(other?),
        }
    }
}
