//! Providers as settings name them: each within bounds of its own, and left alone for a while where it fails.

use super::KeySource;
use async_trait::async_trait;
use secrecy::ExposeSecret as _;
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};
use wardroom_core::{
    Clock, Timestamp,
    agent::ModelName,
    model::{
        ANSWER_BYTES_MAX, CALLS_MAX, Event, ModelFailure, ModelFailureKind as Kind, ModelProvider,
        Pieces, Prices, Question,
    },
};
use wardroom_gateway::outbound::{Admitted, Breaker, BreakerRules, BreakerState};
use zeroize::Zeroizing;

/// Questions that wait for a place, for each place that there is.
const WAITING_PER_PLACE_MAX: u32 = 16;

/// What a provider is made of.
pub struct ProviderParts {
    /// By which agents and programs speak of it.
    pub name: String,
    /// What is spoken with it, for people: `openai`, `compatible`, `anthropic`, `bedrock`, `scripted`.
    pub kind: &'static str,
    /// The models that programs are told of, by the provider's own names.
    pub models: Vec<String>,
    /// What they cost.
    pub prices: Prices,
    /// Whether a cassette stands in its way: what it answers was recorded, or is.
    pub played: bool,
    /// Questions at the same time.
    pub parallel_max: u32,
    /// When it is left alone.
    pub breaker: BreakerRules,
    /// Asks it.
    pub inner: Arc<dyn ModelProvider>,
    /// Where its key comes from.
    pub key: KeySource,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// A provider of models.
pub struct Provider {
    parts: ProviderParts,
    places: Arc<Semaphore>,
    waiting: AtomicU32,
    breaker: Breaker,
    last_failure: Mutex<Option<(Timestamp, ModelFailure)>>,
}

/// How a provider is.
#[derive(Debug, Clone)]
pub struct ProviderHealth {
    /// Where its breaker stands.
    pub breaker: BreakerState,
    /// Questions that are being answered.
    pub asked: u32,
    /// Questions that wait for a place.
    pub waiting: u32,
    /// Why it last did not answer, and when.
    pub last_failure: Option<(Timestamp, ModelFailure)>,
}

impl Provider {
    /// One that was not asked yet.
    pub fn new(parts: ProviderParts) -> Arc<Self> {
        let places = Arc::new(Semaphore::new(parts.parallel_max as usize));
        let breaker = Breaker::new(parts.breaker);
        let (waiting, last_failure) = (AtomicU32::new(0), Mutex::default());
        Arc::new(Self { parts, places, waiting, breaker, last_failure })
    }

    /// What it is made of.
    pub fn parts(&self) -> &ProviderParts {
        &self.parts
    }

    /// How it is.
    pub fn health(&self) -> ProviderHealth {
        let free = u32::try_from(self.places.available_permits()).unwrap_or(u32::MAX);
        ProviderHealth {
            breaker: self.breaker.state(self.parts.clock.now()),
            asked: self.parts.parallel_max.saturating_sub(free),
            waiting: self.waiting.load(Ordering::Relaxed),
            last_failure: self.failed_last().clone(),
        }
    }

    fn failed_last(&self) -> std::sync::MutexGuard<'_, Option<(Timestamp, ModelFailure)>> {
        self.last_failure.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place to ask from, within `time`, in which the answer is over as well. Whoever drops it has asked nothing.
    pub async fn seat(self: &Arc<Self>, time: Duration) -> Result<Seat, ModelFailure> {
        let until = Instant::now() + time;
        let place = self.place(until).await?;
        let admitted = self.breaker.admit(self.parts.clock.now()).map_err(|wait| {
            let why = "it failed again and again and is left alone for a while";
            ModelFailure { retry_after: Some(wait), ..ModelFailure::new(Kind::Resting, why) }
        })?;
        Ok(Seat(Bounded {
            provider: Arc::clone(self),
            admitted: Some(admitted),
            inner: None,
            until,
            bytes: 0,
            calls: 0,
            _place: place,
        }))
    }

    /// A place among those that may ask at the same time.
    async fn place(&self, until: Instant) -> Result<OwnedSemaphorePermit, ModelFailure> {
        if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            return Ok(place);
        }
        let full = |why| ModelFailure::new(Kind::RateLimited, why);
        let most = self.parts.parallel_max.saturating_mul(WAITING_PER_PLACE_MAX);
        let _waiting = Waiting::new(&self.waiting, most)
            .ok_or_else(|| full("too much waits for this provider here"))?;
        let place = Arc::clone(&self.places).acquire_owned();
        match tokio::time::timeout_at(until, place).await {
            Ok(Ok(place)) => Ok(place),
            _ => Err(full("no place became free for this provider in time")),
        }
    }
}

fn too_late() -> ModelFailure {
    ModelFailure::new(Kind::TimedOut, "it did not answer in time")
}

/// A place to ask from.
pub struct Seat(Bounded);

impl Seat {
    /// Asks.
    pub async fn ask(mut self, question: Question<'_>) -> Result<Box<dyn Pieces>, ModelFailure> {
        let inner = &self.0.provider.parts.inner;
        let asking = tokio::time::timeout_at(self.0.until, inner.ask(question)).await;
        match asking.unwrap_or_else(|_| Err(too_late())) {
            Ok(inner) => {
                self.0.inner = Some(inner);
                Ok(Box::new(self.0))
            }
            Err(failure) => Err(self.0.told(failure)),
        }
    }
}

/// A place in the queue.
struct Waiting<'a>(&'a AtomicU32);

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicU32, most: u32) -> Option<Self> {
        let next = |waiting| (waiting < most).then_some(waiting + 1);
        count.fetch_update(Ordering::AcqRel, Ordering::Acquire, next).ok().map(|_| Self(count))
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// An answer within its bounds; tells the breaker what came of it.
struct Bounded {
    provider: Arc<Provider>,
    admitted: Option<Admitted>,
    inner: Option<Box<dyn Pieces>>,
    until: Instant,
    /// What came so far.
    bytes: usize,
    calls: usize,
    _place: OwnedSemaphorePermit,
}

impl Bounded {
    /// Holds an answer within its bounds, whoever reads it.
    fn count(&mut self, event: &Event) -> Result<(), ModelFailure> {
        self.bytes = self.bytes.saturating_add(match event {
            Event::Text { text } | Event::Thinking { text } | Event::Arguments { text, .. } => {
                text.len()
            }
            Event::Call { id, name, .. } => id.len() + name.len(),
            Event::Thought { raw, .. } => raw.to_string().len(),
            Event::End { .. } => 0,
        });
        self.calls += usize::from(matches!(event, Event::Call { .. }));
        match (self.bytes > ANSWER_BYTES_MAX, self.calls > CALLS_MAX) {
            (true, _) => Err(super::broken("the answer is too long")),
            (_, true) => Err(super::broken("the answer calls too much at once")),
            _ => Ok(()),
        }
    }

    /// Keeps why it failed. What is the question's own fault says nothing of the provider.
    fn told(&mut self, failure: ModelFailure) -> ModelFailure {
        let now = self.provider.parts.clock.now();
        if failure.kind.is_of_provider() {
            *self.provider.failed_last() = Some((now, failure.clone()));
        }
        if let Some(admitted) = self.admitted.take() {
            match failure.kind {
                // SECURITY: what one who asks can bring about must not keep others from a provider that is there.
                Kind::RateLimited | Kind::NoSuchModel | Kind::Unauthorised | Kind::OutOfFunds => {
                    drop(admitted);
                }
                kind if kind.is_passing() => admitted.failed(now),
                Kind::Cancelled => drop(admitted),
                _ => admitted.succeeded(),
            }
        }
        failure
    }
}

#[async_trait]
impl Pieces for Bounded {
    async fn next(&mut self) -> Result<Event, ModelFailure> {
        let Some(inner) = &mut self.inner else { return Err(super::broken("it is over")) };
        let next = tokio::time::timeout_at(self.until, inner.next()).await;
        match next.unwrap_or_else(|_| Err(too_late())) {
            Ok(event) => {
                if let Err(failure) = self.count(&event) {
                    return Err(self.told(failure));
                }
                let over = matches!(event, Event::End { .. });
                // One that was tried is there when it begins to answer: others need not wait for its end.
                let tried = self.admitted.as_ref().is_some_and(Admitted::is_probe);
                if (over || tried)
                    && let Some(admitted) = self.admitted.take()
                {
                    admitted.succeeded();
                }
                Ok(event)
            }
            Err(failure) => Err(self.told(failure)),
        }
    }
}

/// The providers that there are, and names for chains of their models.
#[derive(Default)]
pub struct Models {
    providers: BTreeMap<String, Arc<Provider>>,
    routes: BTreeMap<String, Vec<ModelName>>,
}

impl Models {
    /// These.
    pub fn new(
        providers: impl IntoIterator<Item = Arc<Provider>>,
        routes: BTreeMap<String, Vec<ModelName>>,
    ) -> Self {
        let providers = providers.into_iter().map(|one| (one.parts.name.clone(), one)).collect();
        Self { providers, routes }
    }

    /// One by its name.
    pub fn get(&self, name: &str) -> Option<&Arc<Provider>> {
        self.providers.get(name)
    }

    /// Keys that are no named secrets. One that can't be read is no reason not to ask another provider.
    pub(super) fn outside_keys(&self) -> Vec<Zeroizing<String>> {
        let read = |provider: &Arc<Provider>| match &provider.parts.key {
            KeySource::Outside(read) => read().ok(),
            KeySource::Nothing | KeySource::Secret(_) => None,
        };
        let keys = self.iter().filter_map(read);
        keys.map(|key| Zeroizing::new(key.expose_secret().to_owned())).collect()
    }

    /// All, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Provider>> {
        self.providers.values()
    }

    /// The routes, by name.
    pub fn routes(&self) -> impl Iterator<Item = (&str, &[ModelName])> {
        self.routes.iter().map(|(name, chain)| (name.as_str(), chain.as_slice()))
    }

    /// The models that a name stands for: a route, `PROVIDER/MODEL`, or a model that one provider alone lists.
    pub fn find(&self, name: &str) -> Option<Vec<ModelName>> {
        if let Some(chain) = self.routes.get(name) {
            return Some(chain.clone());
        }
        let one = |provider: &str, model: &str| {
            vec![ModelName { provider: provider.to_owned(), name: model.to_owned() }]
        };
        if let Some((provider, model)) = name.split_once('/')
            && self.providers.contains_key(provider)
            && !model.is_empty()
        {
            return Some(one(provider, model));
        }
        let listed = |provider: &&Arc<Provider>| provider.parts.models.iter().any(|m| m == name);
        let mut found = self.iter().filter(listed);
        match (found.next(), found.next()) {
            (Some(provider), None) => Some(one(&provider.parts.name, name)),
            _ => None,
        }
    }
}
