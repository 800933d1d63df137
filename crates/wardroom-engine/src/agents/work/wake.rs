//! Runs that wait go on when what they wait for is there.

use crate::{Engine, EngineError};
use uuid::Uuid;
use wardroom_core::{RunId, approval::ApprovalState, run::Event, steps::Awaited};

/// Runs that are woken in one go.
const TOGETHER_MAX: u32 = 200;

impl Engine {
    /// Wakes runs that wait for this approval or run.
    pub(crate) async fn wake_awaiting(&self, awaited: Uuid) -> Result<(), EngineError> {
        for run in self.store.list_awaiting(awaited).await? {
            self.wake_run(run).await?;
        }
        Ok(())
    }

    /// Wakes runs of which something that they wait for is decided or over: a hint was lost, or nobody decided in time.
    pub(crate) async fn wake_due(&self) -> Result<(), EngineError> {
        for run in self.store.list_wakeable(self.now(), TOGETHER_MAX).await? {
            self.wake_run(run).await?;
        }
        self.here.wake();
        Ok(())
    }

    pub(super) async fn wake_run(&self, id: RunId) -> Result<(), EngineError> {
        let audit = self.own_record(Event::Woken.as_str());
        match self.happen(id, &Event::Woken, audit).await {
            // It goes on already, or is over.
            Err(EngineError::RunState(_) | EngineError::Conflict) => Ok(()),
            outcome => outcome.map(drop),
        }
    }

    /// Of calls that wait, those of which that is there.
    pub(super) async fn heard(
        &self,
        waits: Vec<(String, Awaited)>,
    ) -> Result<Vec<String>, EngineError> {
        let mut heard = vec![];
        for (id, on) in waits {
            let there = match on {
                Awaited::Consent { approval } => {
                    let found = self.store.lookup_approval(approval).await?;
                    let waiting = |found: &wardroom_core::approval::Approval| {
                        found.state(self.now()) == ApprovalState::Waiting
                    };
                    !found.as_ref().is_some_and(waiting)
                }
                Awaited::Run { run } => {
                    let found = self.store.lookup_run(run).await?;
                    found.is_none_or(|run| run.state.is_terminal())
                }
                Awaited::Answer { .. } | Awaited::Doubt => false,
            };
            if there {
                heard.push(id);
            }
        }
        Ok(heard)
    }
}
