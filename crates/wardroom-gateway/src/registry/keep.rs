//! Keeping tool servers: registered, changed, forgotten, and their tools accepted by a person.

use super::{Health, Known, Registry, look::Look};
use crate::upstream::{Failure, Upstream};
use std::sync::{Arc, Mutex};
use wardroom_core::{
    NodeId, ToolServerId, UserId,
    audit::AuditDraft,
    change::{Change, Write},
    field::FieldError,
    hint::Hint,
    store::StoreError,
    tool::server::{SERVERS_MAX, ServerLimits, Shown, ToolServer, Way},
};

/// What people say of a tool server.
#[derive(Debug, Clone)]
pub struct Wish {
    /// Its name.
    pub name: String,
    /// What it is.
    pub about: String,
    /// How it is reached.
    pub way: Way,
    /// What it is shown.
    pub shown: Shown,
    /// Its bounds.
    pub limits: ServerLimits,
}

/// Why it was not done.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// A field is not acceptable.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// There are as many as there may be.
    #[error("there are {SERVERS_MAX} tool servers already: forget one first")]
    Full,
    /// It changed since it was read, or is not there any more.
    #[error("it changed since it was read")]
    Conflict,
    /// The store can't.
    #[error(transparent)]
    Store(StoreError),
}

impl From<StoreError> for KeepError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict(_) => Self::Conflict,
            StoreError::Duplicate(_) => Self::Field(FieldError::new("name", "is taken")),
            error => Self::Store(error),
        }
    }
}

impl Registry {
    /// Registers a tool server. It is enabled; its tools wait until somebody accepts them.
    pub async fn add(
        &self,
        wish: Wish,
        by: UserId,
        audit: AuditDraft,
    ) -> Result<ToolServer, KeepError> {
        let now = self.parts.clock.now();
        let server = ToolServer {
            id: ToolServerId::new(now, &*self.parts.rng),
            name: wish.name.trim().to_owned(),
            about: wish.about.trim().to_owned(),
            way: wish.way,
            shown: wish.shown,
            limits: wish.limits,
            enabled: true,
            version: 1,
            created_by: by,
            created_at: now,
        };
        self.check(&server, None).await?;
        if self.parts.store.list_tool_servers().await?.len() >= SERVERS_MAX {
            return Err(KeepError::Full);
        }
        let change = Change::recorded(told(audit, &server))
            .write(Write::AddToolServer(Box::new(server.clone())))
            .hint(Hint::Tools);
        self.commit(change).await?;
        self.reload().await?;
        Ok(server)
    }

    /// Changes a tool server, in place of the version before.
    pub async fn update(
        &self,
        before: &ToolServer,
        server: ToolServer,
        audit: AuditDraft,
    ) -> Result<(), KeepError> {
        self.check(&server, Some(before)).await?;
        let change = Change::recorded(told(audit, &server).detail("version", server.version))
            .write(Write::UpdateToolServer(Box::new(server)))
            .hint(Hint::Tools);
        self.commit(change).await?;
        Ok(self.reload().await?)
    }

    /// Forgets a tool server with its tools.
    pub async fn remove(&self, server: &ToolServer, audit: AuditDraft) -> Result<(), KeepError> {
        let change = Change::recorded(audit.on(&server.name))
            .write(Write::RemoveToolServer(server.id))
            .hint(Hint::Tools);
        self.commit(change).await?;
        Ok(self.reload().await?)
    }

    /// A person accepts a tool as they have seen it described.
    pub async fn accept(
        &self,
        server: &ToolServer,
        tool: &str,
        digest: [u8; 32],
        by: UserId,
        audit: AuditDraft,
    ) -> Result<(), KeepError> {
        let accepted = Write::AcceptTool {
            server: server.id,
            name: tool.to_owned(),
            digest,
            by,
            at: self.parts.clock.now(),
        };
        let audit = audit
            .on(format!("{}/{tool}", server.name))
            .detail("digest", data_encoding::HEXLOWER.encode(&digest));
        let change = Change::recorded(audit).write(accepted).hint(Hint::Tools);
        self.commit(change).await?;
        Ok(self.reload().await?)
    }

    /// Looks at a server, also where it is disabled.
    pub async fn try_out(&self, server: &ToolServer) -> (Health, Result<Look, Failure>) {
        let known = self.server(&server.name).filter(|known| known.upstream.server == *server);
        let known = known.unwrap_or_else(|| {
            Arc::new(Known {
                upstream: Arc::new(Upstream::new(server.clone(), Arc::clone(&self.parts))),
                tools: Default::default(),
                health: Mutex::default(),
                looking: tokio::sync::Mutex::default(),
            })
        });
        let found = self.look(&known).await;
        (known.health(), found)
    }

    async fn check(
        &self,
        server: &ToolServer,
        before: Option<&ToolServer>,
    ) -> Result<(), KeepError> {
        server.check()?;
        // What is there no more must not keep anybody from disabling it.
        if before.is_some_and(|before| before.way == server.way && before.shown == server.shown) {
            return Ok(());
        }
        match &server.way {
            Way::Http { url, .. } => {
                let checked = self.parts.outbound.check(url);
                checked.map_err(|error| FieldError::new("url", error.to_string()))?;
                if let Some(client) = server.shown.client() {
                    let checked = self.parts.outbound.check(&client.issuer);
                    checked.map_err(|error| FieldError::new("issuer", error.to_string()))?;
                }
            }
            Way::Node { node, entry } => self.check_entry(*node, entry, &server.shown).await?,
        }
        for name in server.shown.secrets() {
            if self.parts.store.lookup_secret(name).await?.is_none() {
                let reason =
                    format!("there is no secret {name:?}: keep it with `wardroom secret create`");
                return Err(FieldError::new("secret", reason).into());
            }
        }
        Ok(())
    }

    /// What a node is to start must stand in its allow-list, and take the secrets that are meant for it.
    async fn check_entry(&self, node: NodeId, entry: &str, shown: &Shown) -> Result<(), KeepError> {
        let found = self.parts.store.lookup_node(node).await?;
        let found = found.ok_or_else(|| FieldError::new("node", "there is no such node"))?;
        let Some(offered) = found.catalogue.tool_server(entry) else {
            let reason = format!(
                "the allow-list of {} has no [[tool_server]] {entry:?}: write it there first; if it is there, `wardroom-node check` says what is wrong with the file",
                found.name
            );
            return Err(FieldError::new("entry", reason).into());
        };
        if let Shown::Environment { secrets } = shown
            && let Some(name) = secrets.keys().find(|name| !offered.secrets.contains(*name))
        {
            let known: Vec<&str> = offered.secrets.iter().map(String::as_str).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            let reason = format!("its entry names {known} in `secrets`, and not {name:?}");
            return Err(FieldError::new("environment", reason).into());
        }
        Ok(())
    }
}

fn told(audit: AuditDraft, server: &ToolServer) -> AuditDraft {
    let audit = audit.on(&server.name).detail("enabled", server.enabled);
    let audit = match &server.way {
        Way::Http { url, egress } if egress.is_empty() => audit.detail("url", url),
        Way::Http { url, egress } => audit.detail("url", url).detail("egress", egress.join(" ")),
        Way::Node { node, entry } => audit.detail("node", node).detail("entry", entry),
    };
    let audit = match server.shown.client() {
        Some(client) => audit.detail("issuer", &client.issuer).detail("client", &client.id),
        None => audit,
    };
    match server.shown.secrets().as_slice() {
        [] => audit,
        secrets => audit.detail("secret", secrets.join(",")),
    }
}
