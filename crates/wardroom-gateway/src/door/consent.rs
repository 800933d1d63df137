//! A call that policy allows only with a person's consent: asked for once, waited for durably, used up by the call.

use super::{
    Gateway,
    client::{Allowed, Client, Speaks},
    request_state::{CallRound, Carried},
};
use crate::{
    era::meta,
    registry::{Known, KnownTool},
    rpc::{Object, RpcError, codes},
    upstream::Failure,
};
use serde_json::value::RawValue;
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};
use uuid::Uuid;
use wardroom_core::{
    Action, ApprovalId,
    action::Resource,
    approval::{Approval, ApprovalState, CallAsked, ConsentError, Wanted},
    audit::AuditDraft,
    tool::facts::ArgumentFacts,
};

/// How long a request without a session is held before its client is told to come again.
pub(super) const HOLD: Duration = Duration::from_secs(25);
/// How often a client with a session is told that its request still waits.
const TELL_EVERY: Duration = Duration::from_secs(10);
/// The name of the one question.
const QUESTION: &str = "approval";

/// What is about to be called.
pub(super) struct Called<'a> {
    /// The server, and the tool as it was accepted.
    pub(super) about: (&'a Known, &'a KnownTool),
    pub(super) tool: &'a Resource,
    pub(super) facts: &'a ArgumentFacts,
    pub(super) arguments: &'a RawValue,
    pub(super) params: &'a Object,
    pub(super) digest: [u8; 32],
}

/// Whether a call may go ahead.
pub(super) enum Consent {
    /// It may, with this record; what it uses up.
    Given(Box<AuditDraft>, Option<ApprovalId>),
    /// Not yet: the client is to come again.
    Later(Object),
}

impl Gateway {
    /// Brings a call that policy wants consent for to the point where it may go ahead.
    pub(super) async fn consent(
        &self,
        client: &Client,
        called: &Called<'_>,
        mut allowed: Allowed,
        state: Option<&Carried>,
    ) -> Result<Consent, RpcError> {
        if let Some(call) = state.and_then(|state| state.call) {
            return self.consented_before(call, allowed).await;
        }
        if let Some(first) = self.account_first(client, called).await? {
            return Ok(Consent::Later(first));
        }
        if allowed.wanted.is_none() {
            return Ok(Consent::Given(Box::new(allowed.audit), None));
        }
        let came_again = state.is_some_and(|state| state.consent);
        if came_again {
            self.heed_answer(client, called, &allowed).await?;
        }
        let _place = self.waiters.take(client.caller.party()).ok_or_else(too_many)?;
        let mut told = 0_u32;
        loop {
            let Some(wanted) = &allowed.wanted else {
                return Ok(Consent::Given(Box::new(allowed.audit), None));
            };
            let approval = self.ask_people(client, called, wanted, &allowed).await?;
            match approval.state(self.clock.now()) {
                ApprovalState::Approved => {
                    let audit = allowed.audit.detail("approval", approval.id);
                    return Ok(Consent::Given(Box::new(audit), Some(approval.id)));
                }
                ApprovalState::Denied => {
                    let said = self.consents.reason(&approval).await;
                    let said = said.map(|reason| format!(": {reason}")).unwrap_or_default();
                    return Err(self
                        .turned_away(client, called, format!("a person denied it{said}"))
                        .await?);
                }
                _ => {}
            }
            let hold = match &client.speaks {
                Speaks::Legacy(_) => TELL_EVERY,
                Speaks::Modern(_) if self.can_be_sent(client) && !came_again => Duration::ZERO,
                Speaks::Modern(modern) => modern.patience,
            };
            let waited = tokio::select! {
                () = client.cancel.cancelled() => return Err(Failure::Cancelled.into()),
                waited = self.consents.wait(approval.id, hold) => waited.map_err(|error| failed(&error))?,
            };
            match waited.map(|approval| approval.state(self.clock.now())) {
                Some(ApprovalState::Waiting) => {
                    if matches!(client.speaks, Speaks::Modern(_)) {
                        return self.come_again(client, called, &approval).map(Consent::Later);
                    }
                    told += 1;
                    tell(client, called.params, told, &approval).await;
                }
                Some(ApprovalState::Expired) | None => {
                    let why = "nobody approved it in time".to_owned();
                    return Err(self.turned_away(client, called, why).await?);
                }
                // Decided: what policy says now is asked anew, and finds what was decided.
                Some(_) => {}
            }
            // SECURITY: a person takes their time, and much may change meanwhile.
            if !client.caller.is_there().await {
                return Err(RpcError::refused("what proved who asks does not hold any more"));
            }
            if !self.is_still_there(called) {
                let why = "the tool or its server changed while the call waited".to_owned();
                return Err(self.turned_away(client, called, why).await?);
            }
            allowed = client.caller.authorise_call(called.tool, called.facts).await?;
        }
    }

    /// Whether the tool may still be called, as it was accepted when the call came.
    fn is_still_there(&self, called: &Called<'_>) -> bool {
        let (known, accepted) = called.about;
        let (before, now) = (&known.upstream.server, self.registry.server(known.name()));
        let now = now.filter(|now| {
            let server = &now.upstream.server;
            (server.id, server.version) == (before.id, before.version)
        });
        let tool = now.and_then(|now| now.tools().get(&accepted.name).cloned());
        tool.is_some_and(|now| now.digest == accepted.digest)
    }

    /// A call that began goes on: with the consent that it began with.
    async fn consented_before(
        &self,
        call: CallRound,
        allowed: Allowed,
    ) -> Result<Consent, RpcError> {
        if let Some(wanted) = &allowed.wanted {
            let used = self.store.lookup_approval_used(call.id).await;
            let used = used.map_err(|error| failed(&error))?;
            if used.is_none_or(|used| used.policy_version != wanted.version) {
                let why = "policy wants a person's consent for this call by now: begin anew";
                return Err(RpcError::refused(why));
            }
        }
        Ok(Consent::Given(Box::new(allowed.audit), None))
    }

    async fn ask_people(
        &self,
        client: &Client,
        called: &Called<'_>,
        wanted: &Wanted,
        allowed: &Allowed,
    ) -> Result<Approval, RpcError> {
        let server = &called.about.0.upstream.server;
        let asked = CallAsked {
            user: client.caller.user(),
            wanted,
            target: &called.tool.id,
            server: (server.id, server.version),
            tool: called.about.1.digest,
            arguments: called.arguments,
        };
        match self.consents.ask(&asked, allowed.audit.clone()).await {
            Ok(approval) => Ok(approval),
            Err(error @ ConsentError::TooMany) => {
                client.caller.refuse(Action::ToolCall, called.tool, &error.to_string()).await?;
                Err(RpcError::refused(error.to_string()))
            }
            Err(error) => Err(failed(&error)),
        }
    }

    /// The error for a call that will not be made, once that is recorded.
    async fn turned_away(
        &self,
        client: &Client,
        called: &Called<'_>,
        why: String,
    ) -> Result<RpcError, RpcError> {
        client.caller.refuse(Action::ToolCall, called.tool, &why).await?;
        Ok(RpcError::refused(format!("{} was not called: {why}", called.tool.id)))
    }

    /// Whether a client can send its person to a page.
    pub(super) fn can_be_sent(&self, client: &Client) -> bool {
        let elicitation = client.speaks.capabilities().object("elicitation");
        elicitation.is_some_and(|elicitation| elicitation.has("url"))
    }

    /// What tells a client without a session to come again, and whom to send where meanwhile.
    fn come_again(
        &self,
        client: &Client,
        called: &Called<'_>,
        approval: &Approval,
    ) -> Result<Object, RpcError> {
        let state = Carried { consent: true, ..Carried::default() };
        let state = self.seal_state(client, called.digest, state)?;
        let own = Object::default().with(meta::APPROVAL, approval.id.to_string());
        let mut result = Object::default()
            .with("resultType", "input_required")
            .with("requestState", state)
            .with("_meta", own);
        if self.can_be_sent(client) {
            let params = Object::default()
                .with("mode", "url")
                .with("elicitationId", approval.id.to_string())
                .with("url", format!("{}/approvals/{}", self.public_url, approval.id))
                .with("message", waits(approval));
            let question =
                Object::default().with("method", "elicitation/create").with("params", params);
            result.set("inputRequests", Object::default().with(QUESTION, question));
        }
        Ok(result)
    }

    /// A client whose person does not want to ask any more ends it.
    async fn heed_answer(
        &self,
        client: &Client,
        called: &Called<'_>,
        allowed: &Allowed,
    ) -> Result<(), RpcError> {
        let answers = called.params.object("inputResponses").unwrap_or_default();
        let answer = answers.object(QUESTION).and_then(|answer| answer.text("action"));
        match answer.as_deref() {
            Some("decline" | "cancel") => {
                if let Some(wanted) = &allowed.wanted {
                    let approval = self.ask_people(client, called, wanted, allowed).await?;
                    let gone = self.consents.withdraw(approval.id).await;
                    gone.map_err(|error| failed(&error))?;
                }
                let why = "whoever asked does not want it any more".to_owned();
                Err(self.turned_away(client, called, why).await?)
            }
            _ => Ok(()),
        }
    }
}

/// Tells a client with a session that its request still waits, where it wants to hear of progress.
async fn tell(client: &Client, params: &Object, told: u32, approval: &Approval) {
    let token =
        params.object("_meta").and_then(|own| own.raw_of(meta::PROGRESS).map(ToOwned::to_owned));
    if let Some(token) = token {
        let params = Object::default()
            .with("progressToken", token)
            .with("progress", told)
            .with("message", waits(approval));
        client.tell("notifications/progress", &params).await;
    }
}

fn waits(approval: &Approval) -> String {
    format!("{} waits for a person's approval ({})", approval.target, approval.id)
}

fn failed(error: &dyn std::fmt::Display) -> RpcError {
    tracing::error!(%error, "consent could not be asked for");
    RpcError::internal()
}

fn too_many() -> RpcError {
    RpcError::new(codes::UNAVAILABLE, "too many calls wait for people already: try again later")
}

/// Calls that wait for people, all together and of one party: each holds a task and its arguments.
const WAITERS_MAX: usize = 2048;
const WAITERS_PER_PARTY_MAX: usize = 64;

/// Who waits for people.
#[derive(Default)]
pub(super) struct Waiters(Mutex<HashMap<Uuid, usize>>);

/// A place among those who wait; given back when it is dropped.
struct Place<'a> {
    waiters: &'a Waiters,
    party: Uuid,
}

impl Waiters {
    fn take(&self, party: Uuid) -> Option<Place<'_>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let own = all.get(&party).copied().unwrap_or(0);
        if own >= WAITERS_PER_PARTY_MAX || all.values().sum::<usize>() >= WAITERS_MAX {
            return None;
        }
        all.insert(party, own + 1);
        Some(Place { waiters: self, party })
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut all = self.waiters.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = all.get_mut(&self.party) {
            *own -= 1;
            if *own == 0 {
                all.remove(&self.party);
            }
        }
    }
}
