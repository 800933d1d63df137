//! Requests whose time has come begin.

use super::submission;
use crate::{App, error::ApiError};
use std::{sync::Arc, time::Duration};
use wardroom_core::{
    Origin, Principal,
    audit::{AuditDraft, AuditOutcome},
    desk::request::ServiceRequest,
};
use wardroom_wire::error::ErrorCode;

/// How often the clock is looked at.
const TICK: Duration = Duration::from_secs(1);
/// Requests that one tick begins.
const DUE_MAX: u32 = 50;

impl App {
    /// Begins scheduled requests until the server shuts down.
    pub async fn work_desk(self: Arc<Self>) {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return,
                _ = tick.tick() => {}
            }
            let now = self.engine.now();
            match self.engine.store().list_due_requests(now, DUE_MAX).await {
                Ok(due) => {
                    for request in due {
                        self.begin_request(&request).await;
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "due requests could not be read; the next tick tries again")
                }
            }
        }
    }

    async fn begin_request(&self, request: &ServiceRequest) {
        let audit = AuditDraft::event(
            "request.begun",
            &Principal::System,
            &Origin::INTERNAL,
            self.engine.now(),
        );
        let Err(error) = self.try_begin(request, audit.clone()).await else { return };
        // What only waits for better times is tried again by itself; the rest waits for a person, lest it keep others
        // from their time.
        let passes = [ErrorCode::StoreUnavailable, ErrorCode::Busy, ErrorCode::Conflict];
        if passes.contains(&error.code) {
            tracing::warn!(request = %request.id, code = error.code.as_str(), "a due request could not begin; it is tried again");
            return;
        }
        let why = error.detail.unwrap_or_else(|| error.code.title().to_owned());
        let audit = audit.outcome(AuditOutcome::Failed, why);
        if let Err(error) = self.engine.put_back(request, audit).await {
            tracing::warn!(request = %request.id, %error, "a request could not be put back");
        }
    }

    async fn try_begin(&self, request: &ServiceRequest, audit: AuditDraft) -> Result<(), ApiError> {
        let service = self.engine.store().lookup_service(request.service).await?;
        let service = service.ok_or_else(ApiError::not_found)?;
        let values = self.engine.order_of(request).await?.values;
        let run = submission(self, &service, request.requested_by, &values).await?;
        let run = run.ok_or(wardroom_engine::EngineError::NotOrdered(
            "the service has no command any more",
        ))?;
        self.engine.start_request(request, run, audit).await?;
        Ok(())
    }
}
