//! Tool servers as they are registered, and the tools of theirs that people accepted.

mod accounts;
mod digest;
mod keep;
mod known;
mod look;
mod mirrored;
mod schema;
mod wanted;
mod warnings;
mod watch;

pub use keep::{KeepError, Wish};
pub use known::KnownTool;
pub use look::Look;
pub(crate) use look::list as list_all;
pub use mirrored::Mirrored;
pub use schema::Shape;
use wanted::AllWanted;
pub use wanted::Wanted;
pub(crate) use watch::URI_BYTES_MAX;

use crate::{
    rpc::Object,
    upstream::{Facts, Upstream, UpstreamParts},
};
use arc_swap::ArcSwap;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::broadcast;
use wardroom_core::{
    Timestamp,
    change::Change,
    store::{Commit, StoreResult},
};

/// Changes that a slow listener may lag behind.
const CHANGES_WAITING_MAX: usize = 1024;

/// What changed at a tool server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// The server's name.
    pub server: String,
    /// What.
    pub what: What,
}

/// What can change at a tool server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// Its tools.
    Tools,
    /// Its prompts.
    Prompts,
    /// What it gives to read.
    Resources,
    /// One thing that it gives to read.
    Resource(String),
}

impl What {
    /// What a notification of a server says; nothing where it is of another kind.
    pub(crate) fn of(method: &str, params: &Object) -> Option<Self> {
        match method {
            "notifications/tools/list_changed" => Some(Self::Tools),
            "notifications/prompts/list_changed" => Some(Self::Prompts),
            "notifications/resources/list_changed" => Some(Self::Resources),
            "notifications/resources/updated" => params.text("uri").map(Self::Resource),
            _ => None,
        }
    }
}

/// What the last look at a server found.
#[derive(Debug, Clone, Default)]
pub struct Health {
    /// When somebody looked.
    pub at: Option<Timestamp>,
    /// What it says of itself, when it last answered.
    pub facts: Option<Facts>,
    /// What was wrong at the last look.
    pub problem: Option<String>,
}

/// A tool server that is registered and enabled.
pub struct Known {
    /// The server.
    pub upstream: Arc<Upstream>,
    tools: ArcSwap<BTreeMap<String, Arc<KnownTool>>>,
    health: Mutex<Health>,
    /// One look at a time.
    looking: tokio::sync::Mutex<()>,
}

impl Known {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.upstream.server.name
    }

    /// Its tools that may be called, by name.
    pub fn tools(&self) -> Arc<BTreeMap<String, Arc<KnownTool>>> {
        self.tools.load_full()
    }

    /// What the last look at it found.
    pub fn health(&self) -> Health {
        self.health.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// All tool servers that are enabled.
pub struct Registry {
    parts: Arc<UpstreamParts>,
    ledger: Arc<dyn Commit>,
    servers: ArcSwap<BTreeMap<String, Arc<Known>>>,
    /// One reading of the store at a time.
    reading: tokio::sync::Mutex<()>,
    changes: broadcast::Sender<Changed>,
    wanted: Arc<AllWanted>,
    /// Servers that said that their tools changed.
    doubtful: Mutex<BTreeSet<String>>,
    connecting: accounts::Connecting,
}

impl Registry {
    /// One that knows of no server yet.
    pub fn new(parts: Arc<UpstreamParts>, ledger: Arc<dyn Commit>) -> Self {
        Self {
            parts,
            ledger,
            servers: ArcSwap::default(),
            reading: tokio::sync::Mutex::default(),
            changes: broadcast::channel(CHANGES_WAITING_MAX).0,
            wanted: Arc::default(),
            doubtful: Mutex::default(),
            connecting: accounts::Connecting::default(),
        }
    }

    /// A server by its name.
    pub fn server(&self, name: &str) -> Option<Arc<Known>> {
        self.servers.load().get(name).cloned()
    }

    /// All servers, by name.
    pub fn servers(&self) -> Vec<Arc<Known>> {
        self.servers.load().values().cloned().collect()
    }

    /// Listens to changes from now on.
    pub fn changes(&self) -> broadcast::Receiver<Changed> {
        self.changes.subscribe()
    }

    /// Tells of a change.
    pub fn tell(&self, server: &str, what: What) {
        // Nobody listening is no error.
        let _ = self.changes.send(Changed { server: server.to_owned(), what });
    }

    /// Takes over what the store knows.
    pub async fn reload(&self) -> StoreResult<()> {
        let _one_at_a_time = self.reading.lock().await;
        let before = self.servers.load_full();
        let mut servers = BTreeMap::new();
        for server in self.parts.store.list_tool_servers().await? {
            if !server.enabled {
                continue;
            }
            let known = match before.get(&server.name) {
                Some(known) if known.upstream.server == server => Arc::clone(known),
                _ => Arc::new(Known {
                    upstream: Arc::new(Upstream::new(server.clone(), Arc::clone(&self.parts))),
                    tools: ArcSwap::default(),
                    health: Mutex::default(),
                    looking: tokio::sync::Mutex::default(),
                }),
            };
            self.reload_tools(&known).await?;
            servers.insert(server.name.clone(), known);
        }
        self.servers.store(Arc::new(servers));
        Ok(())
    }

    async fn reload_tools(&self, known: &Known) -> StoreResult<()> {
        let before = known.tools.load_full();
        let mut tools = BTreeMap::new();
        for tool in self.parts.store.list_tools(known.upstream.server.id).await? {
            let same = before.get(&tool.name).filter(|before| {
                let accepted = tool.accepted.as_ref().map(|accepted| &accepted.definition.text);
                accepted.is_some_and(|text| text == before.definition.raw().get())
                    && tool.state() == wardroom_core::tool::toolbox::ToolState::Accepted
            });
            match same {
                Some(same) => drop(tools.insert(tool.name.clone(), Arc::clone(same))),
                None => {
                    if let Some(ready) = KnownTool::of(&tool) {
                        tools.insert(tool.name.clone(), Arc::new(ready));
                    }
                }
            }
        }
        let changed = !tools.keys().eq(before.keys())
            || tools.iter().any(|(name, tool)| {
                !before.get(name).is_some_and(|before| Arc::ptr_eq(before, tool))
            });
        if changed {
            known.tools.store(Arc::new(tools));
            self.tell(known.name(), What::Tools);
        }
        Ok(())
    }

    /// Somebody wants to be told when something to read changes, until they let go of what comes back.
    pub fn want(&self, server: &str, uri: &str) -> Wanted {
        self.wanted.add(server, uri)
    }

    /// Writes a record of something that changed nothing.
    pub(crate) async fn record(&self, change: Change) -> StoreResult<()> {
        self.commit(change).await
    }

    async fn commit(&self, change: Change) -> StoreResult<()> {
        self.ledger.commit(change).await
    }
}
