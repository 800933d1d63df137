//! One tool server: its dialect, its sessions, its health, and the bounds within which it is asked.

use super::{
    Ask, Failure, Listening,
    bounds::{Share, Waiting, Watched},
    endpoint::Endpoint,
    greeting::GREETING_TIME,
    host::Hosts,
    http::HttpEndpoint,
    legacy::Session,
    modern,
    oauth::Authorization,
    pool::Pool,
    sessions::{SessionKey, Sessions},
    spans,
};
use crate::{
    era::{Era, MODERN, meta},
    outbound::{Breaker, BreakerRules, BreakerState, Egress, Outbound},
    rpc::{Id, Object},
    trace::Tracer,
};
use reqwest::header::HeaderMap;
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, AtomicU32, Ordering},
    },
    time::Duration,
};
use tokio::sync::Semaphore;
use uuid::Uuid;
use wardroom_core::{
    Clock, Rng,
    store::{Commit, Store},
    tool::server::{ToolServer, Way},
};
use wardroom_trust::{seal::Sealer, vault::Vault};

/// How often an idempotent request is tried, and the first pause between.
const TRIES_MAX: u32 = 3;
const RETRY_AFTER: Duration = Duration::from_millis(100);
/// How long whoever asked is waited for, all together.
const QUESTIONS_TIME_MAX: Duration = Duration::from_secs(600);

/// What all tool servers share.
pub struct UpstreamParts {
    /// Asks them.
    pub outbound: Outbound,
    /// Where secrets and accounts are kept.
    pub store: Arc<dyn Store>,
    /// Opens secrets, and seals what goes to an authorization server and back.
    pub sealer: Arc<Sealer>,
    /// Keeps accounts.
    pub ledger: Arc<dyn Commit>,
    /// Seals what is people's own.
    pub vault: Arc<Vault>,
    /// Where people reach the dashboard.
    pub public_url: String,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub rng: Arc<dyn Rng>,
    /// When a server is left alone.
    pub breaker: BreakerRules,
    /// Starts those that are started.
    pub hosts: Arc<dyn Hosts>,
    /// Tells what requests took.
    pub tracer: Option<Arc<Tracer>>,
}

/// What a server says of itself.
#[derive(Debug, Clone)]
pub struct Facts {
    /// Whether its requests stand alone.
    pub era: Era,
    /// The revision.
    pub version: &'static str,
    /// What it can do.
    pub capabilities: Object,
    /// Its name and version, in its own words.
    pub info: Object,
    /// How it is to be used, in its own words.
    pub instructions: Option<String>,
}

/// A tool server that can be asked.
pub struct Upstream {
    /// As it is registered.
    pub server: ToolServer,
    pub(super) parts: Arc<UpstreamParts>,
    breaker: Breaker,
    room: Semaphore,
    waiting: AtomicU32,
    /// Requests of each party that are worked on or wait.
    shares: Mutex<HashMap<Uuid, u32>>,
    answers: Arc<Semaphore>,
    ids: AtomicI64,
    pub(super) era: Mutex<Option<Era>>,
    sessions: Sessions,
    pub(super) reach: Reach,
    /// Asks what may be asked for it.
    pub(super) outbound: Arc<Outbound>,
    pub(super) authorization: Authorization,
}

/// How it is reached.
pub(super) enum Reach {
    /// At this address.
    Http(String),
    /// By instances that a node starts.
    Node(Pool),
}

/// What asks for a tool server: its own host and that of the authorization server that people told, and where else they
/// let it lead.
fn egress(server: &ToolServer, outbound: &Outbound) -> Outbound {
    let Way::Http { url, egress } = &server.way else { return outbound.clone() };
    let told = server.shown.client().map(|client| client.issuer.as_str());
    let own = [Some(url.as_str()), told].into_iter().flatten();
    outbound.narrowed(Egress::new(own, egress))
}

impl Upstream {
    /// One that was not asked yet.
    pub fn new(server: ToolServer, parts: Arc<UpstreamParts>) -> Self {
        Self {
            breaker: Breaker::new(parts.breaker),
            room: Semaphore::new(server.limits.concurrent_max as usize),
            waiting: AtomicU32::new(0),
            shares: Mutex::default(),
            answers: Arc::new(Semaphore::new(super::http::ANSWERS_MAX)),
            ids: AtomicI64::new(1),
            era: Mutex::default(),
            sessions: Sessions::default(),
            authorization: Authorization::default(),
            outbound: Arc::new(egress(&server, &parts.outbound)),
            reach: match &server.way {
                Way::Http { url, .. } => Reach::Http(url.clone()),
                Way::Node { node, entry } => Reach::Node(Pool::new(*node, entry.clone())),
            },
            server,
            parts,
        }
    }

    /// Where its breaker stands.
    pub fn breaker(&self) -> BreakerState {
        self.breaker.state(self.parts.clock.now())
    }

    /// Its instances that this orchestrator talks to, where a node starts them.
    pub fn instances(&self) -> Option<usize> {
        match &self.reach {
            Reach::Http(_) => None,
            Reach::Node(pool) => Some(pool.count()),
        }
    }

    /// Whether a node would have to start it only to look at it.
    pub fn is_asleep(&self) -> bool {
        self.instances() == Some(0)
    }

    /// Forgets what is known of it: its dialect, its sessions, its processes, its failures.
    pub async fn restart(&self) {
        self.suppose(None);
        let sessions = self.sessions.take();
        self.breaker.reset();
        if let Reach::Node(pool) = &self.reach {
            return pool.stop_all();
        }
        let Ok(Endpoint::Http(http)) = self.endpoint(None).await else { return };
        for session in sessions {
            http.end(session.headers()).await;
        }
    }

    /// Asks it something. What it says before it answers goes to `listening`. The time that is spent waiting for
    /// whoever asked is not the server's.
    pub async fn ask(&self, ask: &Ask, listening: &Listening) -> Result<Object, Failure> {
        let work = self.within_bounds(ask, listening);
        tokio::pin!(work);
        let pace = &listening.pace;
        let (mut left, mut patience) = (ask.time, QUESTIONS_TIME_MAX);
        loop {
            let (paused, begun) = (pace.is_paused(), tokio::time::Instant::now());
            let clock = if paused { &mut patience } else { &mut left };
            tokio::select! {
                outcome = &mut work => return outcome,
                () = tokio::time::sleep(*clock) => return Err(Failure::TimedOut(ask.time)),
                () = pace.changed.notified() => *clock = clock.saturating_sub(begun.elapsed()),
            }
        }
    }

    async fn within_bounds(&self, ask: &Ask, listening: &Listening) -> Result<Object, Failure> {
        let _share = self.share(ask.party)?;
        let _place = self.place(listening).await?;
        let mut tries = 1;
        loop {
            let now = self.parts.clock.now();
            let admitted = self.breaker.admit(now).map_err(Failure::Open)?;
            let asking = self.ask_once(ask, listening);
            // Whoever is cut off by its time leaves the breaker to say so.
            let outcome = Watched {
                admitted: Some(admitted),
                clock: &*self.parts.clock,
                pace: Arc::clone(&listening.pace),
            };
            let answer = asking.await;
            outcome.tell(&answer);
            match answer {
                Err(Failure::Unreachable(_)) if ask.idempotent && tries < TRIES_MAX => {
                    let mut random = [0_u8];
                    self.parts.rng.fill(&mut random);
                    let part = u32::from(random[0]) + 128;
                    tokio::time::sleep(RETRY_AFTER * tries * part / 256).await;
                    tries += 1;
                }
                other => return other,
            }
        }
    }

    /// A party's place among all that it asks of the server: no one takes more than three quarters of the places.
    fn share(&self, party: Option<Uuid>) -> Result<Option<Share<'_>>, Failure> {
        let Some(party) = party else { return Ok(None) };
        let most = (self.server.limits.concurrent_max / 4 * 3).max(1);
        let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        let own = shares.entry(party).or_insert(0);
        if *own >= most {
            return Err(Failure::Busy(*own));
        }
        *own += 1;
        Ok(Some(Share { shares: &self.shares, party }))
    }

    /// A place among the requests that it works on, when there is one.
    async fn place(
        &self,
        listening: &Listening,
    ) -> Result<tokio::sync::SemaphorePermit<'_>, Failure> {
        if let Ok(place) = self.room.try_acquire() {
            return Ok(place);
        }
        let most = self.server.limits.waiting_max;
        let _waiting = Waiting::new(&self.waiting, most).ok_or(Failure::Busy(most))?;
        tokio::select! {
            () = listening.cancel.cancelled() => Err(Failure::Cancelled),
            place = self.room.acquire() => {
                place.map_err(|_| Failure::Internal("the tool server's places are gone".to_owned()))
            }
        }
    }

    async fn ask_once(&self, ask: &Ask, listening: &Listening) -> Result<Object, Failure> {
        let endpoint = self.endpoint(Some(ask)).await?;
        let outcome = match self.ask_at(&endpoint, ask, listening).await {
            // Nothing was done: with another token it may be.
            Err(Failure::Denied(denial)) if self.shows_another(&endpoint, ask, &denial).await? => {
                let endpoint = self.endpoint(Some(ask)).await?;
                self.ask_at(&endpoint, ask, listening).await
            }
            outcome => outcome,
        };
        outcome.map_err(|failure| self.of_whom(failure))
    }

    async fn ask_at(
        &self,
        endpoint: &Endpoint,
        ask: &Ask,
        listening: &Listening,
    ) -> Result<Object, Failure> {
        let id = self.id();
        let era = self.era(endpoint, listening).await?;
        let Some((ask, span)) = self.trace(endpoint, era, &id, ask) else {
            return self.ask_in(era, endpoint, &id, ask, listening).await;
        };
        let outcome = self.ask_in(era, endpoint, &id, &ask, listening).await;
        spans::end(span, &outcome);
        outcome
    }

    async fn ask_in(
        &self,
        era: Era,
        endpoint: &Endpoint,
        id: &Id,
        ask: &Ask,
        listening: &Listening,
    ) -> Result<Object, Failure> {
        match era {
            Era::Modern => tokio::select! {
                // The stream that is let go of tells the server.
                () = listening.cancel.cancelled() => Err(Failure::Cancelled),
                outcome = modern::ask(endpoint, id, ask, listening) => self.doubt(outcome),
            },
            Era::Legacy => self.ask_in_session(endpoint, id, ask, listening).await,
        }
    }

    async fn ask_in_session(
        &self,
        endpoint: &Endpoint,
        id: &Id,
        ask: &Ask,
        listening: &Listening,
    ) -> Result<Object, Failure> {
        let mut again = false;
        loop {
            let session =
                self.session(endpoint, (caller_of(ask), &ask.capabilities), listening).await?;
            let outcome = tokio::select! {
                () = listening.cancel.cancelled() => {
                    endpoint.cancel(id, session.headers()).await;
                    return Err(Failure::Cancelled);
                }
                outcome = session.ask(endpoint, id, ask, listening) => outcome,
            };
            match outcome {
                // It knows nothing of the session, so it did nothing.
                Err(Failure::SessionLost) if !again => {
                    again = true;
                    self.drop_session(&session);
                }
                other => return other,
            }
        }
    }

    /// The session of a caller, or of all, with these capabilities.
    pub(super) async fn session(
        &self,
        endpoint: &Endpoint,
        (caller, capabilities): (String, &Object),
        listening: &Listening,
    ) -> Result<Arc<Session>, Failure> {
        let http = match endpoint {
            Endpoint::Http(http) => http,
            Endpoint::Pipe(pipe) => {
                let quiet = Listening::quiet();
                let opening = || self.open_session(endpoint, &pipe.capabilities, &quiet);
                let opened = pipe.session.get_or_try_init(opening).await.cloned();
                if opened.is_err() {
                    self.suppose(None);
                }
                return opened;
            }
        };
        // In what is for all, nobody can be asked anything.
        let nothing = Object::default();
        let capabilities = if caller.is_empty() { &nothing } else { capabilities };
        let key = SessionKey {
            account: http.whose.clone(),
            caller,
            capabilities: serde_json::to_string(capabilities).unwrap_or_default(),
        };
        let opening = || self.open_session(endpoint, capabilities, listening);
        let (session, gone) = self.sessions.get(key, opening).await;
        // Where each account has its own, this is not the one to end others' with.
        for session in gone.into_iter().filter(|_| !self.server.shown.is_each_callers()) {
            let http = http.clone();
            tokio::spawn(async move { http.end(session.headers()).await });
        }
        session
    }

    async fn open_session(
        &self,
        endpoint: &Endpoint,
        capabilities: &Object,
        listening: &Listening,
    ) -> Result<Arc<Session>, Failure> {
        let id = self.id();
        let opening = Session::open(endpoint, &id, capabilities, listening);
        let session = tokio::time::timeout(GREETING_TIME, opening).await;
        session.unwrap_or(Err(Failure::TimedOut(GREETING_TIME))).map(Arc::new)
    }

    pub(super) fn drop_session(&self, lost: &Arc<Session>) {
        self.sessions.forget(lost);
    }

    /// What it says of itself.
    pub async fn facts(&self) -> Result<Facts, Failure> {
        let listening = Listening::quiet();
        let _place = self.place(&listening).await?;
        let now = self.parts.clock.now();
        let admitted = self.breaker.admit(now).map_err(Failure::Open)?;
        let outcome = Watched {
            admitted: Some(admitted),
            clock: &*self.parts.clock,
            pace: Arc::clone(&listening.pace),
        };
        let facts = self.ask_facts(&listening).await;
        outcome.tell(&facts);
        facts
    }

    async fn ask_facts(&self, listening: &Listening) -> Result<Facts, Failure> {
        let endpoint = self.endpoint(None).await?;
        match self.facts_at(&endpoint, listening).await {
            Err(Failure::Denied(denial))
                if self.shows_another(&endpoint, &Ask::default(), &denial).await? =>
            {
                self.facts_at(&self.endpoint(None).await?, listening).await
            }
            outcome => outcome,
        }
        .map_err(|failure| self.of_whom(failure))
    }

    async fn facts_at(&self, endpoint: &Endpoint, listening: &Listening) -> Result<Facts, Failure> {
        let era = self.era(endpoint, listening).await?;
        let (version, said) = match era {
            Era::Modern => (MODERN, self.doubt(self.discover(endpoint, listening).await)?),
            Era::Legacy => {
                let session =
                    self.session(endpoint, (String::new(), &Object::default()), listening).await?;
                (session.version, session.said.clone())
            }
        };
        let info = match era {
            Era::Modern => said.object("_meta").and_then(|own| own.object(meta::SERVER)),
            Era::Legacy => said.object("serverInfo"),
        };
        Ok(Facts {
            era,
            version,
            capabilities: said.object("capabilities").unwrap_or_default(),
            info: info.unwrap_or_default(),
            instructions: said.text("instructions"),
        })
    }

    pub(super) fn id(&self) -> Id {
        Id::Number(self.ids.fetch_add(1, Ordering::Relaxed))
    }

    /// The way to it for what is asked; for what the gateway wants to know itself where nothing is.
    pub(super) async fn endpoint(&self, ask: Option<&Ask>) -> Result<Endpoint, Failure> {
        match &self.reach {
            Reach::Node(pool) => pool.pipe(self, ask).await.map(Endpoint::Pipe),
            Reach::Http(url) => {
                let (shown, whose) = self.headers(ask.and_then(|ask| ask.person)).await?;
                Ok(Endpoint::Http(self.http(url, shown, whose)))
            }
        }
    }

    /// The way to it at an address, shown this.
    pub(super) fn http(&self, url: &str, shown: HeaderMap, whose: String) -> HttpEndpoint {
        HttpEndpoint {
            outbound: Arc::clone(&self.outbound),
            url: url.to_owned(),
            shown,
            whose,
            bytes_max: self.server.limits.result_bytes_max,
            answers: Arc::clone(&self.answers),
        }
    }
}

/// Whose session it takes: a client's own, otherwise its caller's, and nobody's where nobody can be asked anything.
fn caller_of(ask: &Ask) -> String {
    match (&ask.session, ask.party) {
        _ if !ask.asked_back || ask.capabilities.is_empty() => String::new(),
        (Some(session), _) => session.id.clone(),
        (None, party) => party.map(|party| party.to_string()).unwrap_or_default(),
    }
}
