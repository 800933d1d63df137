//! The gateway's side towards people and agents: what they say, whichever way they came, and what they are answered.

mod account;
mod asking;
mod calls;
mod capabilities;
mod client;
mod consent;
mod headers;
mod listen;
mod lists;
mod parked;
mod request_state;
mod resources;
mod session;
mod spans;
mod tools;

pub use calls::{BookError, CallBook, SEAL_ARGUMENTS};
pub use client::{
    Allowed, Caller, Client, Modern, Opening, Outlet, REQUIRED_SCOPE, Refused, Speaks,
};
pub use headers::{check as check_headers, status_of};
pub use session::{Running, Session, SessionInfo};

use crate::{
    registry::Registry,
    rpc::{Object, Request, RpcError},
    trace::Tracer,
};
use consent::Waiters;
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use parked::ParkedAsks;
use session::Sessions;
use std::{
    collections::HashMap,
    num::NonZeroU32,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use uuid::Uuid;
use wardroom_core::{
    Clock, Rng,
    approval::Consents,
    store::{Store, StoreResult},
    tool::call::ToolCall,
};
use wardroom_trust::seal::Sealer;

/// How often what nobody wants any more is looked for.
const TIDY_EVERY: Duration = Duration::from_secs(10);
/// How often calls that nobody will end are ended, and old ones forgotten.
const SWEEP_EVERY: Duration = Duration::from_secs(300);
/// No call takes longer, with all that its client is waited for.
const CALL_TIME_MAX: Duration = Duration::from_secs(2 * 3600);
/// How often tool servers are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// What a gateway is made of.
pub struct Parts {
    /// The tool servers.
    pub registry: Arc<Registry>,
    /// Keeps calls.
    pub calls: CallBook,
    /// Asks people for consent.
    pub consents: Arc<dyn Consents>,
    /// Where people reach the dashboard.
    pub public_url: String,
    /// Where everything is kept, to be asked.
    pub store: Arc<dyn Store>,
    /// Seals what clients carry for the gateway.
    pub sealer: Arc<Sealer>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub rng: Arc<dyn Rng>,
    /// How long calls are kept.
    pub calls_kept: Duration,
    /// Tells what requests took.
    pub tracer: Option<Arc<Tracer>>,
}

/// By caller and tool.
type Rates = DefaultKeyedRateLimiter<(Uuid, String)>;

/// The gateway.
pub struct Gateway {
    /// The tool servers.
    pub registry: Arc<Registry>,
    /// Clients of revisions until 2025-11-25.
    pub sessions: Sessions,
    calls: CallBook,
    consents: Arc<dyn Consents>,
    public_url: String,
    waiters: Waiters,
    parked: ParkedAsks,
    store: Arc<dyn Store>,
    calls_kept: Duration,
    sealer: Arc<Sealer>,
    clock: Arc<dyn Clock>,
    rng: Arc<dyn Rng>,
    tracer: Option<Arc<Tracer>>,
    /// Calls per minute, by the bound that the tool server sets.
    rates: Mutex<HashMap<u32, Arc<Rates>>>,
}

impl Gateway {
    /// Puts the parts together.
    pub fn new(parts: Parts) -> Arc<Self> {
        Arc::new(Self {
            sessions: Sessions::default(),
            registry: parts.registry,
            calls: parts.calls,
            consents: parts.consents,
            public_url: parts.public_url,
            waiters: Waiters::default(),
            parked: ParkedAsks::default(),
            store: parts.store,
            calls_kept: parts.calls_kept,
            sealer: parts.sealer,
            clock: parts.clock,
            rng: parts.rng,
            tracer: parts.tracer,
            rates: Mutex::default(),
        })
    }

    /// Looks after tool servers and forgets what nobody wants any more, until it is dropped.
    pub async fn work(self: Arc<Self>) {
        let tidying = async {
            loop {
                tokio::time::sleep(TIDY_EVERY).await;
                let now = self.clock.now();
                self.sessions.tidy(now);
                self.parked.tidy(now);
                for rates in self.rates.lock().unwrap_or_else(PoisonError::into_inner).values() {
                    rates.retain_recent();
                }
            }
        };
        let looking = async {
            loop {
                self.look_at_all().await;
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        let sweeping = async {
            loop {
                if let Err(error) = self.sweep().await {
                    tracing::warn!(%error, "old calls could not be looked after");
                }
                tokio::time::sleep(SWEEP_EVERY).await;
            }
        };
        let watching = self.registry.watch();
        tokio::join!(tidying, looking, watching, sweeping, self.tell_sessions(), self.calls.work());
    }

    /// Ends calls that have no end, where no other orchestrator can have any under way.
    pub async fn end_open_calls(&self) -> StoreResult<()> {
        self.calls.end_open(&*self.store, self.clock.now()).await
    }

    async fn sweep(&self) -> StoreResult<()> {
        let now = self.clock.now();
        self.calls.end_open(&*self.store, now.minus(CALL_TIME_MAX)).await?;
        self.calls.forget(now.minus(self.calls_kept)).await
    }

    /// Looks at every tool server, at all of them at once: none waits for another.
    pub async fn look_at_all(&self) {
        let looks = self.registry.servers().into_iter().map(|known| async move {
            // Whatever it offers now, it is looked at when it is started for somebody.
            if known.upstream.is_asleep() && known.health().facts.is_some() {
                return;
            }
            if let Err(failure) = self.registry.look(&known).await {
                tracing::warn!(server = known.name(), %failure, "a tool server could not be looked at");
            }
        });
        futures_util::future::join_all(looks).await;
    }

    /// The arguments of a call; nothing where whoever made it was erased.
    pub async fn arguments(&self, call: &ToolCall) -> Result<Option<String>, BookError> {
        self.calls.arguments(call).await
    }

    /// Counts a call of a tool; whether there may be one more.
    fn admit_call(&self, party: Uuid, tool: &str, per_minute: u32) -> bool {
        let rates = {
            let mut all = self.rates.lock().unwrap_or_else(PoisonError::into_inner);
            let quota = Quota::per_minute(NonZeroU32::new(per_minute).unwrap_or(NonZeroU32::MIN));
            Arc::clone(all.entry(per_minute).or_insert_with(|| Arc::new(RateLimiter::keyed(quota))))
        };
        rates.check_key(&(party, tool.to_owned())).is_ok()
    }

    /// Answers a request. What is said before the answer goes to the client's outlet.
    pub async fn answer(
        self: &Arc<Self>,
        client: &Client,
        mut request: Request,
    ) -> Result<Object, RpcError> {
        let begin = |tracer| spans::begin(tracer, client, &mut request);
        let span = self.tracer.as_ref().and_then(begin);
        let answer = self.work_on(client, request).await;
        if let Some(span) = span {
            span.answered(answer.as_ref());
        }
        answer
    }

    async fn work_on(
        self: &Arc<Self>,
        client: &Client,
        request: Request,
    ) -> Result<Object, RpcError> {
        let method = request.method.as_str();
        let answer = match (method, &client.speaks) {
            ("tools/list", _) => self.list_tools(client, &request.params),
            ("tools/call", _) => self.call_tool(client, &request.params).await,
            ("resources/list" | "resources/templates/list" | "prompts/list", _) => {
                self.list(client, method, &request.params).await
            }
            ("resources/read", _) => self.read_resource(client, &request.params).await,
            ("prompts/get", _) => self.get_prompt(client, &request.params).await,
            ("completion/complete", _) => self.complete(client, &request.params).await,
            ("server/discover", Speaks::Modern(_)) => Ok(self.discover(client).await),
            ("subscriptions/listen", Speaks::Modern(_)) => {
                self.listen(client, &request.id, &request.params).await
            }
            ("ping", Speaks::Legacy(_)) => Ok(Object::default()),
            ("logging/setLevel", Speaks::Legacy(session)) => session.set_level(&request.params),
            ("resources/subscribe", Speaks::Legacy(session)) => {
                self.subscribe(client, session, &request.params).await
            }
            ("resources/unsubscribe", Speaks::Legacy(session)) => {
                self.unsubscribe(client, session, &request.params)
            }
            _ => Err(RpcError::method_not_found(method)),
        };
        answer.map(|result| client.speaks.finish(method, result))
    }
}
