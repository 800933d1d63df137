//! An attempt at a model, from the change that writes it down to the one that says what it took.

use super::Provider;
use crate::{Engine, measure::ModelMeasure};
use std::{sync::Arc, time::Duration};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use wardroom_core::{
    ModelCallId, Timestamp,
    change::Write,
    model::{AMOUNT_MAX, Event, ModelCallEnd, ModelFailureKind as Kind, ModelWrite, Price, Usage},
};

/// More tokens than this no answer takes: whoever tells so tells nothing.
const PLAUSIBLE_TOKENS_MAX: u64 = 1 << 32;

/// An attempt that is on record. Where it is dropped, nobody waits for it any more.
pub(super) struct Begun {
    pub(super) engine: Arc<Engine>,
    pub(super) call: ModelCallId,
    pub(super) price: Price,
    pub(super) at: Timestamp,
    /// What it may take at most.
    pub(super) most: Usage,
    /// Whether the provider was asked.
    pub(super) asked: bool,
    pub(super) output_bytes: u64,
    pub(super) first: Option<Timestamp>,
    pub(super) over: bool,
    /// Goes off when whoever asks leaves it to whoever comes next.
    pub(super) leaving: Option<CancellationToken>,
    /// Who is asked, and for which model.
    pub(super) provider: Arc<Provider>,
    pub(super) model: String,
}

impl Begun {
    /// Counts a piece of its answer.
    pub(super) fn count(&mut self, event: &Event, now: Timestamp) {
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
    pub(super) async fn end(mut self, (usage, failure): (Option<Usage>, Option<Kind>)) {
        if let Some(writing) = self.settle(usage, failure) {
            let _ = writing.await;
        }
    }

    fn settle(&mut self, usage: Option<Usage>, failure: Option<Kind>) -> Option<JoinHandle<()>> {
        if std::mem::replace(&mut self.over, true) {
            return None;
        }
        let (id, end) = (self.call, self.ended(self.engine.now(), usage, failure));
        self.measure(&end);
        let engine = Arc::clone(&self.engine);
        let runtime = tokio::runtime::Handle::try_current().ok()?;
        Some(runtime.spawn(async move { engine.end_model_call(id, end).await }))
    }

    /// Tells whoever keeps numbers. One that was not asked took nothing.
    fn measure(&self, end: &ModelCallEnd) {
        let Some(meter) = self.engine.meter().filter(|_| self.asked) else { return };
        let parts = self.provider.parts();
        meter.model(&ModelMeasure {
            kind: parts.kind,
            provider: parts.name.clone(),
            // SECURITY: programs ask for models by names of their own making, and each label is kept for ever.
            model: parts.models.contains(&self.model).then(|| self.model.clone()),
            took: end.at.since(self.at),
            first: end.first_micros.map(Duration::from_micros),
            usage: (!end.estimated).then_some(end.usage),
            failure: end.failure,
        });
    }

    /// How it ended. SECURITY: where nobody knows what it took, it counts for all that was put aside: leaving an answer
    /// early is no way to have it for less.
    pub(super) fn ended(
        &self,
        at: Timestamp,
        usage: Option<Usage>,
        failure: Option<Kind>,
    ) -> ModelCallEnd {
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
        if self.leaving.as_ref().is_some_and(CancellationToken::is_cancelled) {
            return;
        }
        self.settle(None, Some(Kind::Cancelled));
    }
}

/// What an answer took, to be written down together with what follows from it. Dropped, it is written down by itself.
pub struct Settlement {
    pub(super) begun: Begun,
    pub(super) usage: Option<Usage>,
}

impl Settlement {
    /// The write, and what it took.
    pub fn write(&mut self) -> (Write, Usage, u64) {
        let end = self.begun.ended(self.begun.engine.now(), self.usage, None);
        let (usage, cost_micros) = (end.usage, end.cost_micros);
        (Write::Model(ModelWrite::End { id: self.begun.call, end }), usage, cost_micros)
    }

    /// It is written down.
    pub fn done(mut self) {
        let end = self.begun.ended(self.begun.engine.now(), self.usage, None);
        self.begun.measure(&end);
        self.begun.over = true;
    }
}

impl Drop for Settlement {
    fn drop(&mut self) {
        self.begun.settle(self.usage, None);
    }
}
