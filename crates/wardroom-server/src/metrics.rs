//! What is counted and measured, for Prometheus, on a listener of its own.

use crate::{App, gen_ai::GenAi};
use axum::http::Method;
use prometheus_client::{
    encoding::{
        EncodeLabelSet,
        text::{encode_eof, encode_registry},
    },
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::net::TcpListener;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    method: &'static str,
    route: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Event {
    event: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct State {
    state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Filtered {
    rule: &'static str,
    mode: &'static str,
}

/// Seconds; from a cached page to a stuck one.
const BUCKETS: [f64; 10] = [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0];

/// SECURITY: a client may send any token for a method, and each label is kept for ever.
fn known(method: &Method) -> &'static str {
    [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
        Method::OPTIONS,
    ]
    .iter()
    .zip(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
    .find_map(|(known, name)| (known == method).then_some(name))
    .unwrap_or("other")
}

/// What is counted and measured.
pub struct Metrics {
    registry: Mutex<Registry>,
    gen_ai: GenAi,
    requests: Family<Request, Counter>,
    duration: Histogram,
    refused: Family<Event, Counter>,
    filtered: Family<Filtered, Counter>,
    connections_refused: Counter,
    handshakes_failed: Counter,
    links: Gauge,
    nodes: Family<State, Gauge>,
    runs: Family<State, Gauge>,
    audit_records: Gauge,
    audit_pending: Gauge,
    store_up: Gauge,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("wardroom");
        let requests = Family::default();
        let duration = Histogram::new(BUCKETS);
        let refused = Family::default();
        let filtered = Family::default();
        registry.register(
            "requests_filtered",
            "Requests that have the form of an attack, by rule and what was done",
            filtered.clone(),
        );
        let connections_refused = Counter::default();
        let handshakes_failed = Counter::default();
        let links = Gauge::default();
        let nodes = Family::default();
        let runs = Family::default();
        let audit_records = Gauge::default();
        let audit_pending = Gauge::default();
        let store_up = Gauge::default();
        registry.register(
            "http_requests",
            "Requests answered, by route and status",
            requests.clone(),
        );
        registry.register(
            "http_request_duration_seconds",
            "Time until a request was answered",
            duration.clone(),
        );
        registry.register(
            "refusals",
            "Refused credentials and cross-site requests, by event",
            refused.clone(),
        );
        registry.register(
            "connections_refused",
            "Connections over a bound",
            connections_refused.clone(),
        );
        registry.register(
            "tls_handshakes_failed",
            "TLS handshakes that did not finish",
            handshakes_failed.clone(),
        );
        registry.register("node_links", "Open node links", links.clone());
        registry.register("nodes", "Nodes by state", nodes.clone());
        registry.register("runs", "Runs by state; ended ones of the last 24 hours", runs.clone());
        registry.register("audit_records", "Records in the audit log", audit_records.clone());
        registry.register(
            "audit_records_pending",
            "Records that wait for their place",
            audit_pending.clone(),
        );
        registry.register("store_up", "1 when the database answers", store_up.clone());
        Self {
            registry: Mutex::new(registry),
            gen_ai: GenAi::new(),
            requests,
            duration,
            refused,
            filtered,
            connections_refused,
            handshakes_failed,
            links,
            nodes,
            runs,
            audit_records,
            audit_pending,
            store_up,
        }
    }

    /// Keeps numbers about models and agents.
    pub(crate) fn gen_ai(&self) -> GenAi {
        self.gen_ai.clone()
    }

    pub(crate) fn request(&self, method: &Method, route: &str, status: u16, took: Duration) {
        let labels = Request { method: known(method), route: route.to_owned(), status };
        self.requests.get_or_create(&labels).inc();
        self.duration.observe(took.as_secs_f64());
    }

    pub(crate) fn refused(&self, event: &str) {
        self.refused.get_or_create(&Event { event: event.to_owned() }).inc();
    }

    /// A rule of the request filter recognised something.
    pub(crate) fn filtered(&self, rule: &'static str, blocked: bool) {
        let mode = if blocked { "block" } else { "detect" };
        self.filtered.get_or_create(&Filtered { rule, mode }).inc();
    }

    pub(crate) fn connection_refused(&self) {
        self.connections_refused.inc();
    }

    pub(crate) fn handshake_failed(&self) {
        self.handshakes_failed.inc();
    }

    /// Reads what is not counted as it happens.
    async fn refresh(&self, app: &App) -> Result<(), wardroom_core::store::StoreError> {
        use wardroom_core::{
            node::NodeState,
            page::{PAGE_ITEMS_MAX, PageRequest},
            run::RunState,
        };
        let now = app.engine.now();
        self.links.set(app.engine.links_open() as i64);
        let store = app.engine.store();
        let health = store.health().await?;
        self.audit_pending.set(health.audit_pending as i64);
        self.audit_records.set(store.audit_head().await?.0 as i64);
        let since = now.minus(Duration::from_secs(86_400));
        let counted = store.count_runs_by_state(since).await?;
        for state in RunState::ALL {
            let count =
                counted.iter().find(|(found, _)| found == state).map_or(0, |(_, count)| *count);
            self.runs.get_or_create(&State { state: state.as_str() }).set(count as i64);
        }
        let mut counts = std::collections::BTreeMap::<NodeState, i64>::new();
        let mut page = PageRequest::new(None, PAGE_ITEMS_MAX);
        loop {
            let found = store.list_nodes(page).await?;
            for node in &found.items {
                *counts.entry(node.state(now)).or_default() += 1;
            }
            match found.next {
                Some(after) => page = PageRequest::new(Some(after), PAGE_ITEMS_MAX),
                None => break,
            }
        }
        for state in NodeState::ALL {
            let count = counts.get(&state).copied().unwrap_or(0);
            self.nodes.get_or_create(&State { state: state.as_str() }).set(count);
        }
        Ok(())
    }

    async fn text(&self, app: &App) -> String {
        match self.refresh(app).await {
            Ok(()) => self.store_up.set(1),
            Err(error) => {
                tracing::warn!(%error, "metrics could not be read from the store");
                self.store_up.set(0)
            }
        };
        let mut text = String::new();
        let registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        let told = encode_registry(&mut text, &registry)
            .and_then(|()| self.gen_ai.tell(&mut text))
            .and_then(|()| encode_eof(&mut text));
        if told.is_err() {
            text.clear();
        }
        text
    }
}

/// Serves `/metrics` over plain HTTP on a loopback listener until the application stops.
pub async fn serve_metrics(app: Arc<App>, listener: TcpListener) -> std::io::Result<()> {
    use axum::{Router, http::header, routing::get};
    let stop = app.stop.clone();
    let router = Router::new().route(
        "/metrics",
        get(move || {
            let app = Arc::clone(&app);
            async move {
                let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
                ([(header::CONTENT_TYPE, kind)], app.metrics.text(&app).await)
            }
        }),
    );
    axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await
}
