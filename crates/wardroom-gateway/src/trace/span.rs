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
    pub start_time: Timestamp,
    /// When it ended.
    pub end_time: Timestamp,
    /// What is told of it, by the names of the conventions.
    pub attributes: Vec<(&'static str, Attribute)>,
    /// The kind of error with which it ended.
    pub error: Option<String>,
}

/// Takes spans.
pub trait SpanSink: Send + Sync {
    /// Takes one, and waits for nothing.
    fn export(&self, span: Span);
}

/// Where spans go, and of how many traces.
#[derive(Clone)]
pub struct Traces {
    /// Takes them.
    pub sink: Arc<dyn SpanSink>,
    /// Of a hundred traces that begin here, how many are recorded.
    pub percent: u8,
}

/// Begins spans.
pub struct Tracer {
    /// Where they go.
    pub traces: Traces,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub rng: Arc<dyn Rng>,
}

/// A span that goes on. Let go of without an outcome, it was cancelled.
pub struct OpenSpan {
    tracer: Arc<Tracer>,
    span: Option<Span>,
    ended: bool,
}

impl Tracer {
    /// Begins one, as a part of what the request's parameters name, and names it in them.
    pub fn begin(
        self: &Arc<Self>,
        kind: SpanKind,
        name: String,
        params: &mut crate::rpc::Object,
    ) -> OpenSpan {
        let parent = TraceContext::extract(params);
        let mut own = [0; 8];
        self.rng.fill(&mut own);
        let context = match &parent {
            Some(parent) => TraceContext { span_id: own, ..parent.clone() },
            None => {
                let mut trace_id = [0; 16];
                self.rng.fill(&mut trace_id);
                let sampled = is_sampled(&trace_id, self.traces.percent);
                TraceContext { trace_id, span_id: own, sampled, tracestate: String::new() }
            }
        };
        context.inject(params);
        let now = self.clock.now();
        // What is asked here is a part of what is answered here.
        let parent = parent.map(|parent| (parent.span_id, kind == SpanKind::Server));
        let span = Span {
            name,
            kind,
            context,
            parent,
            start_time: now,
            end_time: now,
            attributes: vec![],
            error: None,
        };
        OpenSpan { tracer: Arc::clone(self), span: Some(span), ended: false }
    }
}

/// Whether a trace that begins here is recorded: evenly by its id's last bytes, which are random (W3C Trace Context, level
/// 2, «Random Trace ID Flag»).
fn is_sampled(trace_id: &[u8; 16], percent: u8) -> bool {
    let [.., high, low] = trace_id;
    let place = u32::from(u16::from_be_bytes([*high, *low]));
    place * 100 < u32::from(percent) * 65_536
}

impl OpenSpan {
    /// Tells something of it.
    pub fn set_attribute(&mut self, name: &'static str, value: impl Into<Attribute>) {
        if let Some(span) = &mut self.span {
            span.attributes.push((name, value.into()));
        }
    }

    /// Ends it, with this kind of error where it ended with one.
    pub fn end(mut self, error: Option<String>) {
        self.ended = true;
        if let Some(span) = &mut self.span {
            span.error = error;
        }
    }
}

impl Drop for OpenSpan {
    fn drop(&mut self) {
        let Some(mut span) = self.span.take().filter(|span| span.context.sampled) else { return };
        if !self.ended {
            span.error = Some("cancelled".to_owned());
        }
        span.end_time = self.tracer.clock.now();
        if let Some(error) = &span.error {
            span.attributes.push(("error.type", Attribute::Text(error.clone())));
        }
        self.tracer.traces.sink.export(span);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_traces_are_recorded_as_was_said() {
        let count = |percent| {
            let ids = (0..=u16::MAX).map(|place| {
                let [high, low] = place.to_be_bytes();
                let mut trace_id = [7; 16];
                trace_id[14..].copy_from_slice(&[high, low]);
                trace_id
            });
            ids.filter(|trace_id| is_sampled(trace_id, percent)).count()
        };
        assert_eq!((count(0), count(100)), (0, 65_536));
        assert!((16_383..=16_385).contains(&count(25)), "{}", count(25));
    }
}
