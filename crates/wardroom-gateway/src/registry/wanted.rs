//! What clients want to be told of when it changes, counted so that a server is asked once for many of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::watch;

/// Addresses by server, and how many want to be told.
type Counts = BTreeMap<(String, String), usize>;

/// All that is wanted.
#[derive(Debug)]
pub(super) struct AllWanted {
    counts: Mutex<Counts>,
    changed: watch::Sender<()>,
}

impl Default for AllWanted {
    fn default() -> Self {
        Self { counts: Mutex::default(), changed: watch::channel(()).0 }
    }
}

impl AllWanted {
    pub(super) fn add(self: &Arc<Self>, server: &str, uri: &str) -> Wanted {
        let key = (server.to_owned(), uri.to_owned());
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(key).or_insert(0);
        *count += 1;
        if *count == 1 {
            self.changed.send_replace(());
        }
        Wanted { all: Arc::clone(self), server: server.to_owned(), uri: uri.to_owned() }
    }

    /// What is wanted of a server.
    pub(super) fn of(&self, server: &str) -> BTreeSet<String> {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.keys().filter(|(own, _)| own == server).map(|(_, uri)| uri.clone()).collect()
    }

    /// Goes off when what is wanted of some server changes.
    pub(super) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }
}

/// Something that somebody wants to be told of, until they let go of this.
#[derive(Debug)]
pub struct Wanted {
    all: Arc<AllWanted>,
    /// Whose it is.
    pub server: String,
    /// Its address.
    pub uri: String,
}

impl Wanted {
    /// Whether it is this.
    pub fn is(&self, server: &str, uri: &str) -> bool {
        self.server == server && self.uri == uri
    }
}

impl Drop for Wanted {
    fn drop(&mut self) {
        let key = (std::mem::take(&mut self.server), std::mem::take(&mut self.uri));
        let mut counts = self.all.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(count) = counts.get_mut(&key) else { return };
        *count = count.saturating_sub(1);
        if *count == 0 {
            counts.remove(&key);
            self.all.changed.send_replace(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_who_want_one_thing_are_one() {
        let all = Arc::<AllWanted>::default();
        let (first, second) = (all.add("a", "x"), all.add("a", "x"));
        let other = all.add("b", "y");
        assert_eq!(all.of("a"), ["x".to_owned()].into());
        drop(first);
        assert_eq!(all.of("a").len(), 1);
        drop(second);
        assert!(all.of("a").is_empty());
        assert!(other.is("b", "y") && all.of("b").len() == 1);
    }
}
