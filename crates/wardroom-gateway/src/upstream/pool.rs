//! The processes of a tool server that a node starts: which one is asked, when another one is started, and after how
//! long one that ended is started again.

use super::{
    Ask, Failure, Upstream,
    host::{Ended, Start},
    pipe::{NOTES_WAITING_MAX, Pipe, Talk, Whose},
};
use crate::rpc::Notification;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{sync::broadcast, time::Instant};
use uuid::Uuid;
use wardroom_core::{
    NodeId,
    tool::hosted::{HostedServer, Instances},
};

/// Requests that one shared process works on before another one is started.
const LOAD_PER_PROCESS: usize = 8;
/// A process that lived so long makes the next wait short again.
const STABLE: Duration = Duration::from_secs(60);
/// The first wait before one that ended is started again, and the longest.
const WAIT: Duration = Duration::from_millis(500);
const WAIT_MAX: Duration = Duration::from_secs(60);
/// How often it is looked anew whose processes are, when a node's list changed just then.
const LOOKS_MAX: u32 = 3;

/// A client's session, where it has one.
#[derive(Debug, Clone)]
pub struct ClientSession {
    /// Its id.
    pub id: String,
    /// Goes off when it ends.
    pub ended: tokio_util::sync::CancellationToken,
}

/// By which processes are told apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    Everybody(usize),
    Session(String),
    /// One caller, with programs of these capabilities; the gateway itself where it is nobody.
    Caller(Option<Uuid>, String),
}

/// A place for a process; one at a time is started for it.
type Slot = Arc<tokio::sync::Mutex<Option<Arc<Pipe>>>>;

/// The processes.
pub(super) struct Pool {
    node: NodeId,
    entry: String,
    /// Whose processes are, and how many there may be, as the node last published it.
    offered: Mutex<Option<(Instances, usize)>>,
    slots: Mutex<HashMap<Key, Slot>>,
    /// All that are alive.
    pipes: Mutex<Vec<(Key, Arc<Pipe>)>>,
    patience: Arc<Mutex<Patience>>,
    notes: broadcast::Sender<Arc<Notification>>,
}

/// How long to wait before the next start.
#[derive(Debug, Default)]
struct Patience {
    deaths: u32,
    until: Option<Instant>,
    why: String,
}

impl Patience {
    /// One ended after so long. That its node went says nothing of it.
    fn died(&mut self, how: &Ended, lived: Duration) {
        if lived >= STABLE || !how.by_itself {
            *self = Self::default();
            return;
        }
        self.why.clone_from(&how.message);
        let wait = WAIT.saturating_mul(1 << self.deaths.min(7)).min(WAIT_MAX);
        self.deaths = self.deaths.saturating_add(1);
        self.until = Some(Instant::now() + wait);
    }

    /// Why no other one is started yet.
    fn check(&self) -> Result<(), Failure> {
        let Some(until) = self.until else { return Ok(()) };
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        Err(Failure::Resting { why: self.why.clone(), left })
    }
}

impl Pool {
    pub(super) fn new(node: NodeId, entry: String) -> Self {
        Self {
            node,
            entry,
            offered: Mutex::default(),
            slots: Mutex::default(),
            pipes: Mutex::default(),
            patience: Arc::default(),
            notes: broadcast::channel(NOTES_WAITING_MAX).0,
        }
    }

    /// What processes say of their own accord, from now on.
    pub(super) fn notes(&self) -> broadcast::Receiver<Arc<Notification>> {
        self.notes.subscribe()
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.pipes().len()
    }

    /// Stops them all, and forgets that any ended.
    pub(super) fn stop_all(&self) {
        self.pipes().iter().for_each(|(_, pipe)| pipe.stop());
        lock(&self.slots).clear();
        *lock(&self.patience) = Patience::default();
        *lock(&self.offered) = None;
    }

    /// All that take a place on the node.
    fn pipes(&self) -> MutexGuard<'_, Vec<(Key, Arc<Pipe>)>> {
        let mut pipes = lock(&self.pipes);
        pipes.retain(|(_, pipe)| !pipe.is_over());
        pipes
    }

    /// A process for what is asked; for the gateway itself where nothing is.
    pub(super) async fn pipe(
        &self,
        upstream: &Upstream,
        ask: Option<&Ask>,
    ) -> Result<Arc<Pipe>, Failure> {
        for _ in 0..LOOKS_MAX {
            let known = *lock(&self.offered);
            let (instances, most) = match known {
                Some(known) => known,
                None => self.look(upstream).await?.1,
            };
            let key = self.key(instances, most, ask);
            let slot = self.slot(&key);
            let mut place = slot.lock().await;
            if let Some(pipe) = place.as_ref().filter(|pipe| !pipe.is_ending()) {
                pipe.touch();
                return Ok(Arc::clone(pipe));
            }
            let (offered, now) = self.look(upstream).await?;
            if now.0 != instances {
                continue;
            }
            self.make_room(now.1).await?;
            lock(&self.patience).check()?;
            let pipe = self.start(upstream, &offered, &key).await?;
            if let Some(session) = ask.and_then(|ask| ask.session.clone())
                && pipe.whose == Whose::OneSession
            {
                pipe.stop_with(session.ended);
            }
            *place = Some(Arc::clone(&pipe));
            return Ok(pipe);
        }
        Err(Failure::Unreachable("its entry on the node changes all the time".to_owned()))
    }

    async fn start(
        &self,
        upstream: &Upstream,
        offered: &HostedServer,
        key: &Key,
    ) -> Result<Arc<Pipe>, Failure> {
        let start = Start {
            server: upstream.server.name.clone(),
            node: self.node,
            entry: self.entry.clone(),
            digest: offered.digest.clone(),
            environment: upstream.environment().await?,
        };
        let process = upstream.parts.hosts.start(start).await.map_err(|how| {
            lock(&self.patience).died(&how, Duration::ZERO);
            Failure::Unreachable(how.message)
        })?;
        let whose = match key {
            Key::Everybody(_) => Whose::Everybody,
            Key::Session(_) => Whose::OneSession,
            Key::Caller(..) => Whose::OneCaller,
        };
        let talk = Talk {
            whose,
            bytes_max: upstream.server.limits.result_bytes_max,
            notes: self.notes.clone(),
        };
        let patience = Arc::clone(&self.patience);
        let pipe = Pipe::begin(process, talk, move |how, lived| {
            lock(&patience).died(how, lived);
        });
        self.pipes().push((key.clone(), Arc::clone(&pipe)));
        Ok(pipe)
    }

    /// What the node offers now.
    async fn look(
        &self,
        upstream: &Upstream,
    ) -> Result<(HostedServer, (Instances, usize)), Failure> {
        let node = upstream.parts.store.lookup_node(self.node).await;
        let node = node.map_err(|error| Failure::Internal(error.to_string()))?;
        let gone = || Failure::Unreachable("its node is not enrolled any more".to_owned());
        let node = node.ok_or_else(gone)?;
        let Some(offered) = node.catalogue.tool_server(&self.entry).cloned() else {
            return Err(Failure::Unreachable(format!(
                "the allow-list of node {} has no tool server {:?}",
                node.name, self.entry
            )));
        };
        let known = (offered.instances, offered.instances_max as usize);
        *lock(&self.offered) = Some(known);
        Ok((offered, known))
    }

    fn key(&self, instances: Instances, most: usize, ask: Option<&Ask>) -> Key {
        if instances == Instances::PerSession {
            let session = ask.and_then(|ask| ask.session.as_ref());
            return match (session, ask) {
                (Some(session), _) => Key::Session(session.id.clone()),
                (None, Some(ask)) => {
                    Key::Caller(ask.party, ask.capabilities.raw().get().to_owned())
                }
                (None, None) => Key::Caller(None, String::new()),
            };
        }
        let pipes = self.pipes();
        let shared = pipes.iter().filter(|(_, pipe)| !pipe.is_ending());
        let shared = shared.filter_map(|(key, pipe)| match key {
            Key::Everybody(number) => Some((pipe.load(), *number)),
            _ => None,
        });
        let shared: Vec<(usize, usize)> = shared.collect();
        match shared.iter().min() {
            Some((load, number)) if *load < LOAD_PER_PROCESS || shared.len() >= most => {
                Key::Everybody(*number)
            }
            _ => {
                let free = |number: &usize| !shared.iter().any(|(_, taken)| taken == number);
                Key::Everybody((0..most).find(free).unwrap_or_default())
            }
        }
    }

    fn slot(&self, key: &Key) -> Slot {
        let mut slots = lock(&self.slots);
        // Places of processes that are over and that nobody waits for.
        slots.retain(|_, slot| {
            let idle = |pipe: &Option<Arc<Pipe>>| pipe.as_ref().is_none_or(|pipe| pipe.is_ending());
            Arc::strong_count(slot) > 1 || slot.try_lock().is_ok_and(|pipe| !idle(&pipe))
        });
        Arc::clone(slots.entry(key.clone()).or_default())
    }

    /// Room for one more: the process that was not used for longest goes, unless all are at work.
    async fn make_room(&self, most: usize) -> Result<(), Failure> {
        let going = {
            let pipes = self.pipes();
            if pipes.len() < most {
                return Ok(());
            }
            let going = pipes.iter().find(|(_, pipe)| pipe.is_ending()).or_else(|| {
                let idle = pipes.iter().filter(|(_, pipe)| pipe.load() == 0);
                idle.min_by_key(|(_, pipe)| pipe.used())
            });
            going.map(|(_, pipe)| Arc::clone(pipe))
        };
        let Some(going) = going else {
            return Err(Failure::Busy(u32::try_from(most).unwrap_or(u32::MAX)));
        };
        going.stop();
        going.over().await;
        Ok(())
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.stop_all();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
