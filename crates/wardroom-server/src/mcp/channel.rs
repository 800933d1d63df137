//! A connection to the gateway over which messages come one after the other: WebSocket, TCP, the stream of revision
//! 2024-11-05. Who speaks is looked at anew with each message, so that an end of their token or session holds at once.

use super::{caller::McpCaller, exchange::Answered, http::Arrived};
use crate::{
    App,
    app::Limits,
    context::Ctx,
    error::ApiError,
    middleware::{Proof, RequestInfo, Shown, by_shown, by_token},
};
use axum::http::header;
use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;
use uuid::Uuid;
use wardroom_core::{
    Action, Door, RequestId, Timestamp, UserId,
    action::Resource,
    audit::{AuditDraft, AuditOutcome},
};
use wardroom_gateway::{
    door::{Caller, Client, Modern, Opening, Outlet, Session, Speaks},
    era::{WITH_BATCHES, meta},
    rpc::{Id, Message, Object, Request, RpcError, codes, parse, split_batch},
};
use wardroom_wire::error::ErrorCode;

/// Requests of one connection that are worked on at the same time.
const RUNNING_MAX: usize = 64;
/// What is no message, after which a connection ends.
const MALFORMED_MAX: u32 = 10;

/// Why a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Closing {
    /// Who speaks may not any more.
    NotLetIn,
    /// What comes is no protocol.
    Malformed,
    /// The other side does not read.
    Slow,
}

/// What is told of a connection.
#[derive(Debug)]
pub(crate) struct ChannelInfo {
    /// Who speaks.
    pub(crate) user: UserId,
    /// The way in.
    pub(crate) door: Door,
    /// The one tool server that it is about.
    pub(crate) scope: Option<String>,
    /// Since when.
    pub(crate) opened_at: Timestamp,
    /// Bytes that came, and that went.
    pub(crate) bytes_in: AtomicU64,
    pub(crate) bytes_out: AtomicU64,
    /// Requests that are worked on.
    pub(crate) running: AtomicUsize,
    /// The revision that was last spoken.
    pub(crate) speaks: Mutex<&'static str>,
    party: Uuid,
    /// Ends it.
    pub(crate) end: CancellationToken,
}

/// All connections that are open.
pub(crate) struct Channels {
    open: Arc<Mutex<BTreeMap<u64, Arc<ChannelInfo>>>>,
    next: AtomicU64,
    websockets_max: usize,
    tcp_max: usize,
    of_party_max: usize,
}

/// A connection's place; given back when it is dropped.
pub(crate) struct ChannelPlace {
    open: Arc<Mutex<BTreeMap<u64, Arc<ChannelInfo>>>>,
    number: u64,
    pub(crate) info: Arc<ChannelInfo>,
}

impl Drop for ChannelPlace {
    fn drop(&mut self) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.number);
    }
}

impl Channels {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            open: Arc::default(),
            next: AtomicU64::new(1),
            websockets_max: limits.websockets_max,
            tcp_max: limits.tcp_max,
            of_party_max: limits.channels_per_party_max,
        }
    }

    /// A place for a connection of whom `proof` proves, if there is one.
    pub(crate) fn take(
        &self,
        proof: &Proof,
        user: UserId,
        door: Door,
        scope: Option<String>,
        now: Timestamp,
    ) -> Result<ChannelPlace, ApiError> {
        let busy = |why: &str| ApiError::say(ErrorCode::Busy, why);
        let party = proof.party();
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let most = match door {
            Door::McpTcp => self.tcp_max,
            _ => self.websockets_max,
        };
        if open.values().filter(|other| other.door == door).count() >= most {
            return Err(busy("As many connections are open as there may be: try again later."));
        }
        if open.values().filter(|other| other.party == party).count() >= self.of_party_max {
            return Err(busy("You have as many connections open as you may: close some."));
        }
        let info = Arc::new(ChannelInfo {
            user,
            door,
            scope,
            opened_at: now,
            bytes_in: AtomicU64::new(0),
            bytes_out: AtomicU64::new(0),
            running: AtomicUsize::new(0),
            speaks: Mutex::new(""),
            party,
            end: CancellationToken::new(),
        });
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        open.insert(number, Arc::clone(&info));
        Ok(ChannelPlace { open: Arc::clone(&self.open), number, info })
    }

    /// Those that are open, by number.
    pub(crate) fn infos(&self) -> Vec<(u64, Arc<ChannelInfo>)> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.iter().map(|(number, info)| (*number, Arc::clone(info))).collect()
    }
}

/// A connection.
pub(crate) struct Channel {
    app: Arc<App>,
    info: RequestInfo,
    shown: Shown,
    outlet: Outlet,
    session: Option<Arc<Session>>,
    running: Arc<Mutex<HashMap<Id, CancellationToken>>>,
    malformed: u32,
    place: ChannelPlace,
}

impl Drop for Channel {
    fn drop(&mut self) {
        for cancel in self.running.lock().unwrap_or_else(PoisonError::into_inner).values() {
            cancel.cancel();
        }
        if let Some(session) = &self.session {
            self.app.gateway.sessions.end(session);
        }
    }
}

impl Channel {
    pub(crate) fn new(
        app: Arc<App>,
        info: RequestInfo,
        shown: Shown,
        outlet: Outlet,
        place: ChannelPlace,
    ) -> Self {
        let running = Arc::default();
        Self { app, info, shown, outlet, session: None, running, malformed: 0, place }
    }

    /// One for who was let in by a request; gives where what it says goes, and where that comes out.
    pub(super) async fn open(
        arrived: Arrived,
        door: Door,
    ) -> Result<(Self, Outlet, mpsc::Receiver<String>), ApiError> {
        let Arrived { ctx, caller, scope, headers } = arrived;
        let info = RequestInfo { door, ..ctx.info };
        let app = Arc::clone(&ctx.app);
        let token = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = token.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
        let (shown, proof) = by_token(&app, &info, token).await?;
        let now = app.engine.now();
        let place = app.channels.take(&proof, caller.user(), door, scope, now)?;
        let (outlet, messages) = Outlet::new();
        Ok((Self::new(app, info, shown, outlet.clone(), place), outlet, messages))
    }

    /// What is told of it.
    pub(crate) fn told(&self) -> &Arc<ChannelInfo> {
        &self.place.info
    }

    /// Takes what came.
    pub(crate) async fn take(&mut self, bytes: &[u8]) -> Result<(), Closing> {
        self.told().bytes_in.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        if self.session.as_ref().is_some_and(|session| session.ended.is_cancelled()) {
            return Err(Closing::NotLetIn);
        }
        let ctx = match self.admit().await {
            Ok(ctx) => ctx,
            Err(error) if error.code == ErrorCode::TooManyRequests => {
                return self.refuse(bytes, "too many messages: wait a moment");
            }
            Err(_) => return Err(Closing::NotLetIn),
        };
        let caller: Arc<dyn Caller> =
            Arc::new(McpCaller::new(ctx.clone()).map_err(|_| Closing::NotLetIn)?);
        let batched = self.session.as_ref().is_some_and(|own| own.version == WITH_BATCHES);
        if let Some(parts) = batched.then(|| split_batch(bytes)).flatten() {
            for (at, part) in parts.into_iter().enumerate() {
                // The first was counted with the message.
                if at > 0 && self.app.rates.principal(caller.party()).is_err() {
                    self.refuse(part.as_bytes(), "too many messages: wait a moment")?;
                    continue;
                }
                self.take_one(&ctx, &caller, part.as_bytes()).await?;
            }
            return Ok(());
        }
        self.take_one(&ctx, &caller, bytes).await
    }

    /// Whether who speaks still may.
    pub(crate) async fn is_let_in(&self) -> bool {
        matches!(by_shown(&self.app, &self.info, &self.shown).await, Ok(Some(_)))
    }

    /// Who speaks, if they still may.
    pub(crate) async fn admit(&self) -> Result<Ctx, ApiError> {
        let app = &self.app;
        let id = RequestId::new(app.engine.now(), app.engine.rng());
        let info = RequestInfo { id, ..self.info };
        let proof = by_shown(app, &info, &self.shown).await?;
        let proof = proof.ok_or_else(|| ApiError::new(ErrorCode::Unauthenticated))?;
        app.rates.principal(proof.party())?;
        proof.standing.admit(Action::McpConnect)?;
        let ctx = Ctx::new(Arc::clone(app), proof, info, Action::McpConnect, None);
        ctx.authorise(Action::McpConnect, &Resource::system()).await?;
        Ok(ctx)
    }

    /// Answers a request that is not looked at.
    fn refuse(&self, bytes: &[u8], why: &str) -> Result<(), Closing> {
        match parse(bytes) {
            Ok(Message::Request(request)) => {
                self.say_error(Some(&request.id), RpcError::refused(why))
            }
            _ => Ok(()),
        }
    }

    fn say_error(&self, id: Option<&Id>, error: RpcError) -> Result<(), Closing> {
        let sent = self.outlet.try_send(Answered::of(id, &Err(error)).text);
        if sent { Ok(()) } else { Err(Closing::Slow) }
    }

    async fn take_one(
        &mut self,
        ctx: &Ctx,
        caller: &Arc<dyn Caller>,
        bytes: &[u8],
    ) -> Result<(), Closing> {
        match parse(bytes) {
            Ok(Message::Request(request)) => self.request(caller, request).await,
            Ok(Message::Notification(note)) => {
                if note.method == "notifications/cancelled" {
                    self.cancel(&note.params);
                }
                Ok(())
            }
            Ok(Message::Response(response)) => {
                if let Some(session) = &self.session {
                    session.answered(response);
                }
                Ok(())
            }
            Err(malformed) => {
                self.malformed += 1;
                let audit =
                    AuditDraft::event("mcp.malformed", &ctx.principal, &ctx.origin, ctx.now())
                        .outcome(AuditOutcome::Refused, malformed.error.message.clone());
                let recorded = self.app.refusals.record(&self.app, audit).await;
                self.say_error(malformed.id.as_ref(), malformed.error)?;
                if recorded.is_err() || self.malformed >= MALFORMED_MAX {
                    return Err(Closing::Malformed);
                }
                Ok(())
            }
        }
    }

    fn cancel(&self, params: &Object) {
        if let Some(session) = &self.session {
            session.cancel(params);
        }
        let Some(id) = params.get::<Id>("requestId") else { return };
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(cancel) = running.get(&id) {
            cancel.cancel();
        }
    }

    async fn request(&mut self, caller: &Arc<dyn Caller>, request: Request) -> Result<(), Closing> {
        let modern = request.params.object("_meta").is_some_and(|own| own.has(meta::VERSION));
        if !modern && request.method == "initialize" {
            return self.initialize(caller, request).await;
        }
        match self.begin(caller, &request, modern) {
            Ok((client, kept)) => {
                self.work(client, request, kept);
                Ok(())
            }
            Err(error) => self.say_error(Some(&request.id), error),
        }
    }

    async fn initialize(
        &mut self,
        caller: &Arc<dyn Caller>,
        request: Request,
    ) -> Result<(), Closing> {
        if self.session.is_some() {
            let why = "the session of this connection is open already";
            return self.say_error(Some(&request.id), RpcError::invalid_request(why));
        }
        let scope = self.told().scope.clone();
        let opening = Opening { caller: &**caller, scope: scope.as_deref(), of_channel: true };
        match self.app.gateway.initialize(opening, &request.params).await {
            Ok((session, result)) => {
                session.open_stream(self.outlet.clone(), Arc::clone(caller));
                self.now_speaks(session.version);
                self.session = Some(session);
                let sent = self.outlet.try_send(Answered::of(Some(&request.id), &Ok(result)).text);
                if sent { Ok(()) } else { Err(Closing::Slow) }
            }
            Err(error) => self.say_error(Some(&request.id), error),
        }
    }

    fn now_speaks(&self, version: &'static str) {
        *self.told().speaks.lock().unwrap_or_else(PoisonError::into_inner) = version;
    }

    /// A client for this request, and what is held while it is worked on.
    fn begin(
        &self,
        caller: &Arc<dyn Caller>,
        request: &Request,
        modern: bool,
    ) -> Result<(Client, Kept), RpcError> {
        if self.told().running.load(Ordering::Relaxed) >= RUNNING_MAX {
            let why = format!("{RUNNING_MAX} requests of the connection are worked on already");
            return Err(RpcError::new(codes::UNAVAILABLE, why));
        }
        let (speaks, cancel, running) = if modern {
            let own = Modern::read(&request.params)?;
            Modern::check_version(&request.params)?;
            let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
            if running.contains_key(&request.id) {
                let why = "another request that is worked on has this id";
                return Err(RpcError::invalid_request(why));
            }
            let cancel = CancellationToken::new();
            running.insert(request.id.clone(), cancel.clone());
            self.now_speaks(wardroom_gateway::era::MODERN);
            (Speaks::Modern(own), cancel, None)
        } else {
            let missing = || RpcError::invalid_request("open a session by `initialize` first");
            let session = self.session.as_ref().ok_or_else(missing)?;
            let running = session.begin(&request.id, self.app.engine.now())?;
            (Speaks::Legacy(Arc::clone(session)), running.cancel.clone(), Some(running))
        };
        self.told().running.fetch_add(1, Ordering::Relaxed);
        let kept = Kept {
            id: modern.then(|| request.id.clone()),
            running: Arc::clone(&self.running),
            told: Arc::clone(self.told()),
            _legacy: running,
        };
        let client = Client {
            caller: Arc::clone(caller),
            scope: self.told().scope.clone(),
            speaks,
            outlet: self.outlet.clone(),
            cancel,
        };
        Ok((client, kept))
    }

    fn work(&self, client: Client, request: Request, kept: Kept) {
        let (gateway, outlet) = (Arc::clone(&self.app.gateway), self.outlet.clone());
        let work = async move {
            let (id, cancel) = (request.id.clone(), client.cancel.clone());
            let outcome = gateway.answer(&client, request).await;
            // Who cancelled a request is not answered (MCP, «Cancellation»).
            // It keeps its place until the answer is taken.
            if !cancel.is_cancelled() {
                outlet.send(Answered::of(Some(&id), &outcome).text).await;
            }
            drop(kept);
        };
        tokio::spawn(work.in_current_span());
    }
}

/// A request's place on its connection; given back when it is dropped.
struct Kept {
    id: Option<Id>,
    running: Arc<Mutex<HashMap<Id, CancellationToken>>>,
    told: Arc<ChannelInfo>,
    _legacy: Option<wardroom_gateway::door::Running>,
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.told.running.fetch_sub(1, Ordering::Relaxed);
        if let Some(id) = &self.id {
            self.running.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
        }
    }
}
