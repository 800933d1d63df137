//! Lists of what servers give to read and of prompts: one server's as it gives them, several servers' together.

use super::{Gateway, client::Client, headers::for_upstream, tools::DIVIDER};
use crate::{
    registry::{Known, list_all},
    rpc::{Object, RpcError},
    upstream::{Ask, Failure, Listening},
};
use std::{sync::Arc, time::Duration};
use tokio::sync::mpsc;
use wardroom_core::{Action, action::Resource};

/// What several servers list together at most, of each.
const ITEMS_MAX: usize = 2000;

/// The member of a list's result, the capability that it takes, and what policy is asked.
fn parts(method: &str) -> (&'static str, &'static str, Action) {
    match method {
        "prompts/list" => ("prompts", "prompts", Action::PromptRead),
        "resources/list" => ("resources", "resources", Action::ResourceRead),
        _ => ("resourceTemplates", "resources", Action::ResourceRead),
    }
}

impl Gateway {
    /// `resources/list`, `resources/templates/list` and `prompts/list`
    pub(super) async fn list(
        &self,
        client: &Client,
        method: &str,
        params: &Object,
    ) -> Result<Object, RpcError> {
        let (member, capability, action) = parts(method);
        if let Some(name) = &client.scope {
            let resource = Resource::tool_server(name);
            let known = self.registry.server(name).filter(|_| client.caller.may(action, &resource));
            let known = known.ok_or_else(|| RpcError::method_not_found(method))?;
            return self.ask_list(client, &known, method, params).await.map_err(RpcError::from);
        }
        let open = self.registry.servers().into_iter().filter(|known| {
            client.caller.may(action, &Resource::tool_server(known.name()))
                && has(known, capability)
        });
        let person = Some(client.caller.user());
        let lists = open.map(|known| async move {
            match list_all(&known, person, method, member, ITEMS_MAX).await {
                Ok(items) => (known, items),
                Err(failure) => {
                    // One that is not well takes nothing away from the others.
                    tracing::debug!(server = known.name(), %failure, method, "a list was left out");
                    (known, vec![])
                }
            }
        });
        let mut items = vec![];
        for (known, found) in futures_util::future::join_all(lists).await {
            for mut item in found {
                if member == "prompts"
                    && let Some(name) = item.text("name")
                {
                    item.set("name", format!("{}{DIVIDER}{name}", known.name()));
                }
                items.push(item);
            }
        }
        Ok(Object::default().with(member, items))
    }

    async fn ask_list(
        &self,
        client: &Client,
        known: &Arc<Known>,
        method: &str,
        params: &Object,
    ) -> Result<Object, Failure> {
        let ask = Ask {
            method: method.to_owned(),
            params: for_upstream(params),
            capabilities: client.speaks.known_capabilities(),
            party: Some(client.caller.party()),
            person: Some(client.caller.user()),
            session: client.speaks.session(),
            idempotent: true,
            time: Duration::from_millis(known.upstream.server.limits.call_ms_max.into()),
            ..Ask::default()
        };
        self.ask_quietly(client, known, &ask).await
    }

    /// Asks what no server has reason to say anything about beside its answer.
    pub(super) async fn ask_quietly(
        &self,
        client: &Client,
        known: &Known,
        ask: &Ask,
    ) -> Result<Object, Failure> {
        let (events, mut ignored) = mpsc::channel(8);
        let listening = Listening { events, cancel: client.cancel.clone(), pace: Arc::default() };
        let asking = known.upstream.ask(ask, &listening);
        tokio::pin!(asking);
        loop {
            tokio::select! {
                outcome = &mut asking => return outcome,
                Some(event) = ignored.recv() => drop(event),
            }
        }
    }
}

/// Whether a server said that it can do this.
pub(super) fn has(known: &Known, capability: &str) -> bool {
    known.health().facts.is_some_and(|facts| facts.capabilities.has(capability))
}
