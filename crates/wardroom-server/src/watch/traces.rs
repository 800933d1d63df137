//! Spans, sent to an OpenTelemetry collector (OTLP 1.x over HTTP, binary protocol buffers).

use crate::{Outbound, OutboundError};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value},
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span as OtlpSpan, Status, span, status::StatusCode},
};
use prost::Message as _;
use reqwest::{
    Method,
    header::{CONTENT_TYPE, HeaderMap, HeaderValue},
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use wardroom_core::Timestamp;
use wardroom_gateway::trace::{Attribute, Span, SpanKind, SpanSink, Traces};

/// Spans that wait to be sent; those beyond are dropped, and told of.
const WAITING_MAX: usize = 4096;
/// Spans that are sent together, and how long the first of them waits for others.
const BATCH_MAX: usize = 512;
const BATCH_DELAY: Duration = Duration::from_secs(1);
/// How long spans may come after a stop, and how long sending what is left may take.
const STOP_QUIET: Duration = Duration::from_millis(500);
const STOP_TIME_MAX: Duration = Duration::from_secs(3);
const PROTOBUF: HeaderValue = HeaderValue::from_static("application/x-protobuf");
/// The flags of a span (OTLP, `SpanFlags`): recorded, and whether it is known that its parent is elsewhere.
const FLAGS: u32 = 0x1 | 0x100;
const FLAG_REMOTE_PARENT: u32 = 0x200;

/// Where traces go, and how many of those that begin here.
pub struct TraceRules {
    /// The collector's address for traces.
    pub endpoint: String,
    /// What it is shown with each request.
    pub headers: HeaderMap,
    /// Of a hundred traces that begin here, how many are recorded.
    pub percent: u8,
    /// Asks the collector.
    pub outbound: Outbound,
}

/// Spans that wait.
struct Queue {
    spans: mpsc::Sender<Span>,
    dropped: Arc<AtomicU64>,
}

impl SpanSink for Queue {
    fn export(&self, span: Span) {
        if self.spans.try_send(span).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Where spans go, and what sends them until it is told to stop.
pub fn open_traces(
    rules: TraceRules,
    stop: CancellationToken,
) -> (Traces, impl Future<Output = ()> + Send) {
    let (spans, waiting) = mpsc::channel(WAITING_MAX);
    let dropped = Arc::new(AtomicU64::new(0));
    let sink = Arc::new(Queue { spans, dropped: Arc::clone(&dropped) });
    let traces = Traces { sink, percent: rules.percent };
    let exporter = Exporter { rules, dropped, failing: false };
    (traces, send(exporter, waiting, stop))
}

async fn send(mut exporter: Exporter, mut waiting: mpsc::Receiver<Span>, stop: CancellationToken) {
    let sending = async {
        let mut spans = Vec::with_capacity(BATCH_MAX);
        loop {
            let quiet = async {
                stop.cancelled().await;
                tokio::time::sleep(STOP_QUIET).await;
            };
            tokio::select! {
                taken = waiting.recv_many(&mut spans, BATCH_MAX) => if taken == 0 { return },
                () = quiet => return,
            }
            let more = async {
                while spans.len() < BATCH_MAX {
                    let Some(span) = waiting.recv().await else { return };
                    spans.push(span);
                }
            };
            tokio::select! {
                () = more => {}
                () = tokio::time::sleep(BATCH_DELAY) => {}
                () = stop.cancelled() => {}
            }
            exporter.export(&mut spans).await;
        }
    };
    let too_long = async {
        stop.cancelled().await;
        tokio::time::sleep(STOP_TIME_MAX).await;
    };
    tokio::select! {
        () = sending => {}
        () = too_long => tracing::warn!("traces were not sent to their end before the stop"),
    }
}

struct Exporter {
    rules: TraceRules,
    dropped: Arc<AtomicU64>,
    failing: bool,
}

impl Exporter {
    /// Sends spans. What the collector does not take is lost: calls go on, and memory is bounded.
    async fn export(&mut self, spans: &mut Vec<Span>) {
        let body = request(spans.drain(..).map(otlp).collect()).encode_to_vec();
        let (endpoint, sent) = (&self.rules.endpoint, self.post(body).await);
        match &sent {
            Err(error) if !self.failing => {
                tracing::warn!(endpoint, %error, "traces can't be sent, and are lost until they can: look at otlp_traces_endpoint");
            }
            Ok(()) if self.failing => tracing::info!(endpoint, "traces are sent again"),
            _ => {}
        }
        self.failing = sent.is_err();
        let dropped = self.dropped.swap(0, Ordering::Relaxed);
        if dropped > 0 {
            tracing::warn!(dropped, "spans came faster than the collector takes them");
        }
    }

    async fn post(&self, body: Vec<u8>) -> Result<(), OutboundError> {
        let request = self.rules.outbound.request(Method::POST, &self.rules.endpoint)?;
        let request = request.headers(self.rules.headers.clone()).header(CONTENT_TYPE, PROTOBUF);
        self.rules.outbound.send(request.body(body)).await.map(drop)
    }
}

fn request(spans: Vec<OtlpSpan>) -> ExportTraceServiceRequest {
    let version = env!("CARGO_PKG_VERSION");
    let about = vec![text("service.name", "wardroom"), text("service.version", version)];
    let scope = InstrumentationScope {
        name: "wardroom".to_owned(),
        version: version.to_owned(),
        ..Default::default()
    };
    let spans = ScopeSpans { scope: Some(scope), spans, ..Default::default() };
    let resource = Resource { attributes: about, ..Default::default() };
    let all =
        ResourceSpans { resource: Some(resource), scope_spans: vec![spans], ..Default::default() };
    ExportTraceServiceRequest { resource_spans: vec![all] }
}

fn otlp(own: Span) -> OtlpSpan {
    let (parent, remote) = match own.parent {
        Some((parent, remote)) => (parent.to_vec(), remote),
        None => (vec![], false),
    };
    let attributes = own.attributes.into_iter().map(|(name, value)| match value {
        Attribute::Text(value) => text(name, &value),
        Attribute::Number(number) => attribute(name, Value::IntValue(number)),
    });
    // SECURITY: without the error's words, which may hold what the request was about.
    let failed = Status { message: String::new(), code: StatusCode::Error.into() };
    OtlpSpan {
        trace_id: own.context.trace_id.to_vec(),
        span_id: own.context.span_id.to_vec(),
        trace_state: own.context.tracestate,
        parent_span_id: parent,
        flags: FLAGS | if remote { FLAG_REMOTE_PARENT } else { 0 },
        name: own.name,
        kind: match own.kind {
            SpanKind::Server => span::SpanKind::Server.into(),
            SpanKind::Client => span::SpanKind::Client.into(),
        },
        start_time_unix_nano: nanos(own.start_time),
        end_time_unix_nano: nanos(own.end_time),
        attributes: attributes.collect(),
        status: own.error.map(|_| failed),
        ..Default::default()
    }
}

fn text(name: &str, value: &str) -> KeyValue {
    attribute(name, Value::StringValue(value.to_owned()))
}

fn attribute(name: &str, value: Value) -> KeyValue {
    let value = Some(AnyValue { value: Some(value) });
    KeyValue { key: name.to_owned(), value, ..Default::default() }
}

fn nanos(at: Timestamp) -> u64 {
    u64::try_from(at.as_micros()).unwrap_or_default().saturating_mul(1000)
}
