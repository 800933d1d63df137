//! Streams on which tool servers say of their own accord that something changed.

use super::{Known, Registry, What};
use crate::upstream::{EVENTS_WAITING_MAX, Event};
use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, Weak},
    time::Duration,
};
use tokio::{
    sync::mpsc,
    task::{AbortHandle, JoinSet},
};

/// The longest address of something to read, in bytes.
pub(crate) const URI_BYTES_MAX: usize = 8 * 1024;
/// How often it is looked whether all streams that should be open are.
const CHECK_EVERY: Duration = Duration::from_secs(2);
/// How long a stream that ended is left alone, at first and at most.
const PAUSE: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(60);

impl Registry {
    /// Takes note of a change that a server told of: whoever wants to know is told, and tools are looked at again soon.
    pub(crate) fn heed(&self, server: &str, what: What) {
        if let What::Resource(uri) = &what
            && uri.len() > URI_BYTES_MAX
        {
            return;
        }
        if what == What::Tools {
            self.doubt(server);
        }
        self.tell(server, what);
    }

    /// Has a server's tools looked at again soon.
    fn doubt(&self, server: &str) {
        let mut doubtful = self.doubtful.lock().unwrap_or_else(PoisonError::into_inner);
        doubtful.insert(server.to_owned());
    }

    /// Keeps streams open to servers that tell of changes, and looks again at those whose tools changed: each by
    /// itself, and no more often than once in [`CHECK_EVERY`].
    pub(crate) async fn watch(self: &Arc<Self>) {
        let mut streams: HashMap<String, (Weak<Known>, AbortHandle)> = HashMap::new();
        let mut looking: HashMap<String, AbortHandle> = HashMap::new();
        let mut open = JoinSet::new();
        let mut check = tokio::time::interval(CHECK_EVERY);
        loop {
            check.tick().await;
            while open.try_join_next().is_some() {}
            streams.retain(|name, (known, stream)| {
                let current = self.server(name);
                let same = current.is_some_and(|now| known.ptr_eq(&Arc::downgrade(&now)));
                if !same {
                    stream.abort();
                }
                same && !stream.is_finished()
            });
            looking.retain(|_, look| !look.is_finished());
            for known in self.servers() {
                let name = known.name().to_owned();
                if !streams.contains_key(&name) && tells(&known) {
                    let handle = open.spawn(follow(Arc::clone(self), Arc::clone(&known)));
                    streams.insert(name.clone(), (Arc::downgrade(&known), handle));
                }
                if !looking.contains_key(&name) && self.is_doubtful(&name) {
                    let registry = Arc::clone(self);
                    let handle = open.spawn(async move {
                        if let Err(failure) = registry.look(&known).await {
                            tracing::debug!(server = known.name(), %failure, "a look came to nothing");
                        }
                    });
                    looking.insert(name, handle);
                }
            }
        }
    }

    /// Whether a server's tools are to be looked at; asked once.
    fn is_doubtful(&self, server: &str) -> bool {
        self.doubtful.lock().unwrap_or_else(PoisonError::into_inner).remove(server)
    }
}

/// Whether a server says that it tells of changes.
fn tells(known: &Known) -> bool {
    // In somebody's name nobody listens for everybody.
    if known.upstream.server.shown.is_each_callers() {
        return false;
    }
    let Some(facts) = known.health().facts else { return false };
    ["tools", "prompts", "resources"].iter().any(|name| {
        let own = facts.capabilities.object(name).unwrap_or_default();
        own.get::<bool>("listChanged") == Some(true) || own.get::<bool>("subscribe") == Some(true)
    })
}

/// Follows a server's stream, and opens it again when it ends.
async fn follow(registry: Arc<Registry>, known: Arc<Known>) {
    let mut pause = PAUSE;
    loop {
        let (events, mut heard) = mpsc::channel::<Event>(EVENTS_WAITING_MAX);
        let passing = async {
            while let Some(event) = heard.recv().await {
                if let Event::Note { method, params } = event
                    && let Some(what) = What::of(&method, &params)
                {
                    registry.heed(known.name(), what);
                }
            }
        };
        let begun = tokio::time::Instant::now();
        let name = known.name().to_owned();
        let of = || registry.wanted.of(&name);
        // What changed before was told to nobody.
        let opened = || registry.doubt(&name);
        let listening = known.upstream.listen(of, registry.wanted.changes(), events, opened);
        let (ended, ()) = tokio::join!(listening, passing);
        if let Err(failure) = ended {
            tracing::debug!(server = known.name(), %failure, "a stream of changes ended");
        }
        pause = if begun.elapsed() > PAUSE_MAX { PAUSE } else { (pause * 2).min(PAUSE_MAX) };
        tokio::time::sleep(pause).await;
    }
}
