//! A caller of the gateway, as the server knows them.

use crate::{context::Ctx, error::ApiError};
use async_trait::async_trait;
use uuid::Uuid;
use wardroom_core::{
    Action, Door, OauthClientId, ToolCallId, UserId,
    action::Resource,
    approval::Wanted,
    audit::{AuditDraft, AuditOutcome},
    change::Write,
    steps::JournalWrite,
    tool::facts::ArgumentFacts,
};
use wardroom_gateway::door::{Allowed, Caller, Refused};
use wardroom_trust::policy::Circumstances;
use wardroom_wire::error::ErrorCode;

/// Somebody who was let in at one of the gateway's doors.
pub(crate) struct McpCaller {
    pub(crate) ctx: Ctx,
    user: UserId,
}

impl McpCaller {
    pub(crate) fn new(ctx: Ctx) -> Result<Self, ApiError> {
        let user = ctx.user()?;
        Ok(Self { ctx, user })
    }
}

impl McpCaller {
    /// What policy says, with what takes consent.
    pub(crate) async fn decide(
        &self,
        action: Action,
        resource: &Resource,
        circumstances: &Circumstances<'_>,
    ) -> Result<Allowed, Refused> {
        let allowed = self.ctx.authorise_or_ask(action, resource, circumstances).await;
        let allowed = allowed.map_err(refused)?;
        let wanted = match allowed.wanted(&self.ctx) {
            Some(wanted) => Some(wanted),
            // What policy lets through, the agent's own definition may still want consent to.
            None => self.ctx.by_run().filter(|by| by.asks).map(|by| Wanted {
                policies: vec![format!("agent {}", by.agent)],
                version: allowed.version().to_owned(),
                client: self.ctx.client(),
                door: self.ctx.info.door,
                author: None,
                agent_run: Some(by.run),
            }),
        };
        Ok(Allowed { audit: allowed.draft(&self.ctx), wanted })
    }
}

#[async_trait]
impl Caller for McpCaller {
    fn user(&self) -> UserId {
        self.user
    }

    fn client(&self) -> Option<OauthClientId> {
        self.ctx.client()
    }

    fn party(&self) -> Uuid {
        self.ctx.proof().party()
    }

    fn door(&self) -> Door {
        self.ctx.info.door
    }

    fn call(&self) -> Option<ToolCallId> {
        self.ctx.by_run()?.call
    }

    fn guard(&self) -> Option<Write> {
        let by = self.ctx.by_run()?;
        // SECURITY: whoever lost the run makes no call in it any more.
        Some(Write::Journal(JournalWrite::Require { run: by.run, fence: by.fence }))
    }

    fn may_call(&self, tool: &Resource) -> bool {
        self.ctx.may_call(tool)
    }

    fn may(&self, action: Action, resource: &Resource) -> bool {
        self.ctx.decide(action, resource).allowed
    }

    async fn require(&self, action: Action) -> Result<(), Refused> {
        self.ctx.require(action).await.map_err(refused)
    }

    async fn authorise(&self, action: Action, resource: &Resource) -> Result<AuditDraft, Refused> {
        let allowed = self.ctx.authorise(action, resource).await;
        allowed.map(|allowed| allowed.draft(&self.ctx)).map_err(refused)
    }

    async fn authorise_call(
        &self,
        tool: &Resource,
        arguments: &ArgumentFacts,
    ) -> Result<Allowed, Refused> {
        let client = self.client().map(|client| client.to_string());
        let circumstances = Circumstances {
            client: client.as_deref(),
            arguments: Some(arguments),
            ..self.ctx.circumstances()
        };
        self.decide(Action::ToolCall, tool, &circumstances).await
    }

    async fn is_there(&self) -> bool {
        self.ctx.still_holds().await
    }

    async fn refuse(&self, action: Action, resource: &Resource, why: &str) -> Result<(), Refused> {
        let audit = self.ctx.draft(action).on(&resource.id).outcome(AuditOutcome::Refused, why);
        self.ctx.app.refusals.record(&self.ctx.app, audit).await.map_err(refused)
    }
}

fn refused(error: ApiError) -> Refused {
    match error.code {
        ErrorCode::NotFound => Refused::NotThere,
        _ if let Some(action) = error.lacks => Refused::Scope(action),
        ErrorCode::Forbidden => Refused::Forbidden(error.detail.unwrap_or_default()),
        _ => {
            tracing::error!(code = error.code.as_str(), "a decision could not be made or recorded");
            Refused::Failed
        }
    }
}
