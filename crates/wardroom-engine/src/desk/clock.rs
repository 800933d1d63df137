//! Requests that a command does end with it.

use super::settled;
use crate::{Engine, EngineError};
use wardroom_core::{
    change::{Change, Write},
    desk::request::{RequestState, ServiceRequest},
    hint::Hint,
    page::PageRequest,
    run::RunState,
    store::RunFilter,
};

/// Requests that one round looks at.
const SETTLED_MAX: u32 = 200;

impl Engine {
    /// Completes requests whose command succeeded, and marks those whose command did not: somebody has to look.
    pub(crate) async fn settle_requests(&self) -> Result<(), EngineError> {
        for request in self.store.list_settled_requests(SETTLED_MAX).await? {
            match self.settle_request(&request).await {
                // Somebody else was quicker, here or in another orchestrator.
                Ok(()) | Err(EngineError::Conflict) => {}
                Err(error) => {
                    tracing::warn!(request = %request.id, %error, "a request could not be settled; it is tried again");
                }
            }
        }
        Ok(())
    }

    /// Stops what runs for requests that were cancelled and for customers who were erased, whatever became of whoever
    /// did that.
    pub async fn stop_unwanted(&self) -> Result<(), EngineError> {
        for run in self.store.list_unwanted(SETTLED_MAX).await? {
            match self.cancel(run.id, self.own_record("run.cancel")).await {
                // It ended in this moment.
                Ok(_) | Err(EngineError::RunState(_) | EngineError::Conflict) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn settle_request(&self, request: &ServiceRequest) -> Result<(), EngineError> {
        let filter =
            RunFilter { request: Some(request.id), top_level: true, ..RunFilter::default() };
        let newest = self.store.list_runs(&filter, PageRequest::new(None, 1)).await?;
        let Some(run) = newest.items.first() else { return Ok(()) };
        let now = self.now();
        let mut audit = self.own_record("request.settled").on(request.id).detail("run", run.id);
        let next = if run.state == RunState::Succeeded {
            request
                .become_state(RequestState::Completed, None, now)
                .map_err(|error| EngineError::RequestState(error.to_string()))?
        } else {
            audit = audit.detail("attention", true);
            ServiceRequest { attention: true, ..request.touched(now) }
        };
        let audit = audit.detail("state", next.state.as_str());
        let change = Change::recorded(audit)
            .write(Write::UpdateRequest(Box::new(next)))
            .hint(Hint::Request(request.id));
        settled(self.commit(change).await)
    }
}
