//! What a secured handler knows of its request.

use crate::{
    App,
    error::ApiError,
    middleware::{ByRun, Held, Proof, RequestInfo},
};
use axum::{extract::FromRequestParts, http::request::Parts};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
use wardroom_core::{
    Action, OauthClientId, Origin, Principal, Timestamp, UserId,
    action::{Resource, ResourceKind},
    approval::Wanted,
    audit::{AuditDraft, AuditOutcome},
    identity::{Session, User, UserState},
    principal::Credential,
    run::Run,
    steps::Labels,
};
use wardroom_trust::policy::{Circumstances, Decision};
use wardroom_wire::error::ErrorCode;

/// A request that was authenticated and whose route named its action.
#[derive(Clone)]
pub(crate) struct Ctx {
    /// What every handler shares.
    pub(crate) app: Arc<App>,
    /// Who asks.
    pub(crate) principal: Principal,
    /// From where.
    pub(crate) origin: Origin,
    /// What the route is for.
    pub(crate) action: Action,
    /// What the edge knows of the request.
    pub(crate) info: RequestInfo,
    /// The page that stands for this answer where it answers a form.
    pub(crate) answer_page: Option<String>,
    proof: Arc<Proof>,
    authorised: Arc<AtomicBool>,
}

impl Ctx {
    pub(crate) fn new(
        app: Arc<App>,
        proof: Proof,
        info: RequestInfo,
        action: Action,
        answer_page: Option<String>,
    ) -> Self {
        let (principal, origin) = (proof.principal.clone(), info.origin());
        Self {
            app,
            principal,
            origin,
            action,
            info,
            answer_page,
            proof: Arc::new(proof),
            authorised: Arc::default(),
        }
    }

    /// What proved who asks.
    pub(crate) fn proof(&self) -> &Proof {
        &self.proof
    }

    /// The session that the caller goes by, where it is one.
    pub(crate) fn session(&self) -> Option<&Session> {
        match &self.proof.held {
            Held::Session(session) => Some(session),
            Held::ApiToken(_) | Held::Outside(_) | Held::Run(_) => None,
        }
    }

    /// Whether it is the account's holder who asks, signed in, and nothing that acts in their name.
    pub(crate) fn in_person(&self) -> bool {
        self.session().is_some_and(|session| session.grant.is_none())
    }

    /// The program of others that acts in the caller's name.
    pub(crate) fn client(&self) -> Option<OauthClientId> {
        match &self.proof.held {
            Held::Run(by) => by.authority.client,
            _ => self.session()?.grant.as_ref().map(|grant| grant.client),
        }
    }

    /// The agent that acts in the caller's name, and what it is about to do.
    pub(crate) fn by_run(&self) -> Option<&ByRun> {
        match &self.proof.held {
            Held::Run(by) => Some(by),
            _ => None,
        }
    }

    /// What policy knows of every request of the caller's.
    pub(crate) fn circumstances(&self) -> Circumstances<'_> {
        let by = self.by_run();
        Circumstances {
            agent: by.map(|by| by.agent.as_str()),
            seen: by.map_or(Labels::NONE, |by| by.seen),
            does: by.map(|by| by.does.as_slice()).unwrap_or_default(),
            ..Circumstances::default()
        }
    }

    /// The account that asks, as it was when the request came.
    pub(crate) fn account(&self) -> &User {
        &self.proof.user
    }

    /// The time now.
    pub(crate) fn now(&self) -> Timestamp {
        self.app.engine.now()
    }

    /// The token that forms of this session carry; empty where there is no session.
    pub(crate) fn csrf(&self) -> &str {
        &self.proof.csrf
    }

    /// The account that asks.
    pub(crate) fn user(&self) -> Result<UserId, ApiError> {
        self.principal.user().ok_or_else(|| ApiError::new(ErrorCode::Unauthenticated))
    }

    /// Whether policy lets the caller do `action` to something of its own kind: for showing and
    /// hiding controls only.
    pub(crate) fn may(&self, action: Action) -> bool {
        // What takes a person's consent is asked for when it is done.
        self.decide(action, &Resource::own(action.resource_kind(), &self.principal)).reachable()
    }

    /// What policy says, within what the caller's proof is good for.
    pub(crate) fn decide(&self, action: Action, resource: &Resource) -> Decision {
        self.judge(action, resource, &self.circumstances())
    }

    /// Whether what proved who asks still does.
    pub(crate) async fn still_holds(&self) -> bool {
        let (now, store) = (self.now(), self.app.engine.store());
        let active = |user: &User| user.state == UserState::Active;
        match self.proof.credential() {
            (Credential::Session(id), _) => {
                store.lookup_session_by_id(id).await.is_ok_and(|found| {
                    found.is_some_and(|(session, user)| {
                        now < session.expires_at && now < session.idle_until && active(&user)
                    })
                })
            }
            (Credential::ApiToken(id), _) => {
                store.lookup_api_token_by_id(id).await.is_ok_and(|found| {
                    found.is_some_and(|(token, user)| now < token.expires_at && active(&user))
                })
            }
            (Credential::Run(id), _) => {
                let goes_on = |run: Option<Run>| run.is_some_and(|run| !run.state.is_terminal());
                store.lookup_run(id).await.is_ok_and(goes_on)
                    && store
                        .lookup_user(self.proof.user.id)
                        .await
                        .is_ok_and(|user| user.is_some_and(|user| active(&user)))
            }
            (Credential::Outside(id), until) => {
                now < until
                    && store
                        .lookup_user(id)
                        .await
                        .is_ok_and(|user| user.is_some_and(|user| active(&user)))
            }
        }
    }

    /// Whether there are arguments with which the caller may call a tool.
    pub(crate) fn may_call(&self, tool: &Resource) -> bool {
        let client = self.client().map(|client| client.to_string());
        let circumstances = Circumstances { client: client.as_deref(), ..self.circumstances() };
        let policy = self.app.policy.load();
        self.proof.covers(Action::ToolCall)
            && policy.policy.may_call(&self.principal, tool, &circumstances)
    }

    /// Whether the caller proved lately enough who they are.
    fn is_fresh(&self) -> bool {
        let fresh_for = self.app.accounts.fresh_for;
        self.proof.proved_at().is_none_or(|at| self.now().since(at) < fresh_for)
    }

    /// A run as policy sees it: where it is a customer's, with those who look after the customer or work on the
    /// request.
    pub(crate) async fn run_resource(&self, run: &Run) -> Result<Resource, ApiError> {
        let mut resource = Resource::run(run);
        if let Some(request) = run.request
            && let Some(request) = self.app.engine.store().lookup_request(request).await?
        {
            resource.operators = request.operators;
            resource.operators.extend(request.assignee);
        }
        Ok(resource)
    }

    /// Refuses `action` where the caller's proof is not good for it, before anything is looked up: the answer does
    /// not tell whether it is there.
    pub(crate) async fn require(&self, action: Action) -> Result<(), ApiError> {
        if self.proof.covers(action) {
            return Ok(());
        }
        let audit = self.draft(action).outcome(AuditOutcome::Refused, NOT_COVERED);
        self.app.refusals.record(&self.app, audit).await?;
        Err(beyond(action))
    }

    /// Asks policy for `action` on `resource`. A denial is recorded. What the caller may not see
    /// answers as if it were not there.
    pub(crate) async fn authorise(
        &self,
        action: Action,
        resource: &Resource,
    ) -> Result<Authorised, ApiError> {
        let mut decision = self.judge(action, resource, &self.circumstances());
        // SECURITY: nobody here waits for a person's consent, so what takes it is denied.
        decision.asks = None;
        self.admit(action, resource, decision).await
    }

    /// The same with what is known of the request beside its parts. SECURITY: what is allowed only with a person's
    /// consent is let through as well; whoever does it must look at [`Authorised::wanted`].
    pub(crate) async fn authorise_or_ask(
        &self,
        action: Action,
        resource: &Resource,
        circumstances: &Circumstances<'_>,
    ) -> Result<Authorised, ApiError> {
        let decision = self.judge(action, resource, circumstances);
        self.admit(action, resource, decision).await
    }

    /// What policy says, within what the caller's proof is good for.
    fn judge(
        &self,
        action: Action,
        resource: &Resource,
        circumstances: &Circumstances<'_>,
    ) -> Decision {
        let policy = self.app.policy.load();
        let mut decision =
            policy.policy.decide_in(&self.principal, action, resource, circumstances);
        if !self.proof.covers(action) {
            decision.allowed = false;
            decision.asks = None;
        }
        decision
    }

    async fn admit(
        &self,
        action: Action,
        resource: &Resource,
        decision: Decision,
    ) -> Result<Authorised, ApiError> {
        if action == self.action {
            self.authorised.store(true, Ordering::Release);
        }
        if decision.allowed && action.needs_fresh_proof() && !self.is_fresh() {
            return Err(ApiError::new(ErrorCode::FreshProofRequired));
        }
        if decision.reachable() {
            return Ok(Authorised { action, decision });
        }
        let why = if self.proof.covers(action) { "policy does not allow it" } else { NOT_COVERED };
        let audit = self
            .draft(action)
            .on(&resource.id)
            .policy(&decision.policies, &decision.version)
            .outcome(AuditOutcome::Refused, why);
        self.app.refusals.record(&self.app, audit).await?;
        if self.hides(resource) {
            return Err(ApiError::not_found());
        }
        if !self.proof.covers(action) {
            return Err(beyond(action));
        }
        Err(ApiError::say(
            ErrorCode::Forbidden,
            format!("Your role does not allow {action} here. Ask an administrator if you need it."),
        ))
    }

    /// Whether the caller may not even know of `resource`.
    fn hides(&self, resource: &Resource) -> bool {
        let read = match resource.kind {
            ResourceKind::System => return false,
            ResourceKind::User => Action::UserRead,
            ResourceKind::Node | ResourceKind::Command => Action::NodeRead,
            ResourceKind::Run => Action::RunRead,
            ResourceKind::JoinToken => Action::JoinTokenList,
            ResourceKind::Secret => Action::SecretList,
            ResourceKind::Tool => {
                return !self.may_call(resource) && !self.may(Action::ToolServerRead);
            }
            ResourceKind::ToolServer => Action::ToolServerRead,
            ResourceKind::Agent => Action::AgentRead,
            ResourceKind::Model => Action::ModelList,
            ResourceKind::ModelCall => Action::ModelCallRead,
            ResourceKind::ToolCall => Action::ToolCallRead,
            ResourceKind::Customer => Action::CustomerRead,
            ResourceKind::Service => Action::ServiceRead,
            ResourceKind::Request => Action::RequestRead,
            ResourceKind::Approval => Action::ApprovalRead,
        };
        let mut seen = resource.clone();
        seen.kind = read.resource_kind();
        !self.decide(read, &seen).allowed
    }

    /// Whether policy was asked for the route's own action.
    pub(crate) fn was_authorised(&self) -> bool {
        self.authorised.load(Ordering::Acquire)
    }

    /// A record of what the caller does.
    pub(crate) fn draft(&self, action: Action) -> AuditDraft {
        let draft = AuditDraft::action(action, &self.principal, &self.origin, self.now());
        // What a program of others does in somebody's name is not what they did themselves.
        let draft = match self.client() {
            Some(client) => draft.detail("client", client),
            None => draft,
        };
        match self.by_run() {
            Some(by) => draft.detail("agent", &by.agent).detail("run", by.run),
            None => draft,
        }
    }
}

const NOT_COVERED: &str = "the token's scopes do not have it";

fn beyond(action: Action) -> ApiError {
    let detail = if action.needs_fresh_proof() {
        format!(
            "{action} takes a fresh proof of who asks, or a token that was made for it: `wardroom token create NAME --scope {action}`."
        )
    } else {
        format!("The token's scopes do not have {action}: use one that has it.")
    };
    ApiError { lacks: Some(action), ..ApiError::say(ErrorCode::Forbidden, detail) }
}

/// Proof that policy allowed an action.
#[derive(Debug)]
pub(crate) struct Authorised {
    action: Action,
    decision: Decision,
}

impl Authorised {
    /// The record of the allowed action, naming the policies that allowed it.
    pub(crate) fn draft(&self, ctx: &Ctx) -> AuditDraft {
        ctx.draft(self.action).policy(&self.decision.policies, &self.decision.version)
    }

    /// The version of the policy that was asked.
    pub(crate) fn version(&self) -> &str {
        &self.decision.version
    }

    /// What a person has to consent to first.
    pub(crate) fn wanted(&self, ctx: &Ctx) -> Option<Wanted> {
        Some(Wanted {
            policies: self.decision.asks.clone()?,
            version: self.decision.version.clone(),
            client: ctx.client(),
            door: ctx.info.door,
            author: None,
            agent_run: ctx.by_run().map(|by| by.run),
        })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Ctx {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        // SECURITY: only the secured() wrapper puts one there; a public route can't have it.
        parts.extensions.get::<Self>().cloned().ok_or_else(|| ApiError::new(ErrorCode::Internal))
    }
}
