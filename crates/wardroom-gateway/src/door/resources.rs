//! What servers give to read, prompts, and completion of their arguments.

use super::{
    Gateway, asking::Came, client::Client, headers::for_upstream, lists::has, request_state,
    session::Session, tools::DIVIDER,
};
use crate::{
    registry::{Known, URI_BYTES_MAX, list_all},
    rpc::{Object, RpcError, codes},
    upstream::Ask,
};
use std::{sync::Arc, time::Duration};
use wardroom_core::{Action, action::Resource, change::Change};

/// Look-ups of one caller within a minute for which every server is asked.
const LOOKUPS_PER_MINUTE: u32 = 120;
/// Things to read that are looked through for an address.
const ITEMS_MAX: usize = 2000;

impl Gateway {
    /// `resources/read`
    pub(super) async fn read_resource(
        self: &Arc<Self>,
        client: &Client,
        params: &Object,
    ) -> Result<Object, RpcError> {
        let uri = uri(params)?;
        let Some(known) = self.server_of(client, &uri).await else {
            return Err(RpcError::invalid_params(format!("there is no resource {uri:?} here"))
                .with(&Object::default().with("uri", uri)));
        };
        self.fetch(client, &known, "resources/read", Action::ResourceRead, params.clone(), &uri)
            .await
    }

    /// `prompts/get`
    pub(super) async fn get_prompt(
        self: &Arc<Self>,
        client: &Client,
        params: &Object,
    ) -> Result<Object, RpcError> {
        let name = params.text("name");
        let name = name.ok_or_else(|| RpcError::invalid_params("`name` must name a prompt"))?;
        let missing = || RpcError::invalid_params(format!("there is no prompt {name:?} here"));
        let (known, own) = self.prompt_of(client, &name).ok_or_else(missing)?;
        let mut params = params.clone();
        params.set("name", &own);
        self.fetch(client, &known, "prompts/get", Action::PromptRead, params, &own).await
    }

    /// Asks for something that is read, and records that it was.
    async fn fetch(
        self: &Arc<Self>,
        client: &Client,
        known: &Arc<Known>,
        method: &str,
        action: Action,
        params: Object,
        what: &str,
    ) -> Result<Object, RpcError> {
        let digest = request_state::digest(client, method, &params);
        let state = self.open_state(client, &params, digest)?;
        let server = Resource::tool_server(known.name());
        let audit = client.caller.authorise(action, &server).await?;
        // What somebody reads may tell who they are.
        let audit = audit.on(known.name()).personal(client.caller.user(), "what", what);
        self.registry.record(Change::recorded(audit)).await.map_err(|error| {
            tracing::error!(%error, "a reading could not be recorded, so it was not made");
            RpcError::new(codes::UNAVAILABLE, "it could not be recorded, so it was not done")
        })?;
        let ask = Ask {
            method: method.to_owned(),
            params: for_upstream(&params),
            capabilities: client.speaks.known_capabilities(),
            asked_back: true,
            log_level: client.speaks.log_level(),
            person: Some(client.caller.user()),
            party: Some(client.caller.party()),
            session: client.speaks.session(),
            idempotent: true,
            time: Duration::from_millis(known.upstream.server.limits.call_ms_max.into()),
            ..Ask::default()
        };
        match self.ask(client, known, ask, digest, state, None).await {
            Ok(Came::Answer(result) | Came::Again(result)) => Ok(result),
            Err(failure) => Err(self.client_words(client, RpcError::from(failure))),
        }
    }

    /// An error in the client's revision: what is not there was told by another code once.
    fn client_words(&self, client: &Client, mut error: RpcError) -> RpcError {
        let modern = matches!(client.speaks, super::client::Speaks::Modern(_));
        if modern && error.code == codes::RESOURCE_NOT_FOUND {
            error.code = codes::INVALID_PARAMS;
        }
        error
    }

    /// `completion/complete`
    pub(super) async fn complete(
        &self,
        client: &Client,
        params: &Object,
    ) -> Result<Object, RpcError> {
        let mut about =
            params.object("ref").ok_or_else(|| RpcError::invalid_params("`ref` is missing"))?;
        let missing = || RpcError::invalid_params("`ref` names nothing that is here");
        let mut params = params.clone();
        let known = match about.text("type").as_deref() {
            Some("ref/prompt") => {
                let name = about.text("name").ok_or_else(missing)?;
                let (known, own) = self.prompt_of(client, &name).ok_or_else(missing)?;
                about.set("name", own);
                params.set("ref", about);
                known
            }
            Some("ref/resource") => {
                let uri = about.text("uri").ok_or_else(missing)?;
                self.server_of(client, &uri).await.ok_or_else(missing)?
            }
            _ => return Err(missing()),
        };
        let ask = Ask {
            method: "completion/complete".to_owned(),
            params: for_upstream(&params),
            capabilities: client.speaks.known_capabilities(),
            person: Some(client.caller.user()),
            party: Some(client.caller.party()),
            session: client.speaks.session(),
            idempotent: true,
            time: Duration::from_millis(known.upstream.server.limits.call_ms_max.into()),
            ..Ask::default()
        };
        self.ask_quietly(client, &known, &ask).await.map_err(RpcError::from)
    }

    /// `resources/subscribe`
    pub(super) async fn subscribe(
        &self,
        client: &Client,
        session: &Arc<Session>,
        params: &Object,
    ) -> Result<Object, RpcError> {
        let uri = uri(params)?;
        let missing = || RpcError::invalid_params(format!("there is no resource {uri:?} here"));
        let known = self.server_of(client, &uri).await.ok_or_else(missing)?;
        if known.upstream.server.shown.is_each_callers() {
            let why = "what is in people's own accounts is not watched: read it when you need it";
            return Err(RpcError::refused(why));
        }
        let wanted = self.registry.want(known.name(), &uri);
        if !session.subscribe(wanted) {
            return Err(RpcError::refused("the session is told of as many changes as it may be"));
        }
        Ok(Object::default())
    }

    /// `resources/unsubscribe`
    pub(super) fn unsubscribe(
        &self,
        client: &Client,
        session: &Arc<Session>,
        params: &Object,
    ) -> Result<Object, RpcError> {
        let uri = uri(params)?;
        for known in self.servers_of(client) {
            session.unsubscribe(known.name(), &uri);
        }
        Ok(Object::default())
    }

    /// The server that gives this to read, of those that are open to the client.
    pub(super) async fn server_of(&self, client: &Client, uri: &str) -> Option<Arc<Known>> {
        let open = |known: &Arc<Known>| {
            client.caller.may(Action::ResourceRead, &Resource::tool_server(known.name()))
        };
        if let Some(name) = &client.scope {
            return self.registry.server(name).filter(open);
        }
        let servers: Vec<Arc<Known>> = self
            .registry
            .servers()
            .into_iter()
            .filter(|known| open(known) && has(known, "resources"))
            .collect();
        if let [only] = servers.as_slice() {
            return Some(Arc::clone(only));
        }
        // Each of these asks every server for all that it lists.
        if !self.admit_call(client.caller.party(), "look-up", LOOKUPS_PER_MINUTE) {
            return None;
        }
        let person = Some(client.caller.user());
        let looks = servers.iter().map(|known| async move {
            let listed = list_all(known, person, "resources/list", "resources", ITEMS_MAX).await;
            let own = |item: &Object| item.text("uri").as_deref() == Some(uri);
            if listed.unwrap_or_default().iter().any(own) {
                return true;
            }
            let method = "resources/templates/list";
            let templates = list_all(known, person, method, "resourceTemplates", ITEMS_MAX).await;
            templates.unwrap_or_default().iter().any(|template| {
                template.text("uriTemplate").is_some_and(|template| could_be(&template, uri))
            })
        });
        let found = futures_util::future::join_all(looks).await;
        let mut fitting = servers.iter().zip(found).filter(|(_, found)| *found);
        let first = fitting.next()?.0;
        // Two servers that give the same to read can be told apart only by their own addresses.
        fitting.next().is_none().then(|| Arc::clone(first))
    }

    fn prompt_of(&self, client: &Client, name: &str) -> Option<(Arc<Known>, String)> {
        let (server, own) = match &client.scope {
            Some(server) => (server.as_str(), name),
            None => name.split_once(DIVIDER)?,
        };
        let known = self.registry.server(server)?;
        let allowed = client.caller.may(Action::PromptRead, &Resource::tool_server(server));
        allowed.then(|| (known, own.to_owned()))
    }
}

fn uri(params: &Object) -> Result<String, RpcError> {
    let uri = params.text("uri").filter(|uri| !uri.is_empty() && uri.len() <= URI_BYTES_MAX);
    uri.ok_or_else(|| RpcError::invalid_params("`uri` must be an address of 1 to 8192 bytes"))
}

/// Whether an address can be one of a template's (RFC 6570): what stands between its expressions comes in order.
fn could_be(template: &str, uri: &str) -> bool {
    let (first, mut left) =
        template.split_once('{').map_or((template, None), |(a, b)| (a, Some(b)));
    let Some(mut rest) = uri.strip_prefix(first) else { return false };
    if left.is_none() {
        return rest.is_empty();
    }
    while let Some(inner) = left {
        let after = inner.split_once('}').map_or("", |(_, after)| after);
        let (literal, next) = after.split_once('{').map_or((after, None), |(a, b)| (a, Some(b)));
        if next.is_none() {
            return rest.ends_with(literal);
        }
        match rest.split_once(literal) {
            Some((_, behind)) if !literal.is_empty() => rest = behind,
            Some(_) => {}
            None => return false,
        }
        left = next;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::could_be;

    #[test]
    fn addresses_are_held_against_templates() {
        for (template, uri, fits) in [
            ("test://template/{id}/data", "test://template/7/data", true),
            ("test://template/{id}/data", "test://template/7/other", false),
            ("file:///{+path}", "file:///a/b.c", true),
            ("a.b{x}", "aXb1", false),
            ("plain", "plain", true),
            ("plain", "plain2", false),
        ] {
            assert_eq!(could_be(template, uri), fits, "{template} {uri}");
        }
    }
}
