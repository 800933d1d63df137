//! Streams on which tool servers say of their own accord that something changed.

use super::{Changed, Known, Registry, What};
use crate::upstream::Event;
use std::{
    collections::HashMap,
    sync::{Arc, Weak},
    time::Duration,
};
use tokio::{sync::mpsc, task::JoinSet};

/// How often it is looked whether all streams that should be open are.
const CHECK_EVERY: Duration = Duration::from_secs(2);
/// How long a stream that ended is left alone, at first and at most.
const PAUSE: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(60);

impl Registry {
    /// Takes note of a change that a server told of, and tells whoever wants to know.
    pub(crate) fn heed(&self, server: &str, what: What) {
        self.tell(server, what);
    }

    /// Keeps streams open to servers that tell of changes, and looks again at those whose tools changed.
    pub(crate) async fn watch(&self) {
        let mut changes = self.changes();
        let mut streams: HashMap<String, (Weak<Known>, tokio::task::AbortHandle)> = HashMap::new();
        let mut open = JoinSet::new();
        let (told, mut hears) = mpsc::channel::<Changed>(256);
        let mut check = tokio::time::interval(CHECK_EVERY);
        loop {
            tokio::select! {
                _ = check.tick() => {
                    streams.retain(|name, (known, stream)| {
                        let current = self.server(name);
                        let same = current.is_some_and(|now| known.ptr_eq(&Arc::downgrade(&now)));
                        if !same {
                            stream.abort();
                        }
                        same && !stream.is_finished()
                    });
                    for known in self.servers() {
                        if streams.contains_key(known.name()) || !tells(&known) {
                            continue;
                        }
                        let stream = follow(Arc::clone(&known), Arc::clone(&self.wanted), told.clone());
                        let handle = open.spawn(stream);
                        streams.insert(known.name().to_owned(), (Arc::downgrade(&known), handle));
                    }
                    while open.try_join_next().is_some() {}
                }
                Some(changed) = hears.recv() => self.tell(&changed.server, changed.what),
                Ok(changed) = changes.recv() => {
                    if changed.what == What::Tools
                        && let Some(known) = self.server(&changed.server)
                        && let Err(failure) = self.look(&known).await
                    {
                        tracing::debug!(server = known.name(), %failure, "a look came to nothing");
                    }
                }
            }
        }
    }
}

/// Whether a server says that it tells of changes.
fn tells(known: &Known) -> bool {
    let Some(facts) = known.health().facts else { return false };
    ["tools", "prompts", "resources"].iter().any(|name| {
        let own = facts.capabilities.object(name).unwrap_or_default();
        own.get::<bool>("listChanged") == Some(true) || own.get::<bool>("subscribe") == Some(true)
    })
}

/// Follows a server's stream, and opens it again when it ends.
async fn follow(known: Arc<Known>, wanted: Arc<super::AllWanted>, told: mpsc::Sender<Changed>) {
    let mut pause = PAUSE;
    loop {
        let (events, mut heard) = mpsc::channel::<Event>(256);
        let passing = async {
            while let Some(event) = heard.recv().await {
                let Event::Note { method, params } = event else { continue };
                let what = match method.as_str() {
                    "notifications/tools/list_changed" => What::Tools,
                    "notifications/prompts/list_changed" => What::Prompts,
                    "notifications/resources/list_changed" => What::Resources,
                    "notifications/resources/updated" => match params.text("uri") {
                        Some(uri) => What::Resource(uri),
                        None => continue,
                    },
                    _ => continue,
                };
                let changed = Changed { server: known.name().to_owned(), what };
                let _ = told.send(changed).await;
            }
        };
        let begun = tokio::time::Instant::now();
        let name = known.name().to_owned();
        let of = || wanted.of(&name);
        let listening = known.upstream.listen(of, wanted.changes(), events);
        let (ended, ()) = tokio::join!(listening, passing);
        if let Err(failure) = ended {
            tracing::debug!(server = known.name(), %failure, "a stream of changes ended");
        }
        pause = if begun.elapsed() > PAUSE_MAX { PAUSE } else { (pause * 2).min(PAUSE_MAX) };
        tokio::time::sleep(pause).await;
    }
}
