//! Spans, from their beginning until whoever takes them has them.

use super::TraceContext;
use std::sync::Arc;
use wardroom_core::{Clock, Rng, Timestamp};

/// On which side of a request a span is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpanKind {
    /// It is answered here.
    Server,
    /// It is asked here.
    Client,
}

/// What is told of a span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attribute {
    /// In words.
    Text(String),
    /// As a number.
    Number(i64),
}

/// A span that ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// What it was, for people.
    pub name: String,
    /// On which side.
    pub kind: SpanKind,
    /// Its own place.
    pub context: TraceContext,
    /// The span that it is a part of, and whether that is somebody else's.
    pub parent: Option<([u8; 8], bool)>,
    /// When it began.
    pub begun: Timestamp,
    /// When it ended.
    pub ended: Timestamp,
    /// What is told of it, by the names of the conventions.
    pub attributes: Vec<(&'static str, Attribute)>,
    /// The kind of error with which it ended.
    pub error: Option<String>,
}

/// Takes spans.
pub trait Spans: Send + Sync {
    /// Takes one, and waits for nothing.
    fn take(&self, span: Span);
    /// Whether a trace that begins here is recorded.
    fn samples(&self, trace: &[u8; 16]) -> bool;
}

/// Begins spans.
pub struct Tracer {
    /// Takes them.
    pub spans: Arc<dyn Spans>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub rng: Arc<dyn Rng>,
}

/// A span that goes on. Let go of without an outcome, it was cancelled.
pub struct OpenSpan {
    tracer: Arc<Tracer>,
    span: Span,
}

impl Tracer {
    /// Begins one, as a part of what the request's parameters name, and names it in them.
    pub fn begin(
        self: &Arc<Self>,
        kind: SpanKind,
        name: String,
        params: &mut crate::rpc::Object,
    ) -> OpenSpan {
        let parent = TraceContext::of(params);
        let mut own = [0; 8];
        self.rng.fill(&mut own);
        let context = match &parent {
            Some(parent) => TraceContext { span: own, ..parent.clone() },
            None => {
                let mut trace = [0; 16];
                self.rng.fill(&mut trace);
                let sampled = self.spans.samples(&trace);
                TraceContext { trace, span: own, sampled, state: String::new() }
            }
        };
        context.put(params);
        let now = self.clock.now();
        // What is asked here is a part of what is answered here.
        let parent = parent.map(|parent| (parent.span, kind == SpanKind::Server));
        let attributes = vec![];
        let cancelled = Some("cancelled".to_owned());
        let span = Span {
            name,
            kind,
            context,
            parent,
            begun: now,
            ended: now,
            attributes,
            error: cancelled,
        };
        OpenSpan { tracer: Arc::clone(self), span }
    }
}

impl OpenSpan {
    /// Tells something of it.
    pub fn tell(&mut self, name: &'static str, value: impl Into<Attribute>) {
        self.span.attributes.push((name, value.into()));
    }

    /// Ends it, with this kind of error where it ended with one.
    pub fn end(mut self, error: Option<String>) {
        self.span.error = error;
    }
}

impl Drop for OpenSpan {
    fn drop(&mut self) {
        if !self.span.context.sampled {
            return;
        }
        let mut span = self.span.clone();
        span.ended = self.tracer.clock.now();
        if let Some(error) = &span.error {
            span.attributes.push(("error.type", Attribute::Text(error.clone())));
        }
        self.tracer.spans.take(span);
    }
}

impl From<String> for Attribute {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for Attribute {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<i64> for Attribute {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}
