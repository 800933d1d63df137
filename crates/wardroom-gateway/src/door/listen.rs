//! What clients are told of changes: `subscriptions/listen`, and the streams of sessions.

use super::{Gateway, client::Client};
use crate::{
    era::meta,
    registry::{Changed, What},
    rpc::{self, Id, Object, RpcError},
};
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;

/// How often it is looked whether who listens is still let in.
const CHECK_EVERY: Duration = Duration::from_secs(30);
/// Addresses in one filter, and where every server has to be asked whose they are.
const ADDRESSES_MAX: usize = 256;
const ADDRESSES_OF_ALL_MAX: usize = 16;

/// What a client wants to be told of.
#[derive(Debug, Default)]
struct Filter {
    tools: bool,
    prompts: bool,
    resources: bool,
    /// Addresses, and the server of each.
    updates: Vec<crate::registry::Wanted>,
}

impl Filter {
    fn wants(&self, changed: &Changed) -> bool {
        match &changed.what {
            What::Tools => self.tools,
            What::Prompts => self.prompts,
            What::Resources => self.resources,
            What::Resource(uri) => self.updates.iter().any(|own| own.is(&changed.server, uri)),
        }
    }
}

/// The notification of a change.
fn note(what: &What) -> (&'static str, Object) {
    match what {
        What::Tools => ("notifications/tools/list_changed", Object::default()),
        What::Prompts => ("notifications/prompts/list_changed", Object::default()),
        What::Resources => ("notifications/resources/list_changed", Object::default()),
        What::Resource(uri) => {
            ("notifications/resources/updated", Object::default().with("uri", uri))
        }
    }
}

impl Gateway {
    /// `subscriptions/listen`: tells until the client lets go of the stream.
    pub(super) async fn listen(
        &self,
        client: &Client,
        id: &Id,
        params: &Object,
    ) -> Result<Object, RpcError> {
        let wanted = params.object("notifications");
        let wanted =
            wanted.ok_or_else(|| RpcError::invalid_params("`notifications` is missing"))?;
        let is = |name: &str| wanted.get::<bool>(name) == Some(true);
        let mut changes = self.registry.changes();
        let mut filter = Filter {
            tools: is("toolsListChanged"),
            prompts: is("promptsListChanged"),
            resources: is("resourcesListChanged"),
            updates: vec![],
        };
        let addresses: Vec<String> = wanted.get("resourceSubscriptions").unwrap_or_default();
        let most = if client.scope.is_some() { ADDRESSES_MAX } else { ADDRESSES_OF_ALL_MAX };
        if addresses.len() > most {
            let why = format!("`resourceSubscriptions` may have {most} addresses here");
            return Err(RpcError::invalid_params(why));
        }
        for uri in &addresses {
            // What is not there for the client is left out of what is agreed.
            if let Some(known) = self.server_of(client, uri).await {
                filter.updates.push(self.registry.want(known.name(), uri));
            }
        }
        let own = Object::default().with(meta::SUBSCRIPTION, id);
        let mut agreed = Object::default();
        for (name, on) in [
            ("toolsListChanged", filter.tools),
            ("promptsListChanged", filter.prompts),
            ("resourcesListChanged", filter.resources),
        ] {
            if on {
                agreed.set(name, true);
            }
        }
        if !filter.updates.is_empty() {
            let uris: Vec<&str> = filter.updates.iter().map(|own| own.uri.as_str()).collect();
            agreed.set("resourceSubscriptions", uris);
        }
        let acknowledged = Object::default().with("_meta", &own).with("notifications", agreed);
        client.tell("notifications/subscriptions/acknowledged", &acknowledged).await;
        let mut check = tokio::time::Instant::now() + CHECK_EVERY;
        loop {
            let changed = tokio::select! {
                () = client.cancel.cancelled() => break,
                () = client.outlet.closed() => break,
                // SECURITY: who listens for long must still be let in.
                () = tokio::time::sleep_until(check) => {
                    if !client.caller.is_there().await {
                        break;
                    }
                    check = tokio::time::Instant::now() + CHECK_EVERY;
                    continue;
                }
                changed = changes.recv() => match changed {
                    Ok(changed) => changed,
                    Err(RecvError::Lagged(_)) => continue,
                    Err(RecvError::Closed) => break,
                },
            };
            if filter.wants(&changed)
                && self.concerns(client.scope.as_deref(), &*client.caller, &changed)
            {
                let (method, params) = note(&changed.what);
                client.tell(method, &params.with("_meta", &own)).await;
            }
        }
        Ok(Object::default().with("_meta", own))
    }

    /// Whether a change is at a server that is open to whoever listens.
    fn concerns(
        &self,
        scope: Option<&str>,
        caller: &dyn super::client::Caller,
        changed: &Changed,
    ) -> bool {
        let within = scope.is_none_or(|scope| scope == changed.server);
        within
            && self.registry.server(&changed.server).is_some_and(|known| self.sees(caller, &known))
    }

    /// Tells the clients of sessions, each on its own stream.
    pub(super) async fn tell_sessions(&self) {
        let mut changes = self.registry.changes();
        loop {
            let changed = match changes.recv().await {
                Ok(changed) => changed,
                Err(RecvError::Lagged(_)) => continue,
                Err(RecvError::Closed) => return,
            };
            let (method, params) = note(&changed.what);
            let message = rpc::notification(method, &params);
            for session in self.sessions.all() {
                let Some(stream) = session.stream() else { continue };
                if let What::Resource(uri) = &changed.what
                    && !session.is_subscribed(&changed.server, uri)
                {
                    continue;
                }
                if self.concerns(session.scope(), &*stream.caller, &changed) {
                    // Who does not read misses what changed, and looks again by itself.
                    let _ = stream.outlet.try_send(message.clone());
                }
            }
        }
    }
}
