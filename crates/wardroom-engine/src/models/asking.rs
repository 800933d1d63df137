//! Asking a model: each attempt is on record with what it may take before the provider hears of it, and what it took
//! comes in its place. Who can't answer is asked again, or the next in the chain is.

use super::{Provider, provider::Seat};
use crate::Engine;
use std::{sync::Arc, time::Duration};
use tokio::task::JoinHandle;
use wardroom_core::{
    ApiTokenId, BudgetId, CustomerId, Door, ModelCallId, OauthClientId, RunId, Timestamp, UserId,
    agent::ModelName,
    audit::AuditDraft,
    change::{Change, Write},
    model::{
        AMOUNT_MAX, Ask, Course, Event, ModelCall, ModelCallEnd, ModelFailure,
        ModelFailureKind as Kind, ModelWrite, Pieces, Price, Question, Spend, Usage, estimate,
    },
    store::StoreError,
};

/// How often it is tried to write down what a question took, and the pause between tries.
const END_TRIES_MAX: u32 = 10;
const END_PAUSE: Duration = Duration::from_secs(1);

/// More tokens than this no answer takes: whoever tells so tells nothing.
const PLAUSIBLE_TOKENS_MAX: u64 = 1 << 32;

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

/// An attempt that is on record. Where it is dropped, nobody waits for it any more.
struct Begun {
    engine: Arc<Engine>,
    call: ModelCallId,
    price: Price,
    at: Timestamp,
    /// What it may take at most.
    most: Usage,
    /// Whether the provider was asked.
    asked: bool,
    output_bytes: u64,
    first: Option<Timestamp>,
    over: bool,
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
        tracing::error!(call = %id, "what a question to a model took is not written down: it counts for all that was put aside, in two hours");
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

    /// Which model is asked.
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
        let end = match &outcome {
            Ok(Event::End { usage, .. }) => (*usage, None),
            Ok(event) => {
                open.begun.count(event, now);
                return Ok(outcome);
            }
            Err(failure) => (None, Some(failure.kind)),
        };
        if let Some(Open { begun, .. }) = self.open.take() {
            begun.end(end).await;
        }
        Ok(outcome)
    }

    /// Begins an attempt.
    async fn attempt(&mut self) -> Result<Result<Open, ModelFailure>, AskError> {
        tokio::time::sleep(std::mem::take(&mut self.pause)).await;
        let (provider, price, prices) = match self.provider() {
            Ok(found) => found,
            Err(failure) => return Ok(Err(failure)),
        };
        // Nothing is put aside while it waits for its turn.
        let seat = match provider.seat(self.inquiry.time).await {
            Ok(seat) => seat,
            Err(failure) => return Ok(Err(failure)),
        };
        let mut begun = self.begin(price, prices).await?;
        let key = begun.call.to_string();
        let question = Question { ask: &self.inquiry.ask, key: &key };
        begun.asked = true;
        match Seat::ask(seat, question).await {
            Ok(pieces) => Ok(Ok(Open { begun, pieces })),
            Err(failure) => {
                // One that said no took nothing; of one that said nothing, nobody knows.
                let unknown = matches!(failure.kind, Kind::TimedOut | Kind::Broken);
                let usage = (!unknown).then(Usage::default);
                begun.end((usage, Some(failure.kind))).await;
                Ok(Err(failure))
            }
        }
    }

    /// Who is asked, and by which price.
    fn provider(&mut self) -> Result<(Arc<Provider>, Price, String), ModelFailure> {
        let none = |why: String| ModelFailure::new(Kind::NoSuchModel, why);
        let model = self.model().cloned();
        let ModelName { provider: name, name: model } =
            model.ok_or_else(|| none("there is no model to ask".to_owned()))?;
        let provider = self.engine.models.get(&name).cloned();
        let provider = provider
            .ok_or_else(|| none(format!("there is no provider {name:?}: settings name them")))?;
        let listed = provider.parts().prices.of(&model).ok_or_else(|| {
            none(format!(
                "no price is set for {model:?} of {name:?}: what it takes could not be bounded"
            ))
        })?;
        let (price, version) = (listed.price, listed.version.to_owned());
        self.inquiry.ask.model = model;
        Ok((provider, price, version))
    }

    /// Writes an attempt down, with what it may take.
    async fn begin(&mut self, price: Price, prices: String) -> Result<Begun, AskError> {
        let ModelName { provider, name: model } = self
            .model()
            .cloned()
            .unwrap_or_else(|| ModelName { provider: String::new(), name: String::new() });
        let most = Usage {
            input_tokens: estimate::of_ask(&self.inquiry.ask),
            output_tokens: self.inquiry.ask.output_tokens_max.into(),
            ..Usage::default()
        };
        let held = Spend { tokens: most.total(), cost_micros: price.cost_micros_max(&most) };
        let at = self.engine.now();
        let call = ModelCallId::new(at, &*self.engine.rng);
        let target = format!("{provider}/{model}");
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
            provider,
            model,
            held,
            prices,
            begun_at: at,
            end: None,
        };
        let mut audit = self.audit.clone().on(target).detail("call", call);
        audit.record.at = at;
        let audit =
            audit.detail("tokens_max", held.tokens).detail("cost_micros_max", held.cost_micros);
        let change = Change::recorded(audit).write(Write::Model(ModelWrite::Begin(written.into())));
        // Before it is written: where nobody waits for that any more, it may be written all the same.
        let mut begun = Begun {
            engine: Arc::clone(&self.engine),
            call,
            price,
            at,
            most,
            asked: false,
            output_bytes: 0,
            first: None,
            over: false,
        };
        match self.engine.commit(change).await {
            Ok(()) => Ok(begun),
            Err(StoreError::Spent(id)) => {
                begun.over = true;
                Err(AskError::Spent(self.engine.spent_words(id, held).await))
            }
            Err(error) => Err(error.into()),
        }
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

    /// Writes down what it took; goes on with that when nobody waits for it.
    async fn end(mut self, (usage, failure): (Option<Usage>, Option<Kind>)) {
        if let Some(writing) = self.settle(usage, failure) {
            let _ = writing.await;
        }
    }

    fn settle(&mut self, usage: Option<Usage>, failure: Option<Kind>) -> Option<JoinHandle<()>> {
        if std::mem::replace(&mut self.over, true) {
            return None;
        }
        let (id, end) = (self.call, self.ended(self.engine.now(), usage, failure));
        let engine = Arc::clone(&self.engine);
        let runtime = tokio::runtime::Handle::try_current().ok()?;
        Some(runtime.spawn(async move { engine.end_model_call(id, end).await }))
    }

    /// How it ended. SECURITY: where nobody knows what it took, it counts for all that was put aside: leaving an answer
    /// early is no way to have it for less.
    fn ended(&self, at: Timestamp, usage: Option<Usage>, failure: Option<Kind>) -> ModelCallEnd {
        let unknown = || match (self.asked, failure) {
            (false, _) => Usage::default(),
            (true, Some(_)) => self.most,
            // It is whole, and its provider does not tell.
            (true, None) => Usage { output_tokens: self.output_bytes.div_ceil(3), ..self.most },
        };
        let told = usage.filter(|usage| usage.total() <= PLAUSIBLE_TOKENS_MAX);
        let estimated = told.is_none() && self.asked;
        let usage = told.unwrap_or_else(unknown);
        ModelCallEnd {
            at,
            usage,
            cost_micros: self.price.cost_micros(&usage).min(AMOUNT_MAX),
            estimated,
            first_micros: self.first.map(|first| first.since(self.at).as_micros() as u64),
            failure,
        }
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        self.settle(None, Some(Kind::Cancelled));
    }
}
