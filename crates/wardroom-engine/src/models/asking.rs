//! Asking a model: each attempt is on record with what it may take before the provider hears of it, and what it took
//! comes in its place. Who can't answer is asked again, or the next in the chain is.

use super::Provider;
use crate::Engine;
use std::{sync::Arc, time::Duration};
use wardroom_core::{
    ApiTokenId, BudgetId, CustomerId, Door, ModelCallId, OauthClientId, RunId, Timestamp, UserId,
    agent::ModelName,
    audit::AuditDraft,
    change::{Change, Write},
    model::{
        Ask, Course, Event, ModelCall, ModelCallEnd, ModelFailure, ModelFailureKind as Kind,
        ModelWrite, Pieces, Price, Question, Spend, Usage, estimate,
    },
    store::StoreError,
};

/// How often it is tried to write down what a question took, and the pause between tries.
const END_TRIES_MAX: u32 = 10;
const END_PAUSE: Duration = Duration::from_secs(1);

/// Who asks.
#[derive(Debug, Clone)]
pub struct Asker {
    /// The account.
    pub user: UserId,
    /// The customer that it belongs to.
    pub customer: Option<CustomerId>,
    /// The API token that a program showed.
    pub token: Option<ApiTokenId>,
    /// The program of others that acts in that name.
    pub client: Option<OauthClientId>,
    /// The agent.
    pub agent: Option<String>,
    /// The run.
    pub run: Option<RunId>,
    /// By which way in.
    pub door: Door,
}

/// A question, and who may answer it.
#[derive(Debug, Clone)]
pub struct Inquiry {
    /// Who asks.
    pub asker: Asker,
    /// What; the model's name is put in by whom of the chain is asked.
    pub ask: Ask,
    /// The models, in the order in which they are asked.
    pub chain: Vec<ModelName>,
    /// How often each is asked in all.
    pub attempts_max: u32,
    /// The pause before the second attempt.
    pub backoff: Duration,
    /// How long one attempt may take.
    pub time: Duration,
    /// Whether an answer that broke off may begin anew: whoever hears it forgets what came.
    pub restarts: bool,
}

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// No model answered.
    #[error("{0}")]
    Failed(ModelFailure),
    /// A budget has not as much left as it may take.
    #[error("{0}")]
    Spent(String),
    /// It can't be written down.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What is heard of an answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Heard {
    /// A piece. The last is [`Event::End`].
    Piece(Event),
    /// What came is forgotten: the answer begins anew.
    Again,
}

/// An answer that comes. Dropping it stops the provider.
pub struct Answering {
    engine: Arc<Engine>,
    inquiry: Inquiry,
    audit: AuditDraft,
    course: Course,
    pause: Duration,
    open: Option<Open>,
    /// Whether a piece was passed on.
    heard: bool,
}

/// An attempt that is under way.
struct Open {
    begun: Begun,
    pieces: Box<dyn Pieces>,
}

/// An attempt that is on record.
struct Begun {
    call: ModelCallId,
    provider: Arc<Provider>,
    price: Price,
    at: Timestamp,
    input_tokens: u64,
    output_bytes: u64,
    first: Option<Timestamp>,
}

impl Engine {
    /// Asks. Nothing happens before somebody listens.
    pub fn ask_model(self: &Arc<Self>, inquiry: Inquiry, audit: AuditDraft) -> Answering {
        let course = Course::new(inquiry.chain.len(), inquiry.attempts_max, inquiry.backoff);
        let engine = Arc::clone(self);
        Answering {
            engine,
            inquiry,
            audit,
            course,
            pause: Duration::ZERO,
            open: None,
            heard: false,
        }
    }

    /// Writes down what a question took.
    async fn end_model_call(&self, id: ModelCallId, end: ModelCallEnd) {
        let change = Change::default().write(Write::Model(ModelWrite::End { id, end }));
        for _ in 0..END_TRIES_MAX {
            match self.commit(change.clone()).await {
                Ok(()) => return,
                Err(error) => {
                    tracing::warn!(call = %id, %error, "what a question to a model took could not be written down; it is tried again");
                    tokio::time::sleep(END_PAUSE).await;
                }
            }
        }
    }

    /// Why a budget lets a question not through, and what to do.
    async fn spent_words(&self, id: BudgetId, held: Spend) -> String {
        let budget = self.store.lookup_budget(id).await.ok().flatten();
        let about = budget.as_ref().map_or_else(
            || id.to_string(),
            |budget| {
                if budget.about.is_empty() {
                    id.to_string()
                } else {
                    format!("{:?} ({id})", budget.about)
                }
            },
        );
        let Spend { tokens, cost_micros } = held;
        let dollars = cost_micros as f64 / 1e6;
        format!(
            "the budget {about} has not as much left as this question may take ({tokens} tokens, US$ {dollars:.6}): ask for a shorter answer, wait for its next period, or have it raised"
        )
    }
}

impl Answering {
    /// The next of it.
    pub async fn next(&mut self) -> Result<Heard, AskError> {
        loop {
            let failure = match self.piece().await? {
                Ok(event) => {
                    self.heard = true;
                    return Ok(Heard::Piece(event));
                }
                Err(failure) => failure,
            };
            if self.heard && !self.inquiry.restarts {
                return Err(AskError::Failed(failure));
            }
            let spread = self.engine.fraction();
            let Some(next) = self.course.next(&failure, spread) else {
                return Err(AskError::Failed(failure));
            };
            self.pause = next.pause;
            if std::mem::take(&mut self.heard) {
                return Ok(Heard::Again);
            }
        }
    }

    /// Which model answers, and its provider's kind.
    pub fn model(&self) -> Option<&ModelName> {
        self.inquiry.chain.get(self.course.at())
    }

    /// The next piece of an attempt. The outer error ends it all, the inner one the attempt.
    async fn piece(&mut self) -> Result<Result<Event, ModelFailure>, AskError> {
        let open = match &mut self.open {
            Some(open) => open,
            None => match self.attempt().await? {
                Ok(open) => self.open.insert(open),
                Err(failure) => return Ok(Err(failure)),
            },
        };
        let outcome = open.pieces.next().await;
        let now = self.engine.now();
        match &outcome {
            Ok(Event::End { usage, .. }) => {
                let usage = *usage;
                if let Some(open) = self.open.take() {
                    self.settle(open.begun.ended(now, usage, None));
                }
            }
            Ok(event) => open.begun.count(event, now),
            Err(failure) => {
                let kind = failure.kind;
                if let Some(open) = self.open.take() {
                    self.settle(open.begun.ended(now, None, Some(kind)));
                }
            }
        }
        Ok(outcome)
    }

    /// Begins an attempt.
    async fn attempt(&mut self) -> Result<Result<Open, ModelFailure>, AskError> {
        tokio::time::sleep(std::mem::take(&mut self.pause)).await;
        let begun = match self.begin().await? {
            Ok(begun) => begun,
            Err(failure) => return Ok(Err(failure)),
        };
        let key = begun.call.to_string();
        let question = Question { ask: &self.inquiry.ask, key: &key };
        let provider = Arc::clone(&begun.provider);
        // What is dropped in here was asked, and is counted.
        let mut kept = Kept { engine: Arc::clone(&self.engine), begun: Some(begun) };
        let asked = provider.ask(question, self.inquiry.time).await;
        let Some(begun) = kept.begun.take() else {
            return Ok(Err(ModelFailure::new(Kind::Cancelled, "it was stopped")));
        };
        Ok(match asked {
            Ok(pieces) => Ok(Open { begun, pieces }),
            Err(failure) => {
                let now = self.engine.now();
                // One that said no took nothing; of one that said nothing, nobody knows.
                let end = match failure.kind {
                    Kind::TimedOut | Kind::Broken => begun.ended(now, None, Some(failure.kind)),
                    kind => begun.ended(now, Some(Usage::default()), Some(kind)),
                };
                self.settle(end);
                Err(failure)
            }
        })
    }

    /// Writes an attempt down, with what it may take.
    async fn begin(&mut self) -> Result<Result<Begun, ModelFailure>, AskError> {
        let Some(ModelName { provider: name, name: model }) = self.model().cloned() else {
            return Ok(Err(ModelFailure::new(Kind::NoSuchModel, "there is no model to ask")));
        };
        let Some(provider) = self.engine.models.get(&name).cloned() else {
            let why = format!("there is no provider {name:?}: settings name them");
            return Ok(Err(ModelFailure::new(Kind::NoSuchModel, why)));
        };
        let prices = &provider.parts().prices;
        let Some(price) = prices.of(&model) else {
            let why = format!(
                "no price is set for {model:?} of {name:?}: what it takes could not be bounded"
            );
            return Ok(Err(ModelFailure::new(Kind::NoSuchModel, why)));
        };
        self.inquiry.ask.model.clone_from(&model);
        let input_tokens = estimate::of_ask(&self.inquiry.ask);
        let most = Usage {
            input_tokens,
            output_tokens: self.inquiry.ask.output_tokens_max.into(),
            ..Usage::default()
        };
        let held = Spend { tokens: most.total(), cost_micros: price.cost_micros(&most) };
        let at = self.engine.now();
        let call = ModelCallId::new(at, &*self.engine.rng);
        let Asker { user, customer, token, client, agent, run, door } = self.inquiry.asker.clone();
        let written = ModelCall {
            id: call,
            user,
            customer,
            token,
            client,
            agent,
            run,
            door,
            provider: name.clone(),
            model: model.clone(),
            held,
            prices: prices.version().to_owned(),
            begun_at: at,
            end: None,
        };
        let mut audit = self.audit.clone().on(format!("{name}/{model}")).detail("call", call);
        audit.record.at = at;
        let audit =
            audit.detail("tokens_max", held.tokens).detail("cost_micros_max", held.cost_micros);
        let change = Change::recorded(audit).write(Write::Model(ModelWrite::Begin(written.into())));
        match self.engine.commit(change).await {
            Ok(()) => {}
            Err(StoreError::Spent(id)) => {
                return Err(AskError::Spent(self.engine.spent_words(id, held).await));
            }
            Err(error) => return Err(error.into()),
        }
        Ok(Ok(Begun { call, provider, price, at, input_tokens, output_bytes: 0, first: None }))
    }

    fn settle(&self, (id, end): (ModelCallId, ModelCallEnd)) {
        settle(&self.engine, id, end);
    }
}

/// Writes down what a question took, while whoever asked goes on.
fn settle(engine: &Arc<Engine>, id: ModelCallId, end: ModelCallEnd) {
    let engine = Arc::clone(engine);
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        runtime.spawn(async move { engine.end_model_call(id, end).await });
    }
}

impl Begun {
    fn count(&mut self, event: &Event, now: Timestamp) {
        self.first.get_or_insert(now);
        self.output_bytes += match event {
            Event::Text { text } | Event::Thinking { text } | Event::Arguments { text, .. } => {
                text.len() as u64
            }
            Event::Call { name, .. } => name.len() as u64,
            Event::Thought { .. } | Event::End { .. } => 0,
        };
    }

    /// How it ended. Where the provider did not say what it took, what could be seen of it counts.
    fn ended(
        self,
        at: Timestamp,
        usage: Option<Usage>,
        failure: Option<Kind>,
    ) -> (ModelCallId, ModelCallEnd) {
        let seen = || Usage {
            input_tokens: self.input_tokens,
            output_tokens: self.output_bytes.div_ceil(3),
            ..Usage::default()
        };
        let estimated = usage.is_none();
        let usage = usage.unwrap_or_else(seen);
        let end = ModelCallEnd {
            at,
            usage,
            cost_micros: self.price.cost_micros(&usage),
            estimated,
            first_micros: self.first.map(|first| first.since(self.at).as_micros() as u64),
            failure,
        };
        (self.call, end)
    }
}

/// An attempt whose provider has not answered yet: where nobody waits for that any more, it is on record so.
struct Kept {
    engine: Arc<Engine>,
    begun: Option<Begun>,
}

impl Drop for Kept {
    fn drop(&mut self) {
        if let Some(begun) = self.begun.take() {
            let (id, end) = begun.ended(self.engine.now(), None, Some(Kind::Cancelled));
            settle(&self.engine, id, end);
        }
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        if let Some(open) = self.open.take() {
            let end = open.begun.ended(self.engine.now(), None, Some(Kind::Cancelled));
            self.settle(end);
        }
    }
}
