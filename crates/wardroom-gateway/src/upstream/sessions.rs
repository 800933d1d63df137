//! The sessions that are open with one tool server: each opened once, whoever waits for it, and the least used ones let go
//! of when there are too many.

use super::{Failure, legacy::Session};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::OnceCell;

/// Sessions with one server, and those of one caller among them.
const SESSIONS_MAX: usize = 128;
const OWN_MAX: usize = 8;

/// Which session.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct SessionKey {
    /// The account that is shown, where each caller has their own.
    pub(super) account: String,
    /// Whose it is; nobody's where it is for all.
    pub(super) caller: String,
    /// What its client can do.
    pub(super) capabilities: String,
}

/// A session that is opened, or being opened.
struct Slot {
    session: Arc<OnceCell<Arc<Session>>>,
    /// At which look-up it was last used.
    used: u64,
}

/// The sessions.
#[derive(Default)]
pub(super) struct Sessions(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    slots: HashMap<SessionKey, Slot>,
    /// Counts look-ups.
    turn: u64,
}

impl Sessions {
    fn locked(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The session of this key, opened by `open` where it is not yet; and those that made way for it.
    pub(super) async fn get<F>(
        &self,
        key: SessionKey,
        open: impl FnOnce() -> F,
    ) -> (Result<Arc<Session>, Failure>, Vec<Arc<Session>>)
    where
        F: Future<Output = Result<Arc<Session>, Failure>>,
    {
        let (slot, gone) = self.slot(key);
        (slot.get_or_try_init(open).await.cloned(), gone)
    }

    fn slot(&self, key: SessionKey) -> (Arc<OnceCell<Arc<Session>>>, Vec<Arc<Session>>) {
        let mut kept = self.locked();
        kept.turn += 1;
        let used = kept.turn;
        let all = &mut kept.slots;
        if let Some(slot) = all.get_mut(&key) {
            slot.used = used;
            return (Arc::clone(&slot.session), vec![]);
        }
        let mut gone = vec![];
        let own =
            |other: &SessionKey| (&other.account, &other.caller) == (&key.account, &key.caller);
        if all.keys().filter(|other| own(other)).count() >= OWN_MAX {
            gone.extend(oldest(all, own));
        }
        if all.len() >= SESSIONS_MAX {
            gone.extend(oldest(all, |_| true));
        }
        let session = Arc::<OnceCell<Arc<Session>>>::default();
        all.insert(key, Slot { session: Arc::clone(&session), used });
        (session, gone)
    }

    /// Forgets one that its server does not know any more.
    pub(super) fn forget(&self, lost: &Arc<Session>) {
        let is = |slot: &Slot| slot.session.get().is_some_and(|session| Arc::ptr_eq(session, lost));
        self.locked().slots.retain(|_, slot| !is(slot));
    }

    /// Forgets all of them.
    pub(super) fn take(&self) -> Vec<Arc<Session>> {
        let all = std::mem::take(&mut self.locked().slots);
        all.into_values().filter_map(|slot| slot.session.get().cloned()).collect()
    }
}

/// Takes out the one that was not used for the longest, of those that `which` takes in.
fn oldest(
    all: &mut HashMap<SessionKey, Slot>,
    which: impl Fn(&SessionKey) -> bool,
) -> Option<Arc<Session>> {
    let found = all.iter().filter(|(key, _)| which(key)).min_by_key(|(_, slot)| slot.used);
    let key = found.map(|(key, _)| key.clone())?;
    all.remove(&key)?.session.get().cloned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn key(caller: usize, capabilities: usize) -> SessionKey {
        SessionKey {
            account: String::new(),
            caller: caller.to_string(),
            capabilities: capabilities.to_string(),
        }
    }

    #[test]
    fn one_caller_takes_nobody_elses_place() {
        let sessions = Sessions::default();
        let there = |key: &SessionKey| sessions.locked().slots.contains_key(key);
        for caller in 0..SESSIONS_MAX - OWN_MAX {
            sessions.slot(key(caller, 0));
        }
        for capabilities in 0..100 {
            sessions.slot(key(1000, capabilities));
        }
        assert!((0..SESSIONS_MAX - OWN_MAX).all(|caller| there(&key(caller, 0))));
        assert_eq!(sessions.locked().slots.len(), SESSIONS_MAX);
        assert!(there(&key(1000, 99)) && !there(&key(1000, 0)));
        // One more caller: whoever came first and did not come again makes way.
        sessions.slot(key(0, 0));
        sessions.slot(key(2000, 0));
        assert!(there(&key(0, 0)) && !there(&key(1, 0)));
    }

    #[tokio::test]
    async fn one_that_could_not_be_opened_is_tried_again() {
        let sessions = Sessions::default();
        for _ in 0..2 {
            let open = async || Err(Failure::Cancelled);
            assert!(sessions.get(key(1, 1), open).await.0.is_err());
        }
        assert_eq!(sessions.take().len(), 0);
    }
}
