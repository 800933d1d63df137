//! Traces, sent to an OpenTelemetry collector (OTLP over HTTP, protocol buffers).

use async_trait::async_trait;
use opentelemetry::{
    InstrumentationScope, KeyValue, Value,
    trace::{SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState},
};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::{
    Resource,
    trace::{SpanData, SpanExporter as _},
};
use std::{
    collections::HashMap,
    str::FromStr as _,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use wardroom_core::Timestamp;
use wardroom_server::{Attribute, Outbound, OutboundError, Span, Spans};

/// Spans that wait to be sent; those beyond are dropped, and told of.
const WAITING_MAX: usize = 4096;
/// Spans that are sent together, and how long the first of them waits for others.
const TOGETHER_MAX: usize = 512;
const TOGETHER: Duration = Duration::from_secs(1);
/// How long a stop waits for what is left.
const FLUSH_TIME: Duration = Duration::from_secs(3);

/// Where traces go, and how many of those that begin here.
pub(crate) struct TraceRules {
    /// The collector's address for traces.
    pub(crate) endpoint: String,
    /// What it is shown with each request.
    pub(crate) headers: HashMap<String, String>,
    /// Of a hundred traces that begin here, how many are recorded.
    pub(crate) percent: u8,
    /// Asks the outside.
    pub(crate) outbound: Outbound,
}

/// Takes spans, and has them sent.
struct Waiting {
    spans: mpsc::Sender<Span>,
    percent: u8,
    dropped: Arc<AtomicU64>,
}

impl Spans for Waiting {
    fn take(&self, span: Span) {
        if self.spans.try_send(span).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn samples(&self, trace: &[u8; 16]) -> bool {
        // Evenly by the trace's last bytes, which are random (W3C Trace Context, level 2, §3.2.2.3).
        let [.., high, low] = trace;
        let place = u32::from(u16::from_be_bytes([*high, *low]));
        place * 100 < u32::from(self.percent) * 65_536
    }
}

/// Asks the collector as everything outside is asked: only where settings allow it.
#[derive(Clone)]
struct Collector(Outbound);

impl std::fmt::Debug for Collector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Collector")
    }
}

#[async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (parts, body) = request.into_parts();
        let asked = self.0.request(parts.method, &parts.uri.to_string())?;
        let (status, body) = match self.0.send(asked.headers(parts.headers).body(body)).await {
            Ok((_, body)) => (200, body),
            Err(OutboundError::Status(status, body)) => (status, body),
            Err(error) => return Err(error.into()),
        };
        Ok(Response::builder().status(status).body(Bytes::from(body))?)
    }
}

/// Takes spans, and what sends them until it is told to stop.
pub(crate) fn open(
    rules: TraceRules,
    stop: CancellationToken,
) -> anyhow::Result<(Arc<dyn Spans>, impl Future<Output = ()> + Send)> {
    let mut exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(Collector(rules.outbound))
        .with_endpoint(rules.endpoint)
        .with_headers(rules.headers)
        .build()?;
    let about = [KeyValue::new("service.version", env!("CARGO_PKG_VERSION"))];
    let resource = Resource::builder().with_service_name("wardroom").with_attributes(about).build();
    exporter.set_resource(&resource);
    let (spans, waiting) = mpsc::channel(WAITING_MAX);
    let dropped = Arc::new(AtomicU64::new(0));
    let taken = Waiting { spans, percent: rules.percent, dropped: Arc::clone(&dropped) };
    Ok((Arc::new(taken), send(exporter, waiting, dropped, stop)))
}

async fn send(
    exporter: SpanExporter,
    mut waiting: mpsc::Receiver<Span>,
    dropped: Arc<AtomicU64>,
    stop: CancellationToken,
) {
    let scope =
        InstrumentationScope::builder("wardroom").with_version(env!("CARGO_PKG_VERSION")).build();
    let mut failing = false;
    let mut export = async |spans: &mut Vec<Span>| {
        let batch = spans.drain(..).map(|span| data(span, &scope)).collect();
        let sent = exporter.export(batch).await;
        if let Err(error) = &sent
            && !failing
        {
            tracing::warn!(%error, "traces can't be sent: those that wait are lost until they can");
        }
        failing = sent.is_err();
        let dropped = dropped.swap(0, Ordering::Relaxed);
        if dropped > 0 {
            tracing::warn!(dropped, "spans came faster than the collector takes them");
        }
    };
    let mut spans = Vec::with_capacity(TOGETHER_MAX);
    loop {
        tokio::select! {
            taken = waiting.recv_many(&mut spans, TOGETHER_MAX) => if taken == 0 { return },
            () = stop.cancelled() => break,
        }
        let more = async {
            while spans.len() < TOGETHER_MAX {
                match waiting.recv().await {
                    Some(span) => spans.push(span),
                    None => return,
                }
            }
        };
        tokio::select! {
            () = more => {}
            () = tokio::time::sleep(TOGETHER) => {}
            () = stop.cancelled() => {}
        }
        export(&mut spans).await;
    }
    let rest = async {
        while let Ok(span) = waiting.try_recv() {
            spans.push(span);
        }
        if !spans.is_empty() {
            export(&mut spans).await;
        }
    };
    let _ = tokio::time::timeout(FLUSH_TIME, rest).await;
}

fn data(span: Span, scope: &InstrumentationScope) -> SpanData {
    let context = span.context;
    let flags = if context.sampled { TraceFlags::SAMPLED } else { TraceFlags::default() };
    let state = TraceState::from_str(&context.state).unwrap_or_default();
    let trace = TraceId::from_bytes(context.trace);
    let (parent, remote) = span.parent.unwrap_or_default();
    let attributes = span.attributes.into_iter().map(|(name, value)| {
        let value = match value {
            Attribute::Text(text) => Value::from(text),
            Attribute::Number(number) => Value::from(number),
        };
        KeyValue::new(name, value)
    });
    SpanData {
        span_context: SpanContext::new(
            trace,
            SpanId::from_bytes(context.span),
            flags,
            false,
            state,
        ),
        parent_span_id: SpanId::from_bytes(parent),
        parent_span_is_remote: remote,
        span_kind: match span.kind {
            wardroom_server::SpanKind::Server => SpanKind::Server,
            wardroom_server::SpanKind::Client => SpanKind::Client,
        },
        name: span.name.into(),
        start_time: time(span.begun),
        end_time: time(span.ended),
        attributes: attributes.collect(),
        dropped_attributes_count: 0,
        events: Default::default(),
        links: Default::default(),
        // SECURITY: without the error's words, which may hold what the request was about.
        status: if span.error.is_some() { Status::error("") } else { Status::Unset },
        instrumentation_scope: scope.clone(),
    }
}

fn time(at: Timestamp) -> SystemTime {
    let micros = u64::try_from(at.as_micros()).unwrap_or_default();
    UNIX_EPOCH + Duration::from_micros(micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_traces_are_recorded_as_was_said() {
        let waiting = |percent| {
            let (spans, _) = mpsc::channel(1);
            Waiting { spans, percent, dropped: Arc::default() }
        };
        let count = |percent| {
            let waiting = waiting(percent);
            let all = (0..=u16::MAX).map(|place| {
                let [high, low] = place.to_be_bytes();
                let mut trace = [7; 16];
                trace[14..].copy_from_slice(&[high, low]);
                trace
            });
            all.filter(|trace| waiting.samples(trace)).count()
        };
        assert_eq!((count(0), count(100)), (0, 65_536));
        assert!((16_383..=16_385).contains(&count(25)), "{}", count(25));
    }
}
