//! Traces that clients begin: passed on to tool servers, and told to a collector where there is one.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    unreachable_pub,
    missing_docs,
    reason = "tests"
)]

mod world;

use serde_json::{Value, json};
use world::{World, tool_server::ToolServer};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

async fn scene(more: &[String]) -> (World, ToolServer) {
    let mut settings = vec!["outbound_allow=127.0.0.0/8".to_owned()];
    settings.extend_from_slice(more);
    let world = World::with(&settings).await;
    let server = ToolServer::start().await;
    world.add_tools("test", &server.url).await;
    (world, server)
}

/// Calls `echo` in a trace, by `_meta`.
async fn call(world: &World, parent: &str, arguments: Value) -> Value {
    let own = json!({"traceparent": parent, "tracestate": "a=1", "baggage": "b=2"});
    let params = json!({"name": "echo", "arguments": arguments, "_meta": own});
    world.mcp(&world.token, "/mcp/test", "tools/call", params).await.1
}

fn heard(server: &ToolServer) -> Value {
    server.scene.last.lock().unwrap()["_meta"].clone()
}

#[tokio::test]
async fn a_trace_passes_through_by_parameters_and_by_headers() {
    let (world, server) = scene(&[]).await;
    let answered = call(&world, PARENT, json!({"text": "a"})).await;
    assert!(answered["result"].is_object(), "{answered}");
    let own = heard(&server);
    assert_eq!(
        (&own["traceparent"], &own["tracestate"], &own["baggage"]),
        (&json!(PARENT), &json!("a=1"), &json!("b=2"))
    );
    assert_eq!(world.records("tool.call").await[0]["detail"]["trace_id"], TRACE);
    // In a session, by headers alone.
    let session = world.open_session(&world.token, "/mcp/test").await;
    let params = json!({"name": "echo", "arguments": {"text": "b"}});
    let message = json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": params});
    let other = PARENT.replace("4bf9", "5bf9");
    for (parent, arrives) in [(other.as_str(), json!(other)), ("00-nonsense", Value::Null)] {
        let sent = world
            .client
            .post(world.at("/mcp/test"))
            .bearer_auth(&world.token)
            .header("accept", "application/json, text/event-stream")
            .header("mcp-session-id", &session)
            .header("mcp-protocol-version", "2025-11-25")
            .header("traceparent", parent)
            .json(&message);
        let text = sent.send().await.unwrap().text().await.unwrap();
        assert!(text.contains("content"), "{text}");
        assert_eq!(heard(&server)["traceparent"], arrives);
    }
}

#[cfg(feature = "otlp")]
mod collected {
    use super::*;
    use axum::{Router, body::Bytes, extract::State, http::HeaderMap, routing::post};
    use opentelemetry_proto::tonic::{
        collector::trace::v1::ExportTraceServiceRequest,
        common::v1::any_value,
        trace::v1::{Span, span::SpanKind, status::StatusCode},
    };
    use prost::Message as _;
    use std::{
        collections::BTreeMap,
        fs,
        sync::{Arc, Mutex},
    };
    use tokio::net::TcpListener;
    use world::wait_for;

    /// The key that was shown, and the message.
    type Sent = (Option<String>, Bytes);

    /// A collector, and what it was sent.
    #[derive(Clone, Default)]
    struct Collector {
        sent: Arc<Mutex<Vec<Sent>>>,
    }

    impl Collector {
        async fn open(&self) -> String {
            let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("http://{}/v1/traces", socket.local_addr().unwrap());
            let take = async |State(own): State<Self>, headers: HeaderMap, body: Bytes| {
                let shown = headers.get("x-key").map(|value| value.to_str().unwrap().to_owned());
                own.sent.lock().unwrap().push((shown, body));
            };
            let routes = Router::new().route("/v1/traces", post(take)).with_state(self.clone());
            tokio::spawn(async move { axum::serve(socket, routes).await });
            url
        }

        fn spans(&self) -> Vec<Span> {
            let sent = self.sent.lock().unwrap();
            let requests =
                sent.iter().map(|(_, body)| ExportTraceServiceRequest::decode(&body[..]));
            let resources = requests.flat_map(|request| request.unwrap().resource_spans);
            resources.flat_map(|own| own.scope_spans).flat_map(|scope| scope.spans).collect()
        }

        /// The spans of a trace, once all of them are there.
        async fn trace(&self, trace: &str, count: usize) -> Vec<Span> {
            wait_for("the spans", || async {
                let own = |span: &Span| data_encoding::HEXLOWER.encode(&span.trace_id) == trace;
                let spans: Vec<Span> = self.spans().into_iter().filter(own).collect();
                (spans.len() >= count).then_some(spans)
            })
            .await
        }
    }

    fn attributes(span: &Span) -> BTreeMap<String, String> {
        let text = |value: any_value::Value| match value {
            any_value::Value::StringValue(text) => text,
            any_value::Value::IntValue(number) => number.to_string(),
            other => panic!("{other:?}"),
        };
        let all = span.attributes.iter().cloned();
        all.map(|own| (own.key, text(own.value.unwrap().value.unwrap()))).collect()
    }

    fn of_kind(spans: &[Span], kind: SpanKind) -> Span {
        spans.iter().find(|span| span.kind() == kind).unwrap().clone()
    }

    #[tokio::test]
    async fn spans_of_a_call_are_sent_without_what_it_is_about() {
        let collector = Collector::default();
        let url = collector.open().await;
        let folder = tempfile::tempdir().unwrap();
        let headers = folder.path().join("headers");
        fs::write(&headers, "x-key: planted-secret\n").unwrap();
        let more = [
            format!("otlp_traces_endpoint={url}"),
            format!("otlp_headers_file={}", headers.display()),
            "otlp_sample_percent=0".to_owned(),
        ];
        let (world, server) = scene(&more).await;
        call(&world, PARENT, json!({"text": "planted-argument"})).await;
        let spans = collector.trace(TRACE, 2).await;
        assert_eq!(spans.len(), 2, "{spans:?}");
        let (own, towards) = (of_kind(&spans, SpanKind::Server), of_kind(&spans, SpanKind::Client));
        assert_eq!(
            (own.name.as_str(), towards.name.as_str()),
            ("tools/call echo", "tools/call echo")
        );
        assert_eq!(data_encoding::HEXLOWER.encode(&own.parent_span_id), "00f067aa0ba902b7");
        assert_eq!(towards.parent_span_id, own.span_id);
        assert_eq!(
            (
                own.trace_state.as_str(),
                own.status.is_none() || own.status.as_ref().unwrap().code() == StatusCode::Unset
            ),
            ("a=1", true)
        );
        let heard = heard(&server);
        let span = data_encoding::HEXLOWER.encode(&towards.span_id);
        assert_eq!(heard["traceparent"], format!("00-{TRACE}-{span}-01"));
        assert_eq!(heard["baggage"], "b=2");
        assert!(own.start_time_unix_nano <= towards.start_time_unix_nano);
        assert!(towards.end_time_unix_nano <= own.end_time_unix_nano);
        let told = attributes(&own);
        for (name, value) in [
            ("mcp.method.name", "tools/call"),
            ("gen_ai.operation.name", "execute_tool"),
            ("gen_ai.tool.name", "echo"),
            ("jsonrpc.request.id", "1"),
            ("mcp.protocol.version", "2026-07-28"),
            ("network.transport", "tcp"),
            ("network.protocol.name", "http"),
            ("wardroom.tool_server", "test"),
        ] {
            assert_eq!(told.get(name).map(String::as_str), Some(value), "{told:?}");
        }
        let told = attributes(&towards);
        assert_eq!(told["server.address"], "127.0.0.1", "{told:?}");
        for (shown, body) in collector.sent.lock().unwrap().iter() {
            assert_eq!(shown.as_deref(), Some("planted-secret"));
            let text = String::from_utf8_lossy(body);
            assert!(!text.contains("planted-argument") && !text.contains(&world.token), "{text}");
        }

        // An error has its kind; what nobody records, and what begins here where settings say so, is not sent.
        let refused = PARENT.replace("4bf9", "6bf9");
        let answered = call(&world, &refused, json!({"other": 1})).await;
        assert_eq!(answered["result"]["isError"], true, "{answered}");
        let spans = collector.trace(&TRACE.replace("4bf9", "6bf9"), 1).await;
        assert_eq!(spans[0].status.as_ref().unwrap().code(), StatusCode::Error);
        assert_eq!(attributes(&spans[0])["error.type"], "tool_error");
        let off = PARENT.replace("4bf9", "7bf9").replace("-01", "-00");
        call(&world, &off, json!({"text": "c"})).await;
        let passed = super::heard(&server)["traceparent"].as_str().unwrap().to_owned();
        assert!(passed.starts_with("00-7bf9") && passed.ends_with("-00"), "{passed}");
        world.mcp(&world.token, "/mcp/test", "tools/list", json!({})).await;
        let last = PARENT.replace("4bf9", "8bf9");
        call(&world, &last, json!({"text": "d"})).await;
        collector.trace(&TRACE.replace("4bf9", "8bf9"), 2).await;
        assert_eq!(collector.spans().len(), 2 + 1 + 2, "{:?}", collector.spans());
    }

    #[tokio::test]
    async fn calls_go_on_where_nobody_takes_their_spans() {
        let (world, _server) =
            scene(&["otlp_traces_endpoint=http://127.0.0.1:1/v1/traces".to_owned()]).await;
        for _ in 0..3 {
            let answered = call(&world, PARENT, json!({"text": "a"})).await;
            assert!(answered["result"].is_object(), "{answered}");
        }
    }
}
