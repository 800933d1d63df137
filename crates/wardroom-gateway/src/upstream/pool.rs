//! The instances of a tool server that a node starts: which one is asked, when another one is started, and after how
//! long one that ended is started again.

use super::{
    Ask, Failure, Upstream,
    host::{Ended, Start},
    pipe::{NOTES_WAITING_MAX, Pipe, Talk, Whose},
};
use crate::rpc::{Notification, Object};
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{sync::broadcast, time::Instant};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use wardroom_core::{
    NodeId,
    tool::hosted::{HostedServer, Instances},
};

/// Requests that one shared instance works on before another one is started.
const LOAD_PER_INSTANCE: usize = 8;
/// One that lived so long makes the next wait short again.
const STABLE: Duration = Duration::from_secs(60);
/// The first wait before one that ended is started again, how often it doubles, and the longest.
const WAIT: Duration = Duration::from_millis(500);
const DOUBLINGS_MAX: u32 = 7;
const WAIT_MAX: Duration = Duration::from_secs(60);
/// How long an instance must have been idle before it gives its place to somebody else.
const IDLE_MIN: Duration = Duration::from_secs(60);
/// Callers whose instances ended lately that are remembered.
const PATIENCES_MAX: usize = 1024;
/// How often it is looked anew whose instances are, when a node's list changed just then.
const LOOKS_MAX: u32 = 3;

/// A client's session, where it has one.
#[derive(Debug, Clone)]
pub struct ClientSession {
    /// Its id.
    pub id: String,
    /// What its client can do.
    pub capabilities: Object,
    /// Goes off when it ends.
    pub ended: CancellationToken,
}

/// By what instances are told apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    Everybody(usize),
    /// One session of a caller's.
    Session(Option<Uuid>, String),
    /// One caller, with programs of these capabilities; the gateway itself where it is nobody.
    Caller(Option<Uuid>, String),
}

impl Key {
    fn party(&self) -> Option<Uuid> {
        match self {
            Self::Everybody(_) => None,
            Self::Session(party, _) | Self::Caller(party, _) => *party,
        }
    }

    const fn whose(&self) -> Whose {
        match self {
            Self::Everybody(_) => Whose::Everybody,
            Self::Session(..) => Whose::OneSession,
            Self::Caller(..) => Whose::OneCaller,
        }
    }
}

/// A place for an instance; one at a time is started for it.
type Slot = Arc<tokio::sync::Mutex<Option<Arc<Pipe>>>>;

/// The instances.
pub(super) struct Pool {
    node: NodeId,
    entry: String,
    /// Whose instances are, and how many there may be, as the node last published it.
    offered: Mutex<Option<(Instances, usize)>>,
    slots: Mutex<HashMap<Key, Slot>>,
    /// All that take a place on the node.
    pipes: Mutex<Vec<(Key, Arc<Pipe>)>>,
    /// Those that are being started.
    starting: AtomicUsize,
    /// By whose they are: one who makes theirs end costs nobody else anything.
    patience: Arc<Mutex<HashMap<Option<Uuid>, Patience>>>,
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
        if !how.by_itself {
            return;
        }
        if lived >= STABLE {
            *self = Self::default();
            return;
        }
        self.why.clone_from(&how.message);
        let wait = WAIT.saturating_mul(1 << self.deaths.min(DOUBLINGS_MAX)).min(WAIT_MAX);
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

/// A place that is kept for one that is being started.
struct Place<'a>(&'a AtomicUsize);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
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
            starting: AtomicUsize::new(0),
            patience: Arc::default(),
            notes: broadcast::channel(NOTES_WAITING_MAX).0,
        }
    }

    /// What instances say of their own accord, from now on.
    pub(super) fn notes(&self) -> broadcast::Receiver<Arc<Notification>> {
        self.notes.subscribe()
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.pipes().len()
    }

    /// One that is there, whoever's it is.
    pub(super) fn alive(&self) -> Option<Arc<Pipe>> {
        let pipes = self.pipes();
        pipes.iter().find(|(_, pipe)| !pipe.is_ending()).map(|(_, pipe)| Arc::clone(pipe))
    }

    /// Stops them all, and forgets that any ended.
    pub(super) fn stop_all(&self) {
        self.pipes().iter().for_each(|(_, pipe)| pipe.stop());
        lock(&self.slots).clear();
        lock(&self.patience).clear();
        *lock(&self.offered) = None;
    }

    fn pipes(&self) -> MutexGuard<'_, Vec<(Key, Arc<Pipe>)>> {
        let mut pipes = lock(&self.pipes);
        pipes.retain(|(_, pipe)| !pipe.is_over());
        pipes
    }

    /// An instance for what is asked; for the gateway itself where nothing is.
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
                // What the gateway wants to know by itself is no use.
                if ask.is_some_and(|ask| ask.party.is_some()) {
                    pipe.touch();
                }
                return Ok(Arc::clone(pipe));
            }
            let (offered, now) = self.look(upstream).await?;
            if now.0 != instances {
                continue;
            }
            if let Some(patience) = lock(&self.patience).get(&key.party()) {
                patience.check()?;
            }
            let _place = self.place(now, &key).await?;
            let pipe = self.start(upstream, &offered, &key, ask).await?;
            *place = Some(Arc::clone(&pipe));
            return Ok(pipe);
        }
        let why = "its entry on the node was changed again and again just now: try again";
        Err(Failure::Elsewhere(why.to_owned()))
    }

    async fn start(
        &self,
        upstream: &Upstream,
        offered: &HostedServer,
        key: &Key,
        ask: Option<&Ask>,
    ) -> Result<Arc<Pipe>, Failure> {
        let start = Start {
            server: upstream.server.name.clone(),
            node: self.node,
            entry: self.entry.clone(),
            digest: offered.digest.clone(),
            environment: upstream.environment(offered).await?,
        };
        let party = key.party();
        let process = upstream.parts.hosts.start(start).await.map_err(|how| {
            died(&self.patience, party, &how, Duration::ZERO);
            match how.by_itself {
                true => Failure::Unreachable(how.message),
                false => Failure::Elsewhere(how.message),
            }
        })?;
        let session = ask.and_then(|ask| ask.session.as_ref());
        let capabilities = match (key, session) {
            (Key::Session(..), Some(session)) => session.capabilities.clone(),
            (Key::Caller(..), _) => ask.map(|ask| ask.capabilities.clone()).unwrap_or_default(),
            _ => Object::default(),
        };
        let talk = Talk {
            whose: key.whose(),
            capabilities,
            bytes_max: upstream.server.limits.result_bytes_max,
            notes: self.notes.clone(),
        };
        let patience = Arc::clone(&self.patience);
        let ended = move |how: &Ended, lived| died(&patience, party, how, lived);
        let pipe = Pipe::begin(process, talk, ended);
        if let (Key::Session(..), Some(session)) = (key, session) {
            pipe.stop_with(session.ended.clone());
        }
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
        let gone = || Failure::Elsewhere("its node is not enrolled any more".to_owned());
        let node = node.ok_or_else(gone)?;
        let Some(offered) = node.catalogue.tool_server(&self.entry).cloned() else {
            return Err(Failure::Elsewhere(format!(
                "the allow-list of node {} has no [[tool_server]] {:?} any more: write it there",
                node.name, self.entry
            )));
        };
        let known = (offered.instances, offered.instances_max as usize);
        *lock(&self.offered) = Some(known);
        Ok((offered, known))
    }

    fn key(&self, instances: Instances, most: usize, ask: Option<&Ask>) -> Key {
        if instances == Instances::PerSession {
            let party = ask.and_then(|ask| ask.party);
            let session = ask.and_then(|ask| ask.session.as_ref());
            return match (session, ask) {
                (Some(session), _) => Key::Session(party, session.id.clone()),
                (None, Some(ask)) if party.is_some() => {
                    Key::Caller(party, ask.capabilities.raw().get().to_owned())
                }
                _ => Key::Caller(None, String::new()),
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
            Some((load, number)) if *load < LOAD_PER_INSTANCE || shared.len() >= most => {
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
        // Places of instances that are over and that nobody waits for.
        slots.retain(|_, slot| {
            let idle = |pipe: &Option<Arc<Pipe>>| pipe.as_ref().is_none_or(|pipe| pipe.is_ending());
            Arc::strong_count(slot) > 1 || slot.try_lock().is_ok_and(|pipe| !idle(&pipe))
        });
        Arc::clone(slots.entry(key.clone()).or_default())
    }

    /// A place for one more. Where there is none, one of the caller's own that nobody uses goes, or one that nobody
    /// used for a while. With one for each session, one place is the gateway's, and no caller has more than three
    /// quarters of the others.
    async fn place(
        &self,
        (instances, most): (Instances, usize),
        key: &Key,
    ) -> Result<Place<'_>, Failure> {
        let most = match (instances, key) {
            (Instances::Pooled, _) | (_, Key::Caller(None, _)) => most,
            (Instances::PerSession, _) => most.saturating_sub(1).max(1),
        };
        let share = (most * 3 / 4).max(1);
        loop {
            let going = self.take_place(most, share, key)?;
            let Some(going) = going else { return Ok(Place(&self.starting)) };
            going.stop();
            going.over().await;
        }
    }

    /// Takes a place, or gives the instance that has to go first.
    fn take_place(
        &self,
        most: usize,
        share: usize,
        key: &Key,
    ) -> Result<Option<Arc<Pipe>>, Failure> {
        let pipes = self.pipes();
        let own = pipes.iter().filter(|(other, _)| other.party() == key.party());
        let within = key.party().is_none() || own.clone().count() < share;
        if within && pipes.len() + self.starting.load(Ordering::Acquire) < most {
            self.starting.fetch_add(1, Ordering::AcqRel);
            return Ok(None);
        }
        let ending = pipes.iter().find(|(_, pipe)| pipe.is_ending());
        let own = own.filter(|(_, pipe)| pipe.load() == 0 && key.party().is_some());
        let own = own.min_by_key(|(_, pipe)| pipe.used());
        let long = |pipe: &Arc<Pipe>| pipe.load() == 0 && pipe.used().elapsed() > IDLE_MIN;
        let idle = pipes.iter().filter(|(other, pipe)| {
            long(pipe) && within && *other != Key::Caller(None, String::new())
        });
        let idle = idle.min_by_key(|(_, pipe)| pipe.used());
        let going = ending.or(own).or(idle).map(|(_, pipe)| Arc::clone(pipe));
        going.ok_or_else(|| full(most)).map(Some)
    }
}

fn full(most: usize) -> Failure {
    let why = format!("all {most} of its instances are at work (`instances_max` on its node)");
    Failure::Elsewhere(why)
}

fn died(
    all: &Mutex<HashMap<Option<Uuid>, Patience>>,
    party: Option<Uuid>,
    how: &Ended,
    lived: Duration,
) {
    let mut all = lock(all);
    if all.len() >= PATIENCES_MAX {
        all.retain(|_, patience| patience.check().is_err());
    }
    all.entry(party).or_default().died(how, lived);
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.stop_all();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
