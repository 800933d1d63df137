//! Agents act by the same road as everybody: as whoever started their run, within what that one had shown, and with what
//! the run has seen.

use crate::{
    App,
    context::Ctx,
    error::ApiError,
    mcp::McpCaller,
    middleware::{ByRun, RequestInfo, by_run},
};
use async_trait::async_trait;
use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};
use wardroom_core::{Action, Door, Origin, RequestId, action::Resource, store::StoreError};
use wardroom_engine::{
    EngineError,
    agents::work::{Acting, Deputies, Deputy, Employment},
};
use wardroom_gateway::door::{Allowed, Refused};

impl App {
    /// Lets agents work until the server shuts down. `alone` says whether no other orchestrator can be there.
    pub async fn work_agents(self: Arc<Self>, alone: bool) {
        let (engine, stop) = (Arc::clone(&self.engine), self.stop.clone());
        let gateway = Arc::clone(&self.gateway);
        let deputies = Arc::new(AppDeputies(self));
        engine.work_agents(Employment { gateway, deputies, alone }, stop).await;
    }
}

/// Finds who acts in runs.
struct AppDeputies(Arc<App>);

#[async_trait]
impl Deputies for AppDeputies {
    async fn deputy(&self, acting: &Acting<'_>) -> Result<Option<Arc<dyn Deputy>>, EngineError> {
        let (app, run) = (&self.0, acting.run);
        let Some(work) = &run.work else { return Ok(None) };
        let by = ByRun {
            run: run.id,
            fence: run.fence,
            agent: run.command.clone(),
            authority: work.authority.clone(),
            seen: acting.seen,
            does: acting.does.to_vec(),
            asks: acting.asks,
            call: acting.call,
        };
        let Some(proof) = by_run(app, run.submitted_by, by).await.map_err(failed)? else {
            return Ok(None);
        };
        let door = work.authority.door;
        let id = RequestId::new(app.engine.now(), app.engine.rng());
        let info = RequestInfo { id, client: IpAddr::V4(Ipv4Addr::UNSPECIFIED), door };
        let mut ctx = Ctx::new(Arc::clone(app), proof, info, Action::AgentRun, None);
        // Nobody is at the other end while it works.
        ctx.origin = Origin { door: Door::Internal, address: None, request: None };
        let caller = McpCaller::new(ctx).map_err(failed)?;
        Ok(Some(Arc::new(caller)))
    }
}

#[async_trait]
impl Deputy for McpCaller {
    async fn authorise_command(&self, command: &Resource) -> Result<Allowed, Refused> {
        self.decide(Action::RunSubmit, command, &self.ctx.circumstances()).await
    }
}

fn failed(error: ApiError) -> EngineError {
    let source = error.source.as_ref().map(ToString::to_string).unwrap_or_default();
    tracing::error!(code = error.code.as_str(), source, "who acts could not be found");
    EngineError::Store(StoreError::Other(format!(
        "who acts could not be found: {}",
        error.code.as_str()
    )))
}
