//! What the gateway says of itself: `initialize` and `server/discover`

use super::{
    Gateway,
    client::{Caller, Client, Opening},
    session::Session,
    tools::resource,
};
use crate::{
    era::{self, LEGACY, MODERN},
    registry::Known,
    rpc::{Object, RpcError},
};
use std::sync::Arc;
use wardroom_core::{Action, action::Resource};

impl Gateway {
    /// Opens a session: what a client of a revision until 2025-11-25 does first.
    pub async fn initialize(
        &self,
        opening: Opening<'_>,
        params: &Object,
    ) -> Result<(Arc<Session>, Object), RpcError> {
        let session = self.sessions.open(&opening, params, self.clock.now(), &*self.rng)?;
        let result = Object::default()
            .with("protocolVersion", session.version)
            .with("capabilities", self.capabilities(&opening).await)
            .with("serverInfo", era::own_info());
        Ok((session, result))
    }

    /// What a client of revision 2026-07-28 is told of the gateway.
    pub(super) async fn discover(&self, client: &Client) -> Object {
        let opening =
            Opening { caller: &*client.caller, scope: client.scope.as_deref(), of_channel: false };
        let versions: Vec<&str> = [MODERN].into_iter().chain(LEGACY).collect();
        Object::default()
            .with("supportedVersions", versions)
            .with("capabilities", self.capabilities(&opening).await)
    }

    /// What is there for this caller. SECURITY: a server's own instructions are not passed on: nobody accepted them.
    async fn capabilities(&self, opening: &Opening<'_>) -> Object {
        let servers = match opening.scope {
            Some(name) => self.registry.server(name).into_iter().collect(),
            None => self.registry.servers(),
        };
        let mut all = Object::default();
        for known in &servers {
            // One that nobody has looked at yet is looked at now.
            if known.health().at.is_none() {
                let _ = self.registry.look(known).await;
            }
            let Some(facts) = known.health().facts else { continue };
            let own = &facts.capabilities;
            let server = Resource::tool_server(known.name());
            let tools = known.tools();
            let callable =
                || tools.values().any(|tool| opening.caller.may_call(&resource(known, tool)));
            if own.has("tools") && (opening.scope.is_some() || callable()) {
                all.set("tools", changing());
            }
            if own.has("prompts") && opening.caller.may(Action::PromptRead, &server) {
                all.set("prompts", changing());
            }
            if own.has("resources") && opening.caller.may(Action::ResourceRead, &server) {
                let known_to = own.object("resources").and_then(|own| own.get::<bool>("subscribe"));
                let subscribe = known_to == Some(true) || subscribes(&all);
                all.set("resources", changing().with("subscribe", subscribe));
            }
            for name in ["completions", "logging"] {
                if own.has(name) {
                    all.set(name, Object::default());
                }
            }
        }
        if opening.scope.is_none() {
            all.set("tools", changing());
        }
        all
    }

    /// Whether the caller may see anything of a server.
    pub fn sees(&self, caller: &dyn Caller, known: &Known) -> bool {
        let server = Resource::tool_server(known.name());
        [Action::ResourceRead, Action::PromptRead].iter().any(|action| caller.may(*action, &server))
            || known.tools().values().any(|tool| caller.may_call(&resource(known, tool)))
    }
}

fn changing() -> Object {
    Object::default().with("listChanged", true)
}

fn subscribes(all: &Object) -> bool {
    all.object("resources").and_then(|own| own.get::<bool>("subscribe")) == Some(true)
}
