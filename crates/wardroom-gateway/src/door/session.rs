//! Sessions with clients of revisions until 2025-11-25.

use super::{
    client::{Caller, Client, Opening, Outlet},
    request_state::GOOD_FOR,
};
use crate::{
    era,
    registry::Wanted,
    rpc::{self, Id, Object, Response, RpcError, codes},
};
use data_encoding::HEXLOWER;
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use wardroom_core::{Rng, Timestamp, UserId};

/// Sessions that are open, all together and of one party.
const SESSIONS_MAX: usize = 20_000;
const SESSIONS_PER_PARTY_MAX: usize = 256;
/// How long a session that nobody uses stays open.
const IDLE_MAX: Duration = Duration::from_secs(30 * 60);
/// Requests of one session that are worked on at the same time, and questions to its client.
const RUNNING_MAX: usize = 256;
const QUESTIONS_MAX: usize = 64;
/// Digits of a session's id that are told: enough to tell it from others, and no way into it.
const DIGITS_TOLD: usize = 8;
/// What a client may say of itself, in bytes.
const WORDS_BYTES_MAX: usize = 16 * 1024;
/// Things to read of which one session is told when they change.
const SUBSCRIPTIONS_MAX: usize = 256;

/// A session with a client.
#[derive(Debug)]
pub struct Session {
    /// By which the client names it. SECURITY: it proves nothing; whoever names it must be who opened it.
    pub id: String,
    /// The revision that both agreed on.
    pub version: &'static str,
    /// What the client can do.
    pub capabilities: Object,
    /// What it says of itself.
    pub info: Object,
    /// Whose it is.
    pub user: UserId,
    party: Uuid,
    scope: Option<String>,
    /// Whether it is that of a connection, which is told by itself.
    of_channel: bool,
    opened_at: Timestamp,
    used_at: AtomicI64,
    level: Mutex<Option<String>>,
    ids: AtomicI64,
    questions: Mutex<HashMap<Id, oneshot::Sender<Result<Object, RpcError>>>>,
    running: Mutex<HashMap<Id, CancellationToken>>,
    stream: Mutex<Option<Stream>>,
    subscriptions: Mutex<Vec<Wanted>>,
    /// Goes off when the session ends.
    pub ended: CancellationToken,
}

/// Where a client is told what belongs to no request, and who listens there.
#[derive(Clone)]
pub(super) struct Stream {
    pub(super) outlet: Outlet,
    pub(super) caller: Arc<dyn Caller>,
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stream").finish_non_exhaustive()
    }
}

/// What is told of a session.
#[derive(Debug, Clone)]
pub struct SessionInfo {
    /// Its first digits: enough to tell it from others.
    pub id: String,
    /// Whose it is.
    pub user: UserId,
    /// What its client says of itself.
    pub client: String,
    /// The revision.
    pub version: &'static str,
    /// The tool server that it is about, where it is one.
    pub server: Option<String>,
    /// Requests that are worked on.
    pub running: usize,
    /// When it was opened, and last used.
    pub opened_at: Timestamp,
    /// When it was last used.
    pub used_at: Timestamp,
}

/// A request of a session while it is worked on.
#[derive(Debug)]
pub struct Running {
    session: Arc<Session>,
    id: Id,
    /// Goes off when the client does not want it any more.
    pub cancel: CancellationToken,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.session.running.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
        self.cancel.cancel();
    }
}

impl Session {
    /// Whether it is the session of this party, for this tool server.
    fn is_of(&self, party: Uuid, scope: Option<&str>) -> bool {
        self.party == party && self.scope.as_deref() == scope
    }

    /// From which level on the client wants log messages; all of them unless it said.
    pub(super) fn level(&self) -> Option<String> {
        let level = self.level.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Some(level.unwrap_or_else(|| "debug".to_owned()))
    }

    /// `logging/setLevel`
    pub(super) fn set_level(&self, params: &Object) -> Result<Object, RpcError> {
        let level = params.text("level").filter(|level| era::is_level(level));
        let level = level.ok_or_else(|| RpcError::invalid_params("`level` must name a level"))?;
        *self.level.lock().unwrap_or_else(PoisonError::into_inner) = Some(level);
        Ok(Object::default())
    }

    /// Begins a request: its id must not be that of another one.
    pub fn begin(self: &Arc<Self>, id: &Id, now: Timestamp) -> Result<Running, RpcError> {
        self.used_at.store(now.as_micros(), Ordering::Relaxed);
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if running.len() >= RUNNING_MAX {
            let why = format!("{RUNNING_MAX} requests of the session are worked on already");
            return Err(RpcError::new(codes::UNAVAILABLE, why));
        }
        if running.contains_key(id) {
            let why = "another request that is worked on has this id";
            return Err(RpcError::invalid_request(why));
        }
        let cancel = self.ended.child_token();
        running.insert(id.clone(), cancel.clone());
        Ok(Running { session: Arc::clone(self), id: id.clone(), cancel })
    }

    /// The client does not want a request any more.
    pub fn cancel(&self, params: &Object) {
        let Some(id) = params.get::<Id>("requestId") else { return };
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(cancel) = running.get(&id) {
            cancel.cancel();
        }
    }

    /// An answer of the client's to a question.
    pub fn answered(&self, response: Response) {
        let mut questions = self.questions.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(waiting) = questions.remove(&response.id) {
            // Nobody waiting any more is no error.
            let _ = waiting.send(response.outcome);
        }
    }

    /// Asks the client something on `outlet`.
    pub(super) async fn ask(
        &self,
        outlet: &Outlet,
        method: &str,
        params: &Object,
    ) -> Result<Object, RpcError> {
        let gone = || RpcError::new(codes::UNAVAILABLE, "the client is not there to be asked");
        let id = Id::Number(self.ids.fetch_add(1, Ordering::Relaxed));
        let (sender, receiver) = oneshot::channel();
        {
            let mut questions = self.questions.lock().unwrap_or_else(PoisonError::into_inner);
            questions.retain(|_, waiting| !waiting.is_closed());
            if questions.len() >= QUESTIONS_MAX {
                return Err(gone());
            }
            questions.insert(id.clone(), sender);
        }
        if !outlet.send(rpc::request(&id, method, params)).await {
            return Err(gone());
        }
        tokio::select! {
            () = self.ended.cancelled() => Err(gone()),
            () = tokio::time::sleep(GOOD_FOR) => Err(gone()),
            outcome = receiver => outcome.unwrap_or_else(|_| Err(gone())),
        }
    }

    /// The stream on which the client is told what belongs to no request. A new one takes the place of the old.
    pub fn open_stream(&self, outlet: Outlet, caller: Arc<dyn Caller>) {
        let stream = Stream { outlet, caller };
        *self.stream.lock().unwrap_or_else(PoisonError::into_inner) = Some(stream);
    }

    /// The stream, where somebody listens.
    pub(super) fn stream(&self) -> Option<Stream> {
        let stream = self.stream.lock().unwrap_or_else(PoisonError::into_inner).clone();
        stream.filter(|stream| !stream.outlet.is_closed())
    }

    /// The one tool server that the session is about.
    pub(super) fn scope(&self) -> Option<&str> {
        self.scope.as_deref()
    }

    /// Adds a thing of whose changes the client is told; whether there was room for it.
    pub(super) fn subscribe(&self, wanted: Wanted) -> bool {
        let mut subscriptions = self.subscriptions.lock().unwrap_or_else(PoisonError::into_inner);
        let known = subscriptions.iter().any(|own| own.is(&wanted.server, &wanted.uri));
        if !known && subscriptions.len() >= SUBSCRIPTIONS_MAX {
            return false;
        }
        if !known {
            subscriptions.push(wanted);
        }
        true
    }

    /// Takes it away.
    pub(super) fn unsubscribe(&self, server: &str, uri: &str) {
        let mut subscriptions = self.subscriptions.lock().unwrap_or_else(PoisonError::into_inner);
        subscriptions.retain(|own| !own.is(server, uri));
    }

    /// Whether the client is told when this changes.
    pub(super) fn is_subscribed(&self, server: &str, uri: &str) -> bool {
        let subscriptions = self.subscriptions.lock().unwrap_or_else(PoisonError::into_inner);
        subscriptions.iter().any(|own| own.is(server, uri))
    }
}

/// All sessions.
#[derive(Debug, Default)]
pub struct Sessions(Mutex<HashMap<String, Arc<Session>>>);

impl Sessions {
    /// Opens a session for what a client said of itself.
    pub(super) fn open(
        &self,
        client: &Opening<'_>,
        params: &Object,
        now: Timestamp,
        rng: &dyn Rng,
    ) -> Result<Arc<Session>, RpcError> {
        let asked = params.text("protocolVersion");
        let asked =
            asked.ok_or_else(|| RpcError::invalid_params("`protocolVersion` is missing"))?;
        let words = |name: &str| params.raw_of(name).map_or(0, |raw| raw.get().len());
        if words("capabilities") + words("clientInfo") > WORDS_BYTES_MAX {
            let why = format!("`capabilities` and `clientInfo` may have {WORDS_BYTES_MAX} bytes");
            return Err(RpcError::invalid_params(why));
        }
        let mut random = [0; 24];
        rng.fill(&mut random);
        let session = Arc::new(Session {
            id: HEXLOWER.encode(&random),
            version: era::agreed(&asked),
            capabilities: params.object("capabilities").unwrap_or_default(),
            info: params.object("clientInfo").unwrap_or_default(),
            user: client.caller.user(),
            party: client.caller.party(),
            scope: client.scope.map(ToOwned::to_owned),
            of_channel: client.of_channel,
            opened_at: now,
            used_at: AtomicI64::new(now.as_micros()),
            level: Mutex::default(),
            ids: AtomicI64::new(1),
            questions: Mutex::default(),
            running: Mutex::default(),
            stream: Mutex::default(),
            subscriptions: Mutex::default(),
            ended: CancellationToken::new(),
        });
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let own = sessions.values().filter(|other| other.party == session.party).count();
        if own >= SESSIONS_PER_PARTY_MAX {
            // The one that was longest without use makes room: its client has most likely forgotten it.
            let oldest = sessions
                .values()
                .filter(|other| other.party == session.party)
                .min_by_key(|other| other.used_at.load(Ordering::Relaxed))
                .map(|other| other.id.clone());
            if let Some(ended) = oldest.and_then(|oldest| sessions.remove(&oldest)) {
                ended.ended.cancel();
            }
        }
        if sessions.len() >= SESSIONS_MAX {
            let why = format!("{SESSIONS_MAX} sessions are open: try again later");
            return Err(RpcError::new(codes::UNAVAILABLE, why));
        }
        sessions.insert(session.id.clone(), Arc::clone(&session));
        Ok(session)
    }

    /// The session of this name, if it is the caller's and for this tool server.
    pub fn find(
        &self,
        id: &str,
        party: Uuid,
        scope: Option<&str>,
        now: Timestamp,
    ) -> Option<Arc<Session>> {
        let sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let session = sessions.get(id).filter(|session| session.is_of(party, scope))?;
        session.used_at.store(now.as_micros(), Ordering::Relaxed);
        Some(Arc::clone(session))
    }

    /// The session whose id begins so, if it is only one.
    pub fn named(&self, digits: &str) -> Option<Arc<Session>> {
        let sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found = sessions.values().filter(|own| {
            !own.of_channel && digits.len() >= DIGITS_TOLD && own.id.starts_with(digits)
        });
        let first = found.next()?;
        found.next().is_none().then(|| Arc::clone(first))
    }

    /// Ends a session.
    pub fn end(&self, session: &Session) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&session.id);
        session.ended.cancel();
    }

    /// All that are open.
    pub(super) fn all(&self) -> Vec<Arc<Session>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// What is told of those that are open.
    pub fn infos(&self) -> Vec<SessionInfo> {
        let told = |session: Arc<Session>| SessionInfo {
            id: session.id.chars().take(DIGITS_TOLD).collect(),
            user: session.user,
            client: session.info.text("name").unwrap_or_default(),
            version: session.version,
            server: session.scope.clone(),
            running: session.running.lock().unwrap_or_else(PoisonError::into_inner).len(),
            opened_at: session.opened_at,
            used_at: Timestamp::from_micros(session.used_at.load(Ordering::Relaxed)),
        };
        self.all().into_iter().filter(|session| !session.of_channel).map(told).collect()
    }

    /// Ends those that nobody uses.
    pub(super) fn tidy(&self, now: Timestamp) {
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|_, session| {
            let used_at = Timestamp::from_micros(session.used_at.load(Ordering::Relaxed));
            let stream = session.stream.lock().unwrap_or_else(PoisonError::into_inner);
            let listening = stream.as_ref().is_some_and(|stream| !stream.outlet.is_closed());
            let working =
                !session.running.lock().unwrap_or_else(PoisonError::into_inner).is_empty();
            let keep = listening || working || now.since(used_at) < IDLE_MAX;
            if !keep {
                session.ended.cancel();
            }
            keep
        });
    }
}

impl Client {
    /// Tells the client something that belongs to its request.
    pub(super) async fn tell(&self, method: &str, params: &Object) {
        let _ = self.outlet.send(rpc::notification(method, params)).await;
    }
}
