//! Asking a model: each attempt is on record with what it may take before the provider hears of it, and what it took
//! comes in its place. Who can't answer is asked again, or the next in the chain is.

use super::{
    Provider,
    begun::{Begun, Settlement},
    known::Known,
    listening::Listening,
    provider::Seat,
};
use crate::{Engine, EngineError};
use std::{collections::VecDeque, sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;
use wardroom_core::{
    ApiTokenId, BudgetId, CustomerId, Door, ModelCallId, OauthClientId, RunId, UserId,
    agent::ModelName,
    audit::AuditDraft,
    change::{Change, Write},
    model::{
        Ask, Course, Event, ModelCall, ModelCallEnd, ModelFailure, ModelFailureKind as Kind,
        ModelWrite, Pieces, Price, Question, Spend, Usage, estimate,
    },
    steps::{Limit, Room},
    store::{StoreError, StoreResult},
};

/// How often it is tried to write down what a question took, and the pause between tries.
const END_TRIES_MAX: u32 = 10;
const END_PAUSE: Duration = Duration::from_secs(1);

/// Why an answer is none that has a secret in it.
const CARRIES_SECRET: &str = "the answer would have carried a secret that is kept here";

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
    /// What is left of the run that it is for: the answer is no longer than that.
    pub room: Option<Room>,
}

/// What whoever asks writes down with each attempt, in the same change.
pub trait Along: Send {
    /// The writes: an attempt of this id begins, and those since the last one that was written down took this all the same.
    fn write(&mut self, call: ModelCallId, wasted: Spend) -> StoreResult<Vec<Write>>;
    /// They are durable.
    fn written(&mut self);
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
    /// The run that it is for has not.
    #[error("the run is at its limit of {}", .0.as_str())]
    Limit(Limit),
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
    /// As long an answer as is wanted, in tokens.
    wanted: u32,
    along: Option<Box<dyn Along>>,
    leaving: Option<CancellationToken>,
    /// What attempts took since `along` was last told.
    wasted: Spend,
    /// An attempt that was on record before somebody listened, and goes on.
    resumed: Option<ModelCall>,
    /// What is to be written down, where whoever asks does so.
    settlement: Option<Settlement>,
}

/// An attempt that is under way.
struct Open {
    begun: Begun,
    pieces: Box<dyn Pieces>,
    listening: Listening,
    /// What is to be passed on.
    ready: VecDeque<Event>,
}

impl Open {
    /// The next piece. SECURITY: what has a secret in it goes no further, whoever asked.
    async fn next(&mut self) -> Result<Event, ModelFailure> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Ok(event);
            }
            let event = self.pieces.next().await?;
            let passed = self.listening.pass(event);
            let carries = |_| ModelFailure::new(Kind::Refused, CARRIES_SECRET);
            self.ready.extend(passed.map_err(carries)?);
        }
    }
}

impl Engine {
    /// Asks. Nothing happens before somebody listens.
    pub fn ask_model(self: &Arc<Self>, inquiry: Inquiry, audit: AuditDraft) -> Answering {
        let course = Course::new(inquiry.chain.len(), inquiry.attempts_max, inquiry.backoff);
        let engine = Arc::clone(self);
        let wanted = inquiry.ask.output_tokens_max;
        Answering {
            engine,
            inquiry,
            audit,
            course,
            pause: Duration::ZERO,
            open: None,
            heard: false,
            wanted,
            along: None,
            leaving: None,
            wasted: Spend::default(),
            resumed: None,
            settlement: None,
        }
    }

    /// Writes down what a question took.
    pub(super) async fn end_model_call(&self, id: ModelCallId, end: ModelCallEnd) {
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
    /// Whoever asks writes something down with each attempt, and what the answer took by its [`Settlement`]. What is
    /// dropped once `leaving` went off stays as it is on record, for whoever goes on with it.
    #[must_use]
    pub fn along(self, along: Box<dyn Along>, leaving: CancellationToken) -> Self {
        Self { along: Some(along), leaving: Some(leaving), ..self }
    }

    /// Goes on with an attempt that is on record and of which nobody knows what came of it: its provider gets the same
    /// key again, and it counts once. What one took that has an end, or that can't be asked again, counts as wasted.
    pub async fn resume(mut self, call: ModelCall) -> StoreResult<Self> {
        let is_it = |of: &ModelName| (&of.provider, &of.name) == (&call.provider, &call.model);
        match (&call.end, self.inquiry.chain.iter().position(is_it)) {
            (Some(end), _) => self.wasted = end.spend(),
            (None, Some(at)) => {
                self.course = self.course.clone().from(at);
                self.resumed = Some(call);
            }
            (None, None) => self.lost(call).await?,
        }
        Ok(self)
    }

    /// Nobody will hear what came of an attempt: it counts for all that was put aside.
    async fn lost(&mut self, call: ModelCall) -> StoreResult<()> {
        let end = ModelCallEnd::lost(&call, self.engine.now());
        let took = end.spend();
        self.wasted.tokens = self.wasted.tokens.saturating_add(took.tokens);
        self.wasted.cost_micros = self.wasted.cost_micros.saturating_add(took.cost_micros);
        let end = Write::Model(ModelWrite::End { id: call.id, end });
        self.engine.commit(Change::default().write(end)).await
    }

    /// What the whole answer took, where whoever asked writes that down.
    pub fn settlement(&mut self) -> Option<Settlement> {
        self.settlement.take()
    }

    /// What attempts took that brought no answer.
    pub const fn wasted(&self) -> Spend {
        self.wasted
    }

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
        let outcome = open.next().await;
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
            match (end, &self.along) {
                ((usage, None), Some(_)) => self.settlement = Some(Settlement { begun, usage }),
                (end, _) => self.over(begun, end).await,
            }
        }
        Ok(outcome)
    }

    /// An attempt is over that brought no answer.
    async fn over(&mut self, begun: Begun, (usage, failure): (Option<Usage>, Option<Kind>)) {
        let took = begun.ended(begun.at, usage, failure).spend();
        self.wasted.tokens = self.wasted.tokens.saturating_add(took.tokens);
        self.wasted.cost_micros = self.wasted.cost_micros.saturating_add(took.cost_micros);
        begun.end((usage, failure)).await;
    }

    /// Begins an attempt.
    async fn attempt(&mut self) -> Result<Result<Open, ModelFailure>, AskError> {
        tokio::time::sleep(std::mem::take(&mut self.pause)).await;
        let known = self.known().await?;
        let (provider, price, prices) = match self.provider() {
            Ok(found) => found,
            Err(failure) => return Ok(Err(failure)),
        };
        // Nothing is put aside while it waits for its turn.
        let seat = match provider.seat(self.inquiry.time).await {
            Ok(seat) => seat,
            Err(failure) => return Ok(Err(failure)),
        };
        let resumed = self.resumed.take();
        let asked = self.model().map(|model| (model.provider.clone(), model.name.clone()));
        let is_it = |call: &ModelCall| asked == Some((call.provider.clone(), call.model.clone()));
        let mut begun = match resumed {
            Some(call) if is_it(&call) => self.go_on(&provider, price, &call)?,
            resumed => {
                // Who was asked before can't be asked now.
                if let Some(call) = resumed {
                    self.lost(call).await?;
                }
                self.begin(&provider, price, prices).await?
            }
        };
        let key = begun.call.to_string();
        let question = Question { ask: &self.inquiry.ask, key: &key };
        begun.asked = true;
        match Seat::ask(seat, question).await {
            Ok(pieces) => {
                let listening = Listening::new(known);
                Ok(Ok(Open { begun, pieces, listening, ready: VecDeque::new() }))
            }
            Err(failure) => {
                // One that said no took nothing; of one that said nothing, nobody knows.
                let unknown = matches!(failure.kind, Kind::TimedOut | Kind::Broken);
                let usage = (!unknown).then(Usage::default);
                self.over(begun, (usage, Some(failure.kind))).await;
                Ok(Err(failure))
            }
        }
    }

    /// The secrets that are known. SECURITY: none of them is in what is said in the question from here on.
    async fn known(&mut self) -> StoreResult<Arc<Known>> {
        let known = self.engine.known_secrets().await.map_err(|error| match error {
            EngineError::Store(error) => error,
            error => StoreError::Other(error.to_string()),
        })?;
        known.take_out_of(&mut self.inquiry.ask);
        Ok(known)
    }

    /// Who is asked, and by which price.
    fn provider(&mut self) -> Result<(Arc<Provider>, Price, String), ModelFailure> {
        let none = |why: String| ModelFailure::new(Kind::NoSuchModel, why);
        let model = self.model().cloned();
        let ModelName { provider: name, name: model } =
            model.ok_or_else(|| none("there is no model to ask".to_owned()))?;
        let provider = self.engine.models.get(&name).cloned();
        let provider = provider.ok_or_else(|| {
            let known: Vec<&str> =
                self.engine.models.iter().map(|one| one.parts().name.as_str()).collect();
            none(format!(
                "there is no provider {name:?}; the file about models names: {}",
                if known.is_empty() { "none".to_owned() } else { known.join(", ") }
            ))
        })?;
        let listed = provider.parts().prices.of(&model).ok_or_else(|| {
            none(format!(
                "no price is set for {model:?} of {name:?}: what it takes could not be bounded"
            ))
        })?;
        let (price, version) = (listed.price, listed.version.to_owned());
        self.inquiry.ask.model = model;
        Ok((provider, price, version))
    }

    /// What the next attempt may take, within what is left of the run that it is for.
    fn most(&mut self, price: &Price) -> Result<Usage, AskError> {
        let input_tokens = estimate::of_ask(&self.inquiry.ask);
        let longest = match self.inquiry.room {
            Some(room) => {
                let left = Spend {
                    tokens: room.left.tokens.saturating_sub(self.wasted.tokens),
                    cost_micros: room.left.cost_micros.saturating_sub(self.wasted.cost_micros),
                };
                let longest = Room { left }.output_tokens_max(input_tokens, self.wanted, price);
                longest.map_err(AskError::Limit)?
            }
            None => self.wanted,
        };
        self.inquiry.ask.output_tokens_max = longest;
        Ok(Usage { input_tokens, output_tokens: longest.into(), ..Usage::default() })
    }

    /// An attempt that is on record already.
    fn go_on(
        &mut self,
        provider: &Arc<Provider>,
        price: Price,
        call: &ModelCall,
    ) -> Result<Begun, AskError> {
        let most = self.most(&price)?;
        Ok(Begun {
            engine: Arc::clone(&self.engine),
            call: call.id,
            price,
            at: self.engine.now(),
            most,
            asked: false,
            output_bytes: 0,
            first: None,
            over: false,
            leaving: self.leaving.clone(),
            provider: Arc::clone(provider),
            model: call.model.clone(),
        })
    }

    /// Writes an attempt down, with what it may take.
    async fn begin(
        &mut self,
        asked: &Arc<Provider>,
        price: Price,
        prices: String,
    ) -> Result<Begun, AskError> {
        let (provider, model) = (asked.parts().name.clone(), self.inquiry.ask.model.clone());
        let most = self.most(&price)?;
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
        let mut change =
            Change::recorded(audit).write(Write::Model(ModelWrite::Begin(written.into())));
        if let Some(along) = &mut self.along {
            change.writes.extend(along.write(call, self.wasted)?);
        }
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
            leaving: self.leaving.clone(),
            provider: Arc::clone(asked),
            model: self.inquiry.ask.model.clone(),
        };
        match self.engine.commit(change).await {
            Ok(()) => {
                if let Some(along) = &mut self.along {
                    along.written();
                    self.wasted = Spend::default();
                }
                Ok(begun)
            }
            Err(StoreError::Spent(id)) => {
                begun.over = true;
                Err(AskError::Spent(self.engine.spent_words(id, held).await))
            }
            Err(error) => Err(error.into()),
        }
    }
}
