//! Calls of tools through the gateway, against calls of the tool server itself; connections that are idle.

use crate::{
    contextforge::ContextForge,
    figure::{Figure, Target, number},
    latency::at,
    pace::paced,
    socket,
    world::World,
};
use anyhow::{Context as _, ensure};
use axum::{Json, Router, http::StatusCode, response::IntoResponse as _, routing::post};
use serde_json::{Value, json};
use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{net::TcpListener, task::JoinSet};
use tokio_rustls::TlsConnector;

/// Calls per second where their latency is measured, and connections that they are spread over.
const PACE: u64 = 500;
const CLIENTS: usize = 16;
/// Callers that each have one call open where as many as possible are made.
const CALLERS: usize = 64;
/// How much of the time warms up there.
const WARM_UP: Duration = Duration::from_secs(2);
/// Connections that are opened at the same time.
const AT_ONCE: usize = 24;
/// How long after the last one memory is looked at.
const SETTLE: Duration = Duration::from_secs(10);
/// Settings without which one address and one account do not get so far.
pub(crate) const SETTINGS: [&str; 2] =
    ["outbound_allow=127.0.0.0/8", "mcp_connections_per_principal_max=10000"];
const VERSION: &str = "2026-07-28";

/// A tool server of revision 2026-07-28 that answers at once, and how it does.
#[derive(Clone, Default)]
pub(crate) struct ToolServer {
    /// Calls that reached it.
    pub(crate) calls: Arc<AtomicU64>,
    /// Whether it answers calls with 503.
    broken: Arc<AtomicBool>,
}

/// Starts one; its address.
pub(crate) async fn tool_server() -> anyhow::Result<(String, ToolServer)> {
    let server = ToolServer::default();
    let own = server.clone();
    let answer = move |Json(message): Json<Value>| async move {
        let method = message.get("method").and_then(Value::as_str).unwrap_or_default();
        let result = match method {
            // Clients with sessions.
            "initialize" => json!({
                "protocolVersion": "2025-06-18", "capabilities": {"tools": {}},
                "serverInfo": {"name": "bench", "version": "1"}
            }),
            _ if message.get("id").is_none() => return StatusCode::ACCEPTED.into_response(),
            "server/discover" => json!({
                "supportedVersions": [VERSION], "capabilities": {"tools": {}}, "resultType": "complete"
            }),
            "tools/list" => json!({"resultType": "complete", "tools": [{
                "name": "echo", "description": "Gives back a text", "annotations": {"readOnlyHint": true},
                "inputSchema": {"type": "object", "properties": {"text": {"type": "string"}}}
            }]}),
            _ => {
                own.calls.fetch_add(1, Ordering::Relaxed);
                if own.broken.load(Ordering::Relaxed) {
                    return StatusCode::SERVICE_UNAVAILABLE.into_response();
                }
                json!({"resultType": "complete", "content": [{"type": "text", "text": "brine"}]})
            }
        };
        Json(json!({"jsonrpc": "2.0", "id": message.get("id"), "result": result})).into_response()
    };
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/mcp", listener.local_addr()?);
    tokio::spawn(
        async move { axum::serve(listener, Router::new().route("/mcp", post(answer))).await },
    );
    Ok((url, server))
}

/// A call as a client of that revision makes it.
fn call(client: &reqwest::Client, url: &str, token: &str) -> reqwest::RequestBuilder {
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": VERSION,
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let params = json!({"name": "echo", "arguments": {"text": "brine"}, "_meta": meta});
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
    client
        .post(url)
        .bearer_auth(token)
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", VERSION)
        .header("mcp-method", "tools/call")
        .header("mcp-name", "echo")
        .json(&body)
}

async fn called(request: reqwest::RequestBuilder) -> anyhow::Result<()> {
    let answer = request.send().await?;
    let (status, text) = (answer.status(), answer.text().await?);
    ensure!(status.is_success() && text.contains("brine"), "{status}: {text}");
    Ok(())
}

/// An installation with a tool server `name` behind its gateway, which is accepted.
pub(crate) async fn with_server(world: &World, name: &str, url: &str) -> anyhow::Result<String> {
    let limits = json!({"calls_per_minute": 1_000_000, "concurrent_max": 256});
    let body = json!({"name": name, "way": {"kind": "http", "url": url}, "limits": limits});
    let _: Value = world.post("/api/v1/tool-servers", &body).await?;
    let _: Value = world.post(&format!("/api/v1/tool-servers/{name}/test"), &Value::Null).await?;
    let at = format!("/api/v1/tool-servers/{name}/tools");
    let tools: Value = world.get(&at).await?;
    for tool in tools.get("items").and_then(Value::as_array).into_iter().flatten() {
        let body = json!({"tool": tool.get("name"), "digest": tool.get("digest")});
        let accepting = world.client.post(world.at(&format!("{at}/accept"))).json(&body);
        let accepted = accepting.bearer_auth(world.token()).send().await?;
        ensure!(accepted.status().is_success(), "a tool was not accepted: {}", accepted.status());
    }
    Ok(world.at(&format!("/mcp/{name}")))
}

/// Calls at a steady pace to `url`.
async fn steady(world: &World, url: &str, seconds: u64) -> anyhow::Result<Vec<f64>> {
    paced(PACE, CLIENTS, seconds, || {
        let (own, url) = (world.another_client()?, url.to_owned());
        let token = world.token().to_owned();
        Ok(move || called(call(&own, &url, &token)))
    })
    .await
}

/// What the gateway adds to a call, and what a broken neighbour does to it.
pub(crate) async fn latency(seconds: u64) -> anyhow::Result<Vec<Figure>> {
    let world = World::with(&SETTINGS).await?;
    let (direct, _) = tool_server().await?;
    let through = with_server(&world, "fast", &direct).await?;
    let seconds = seconds.div_ceil(2).max(3);
    let (mut plain, mut whole) = (vec![], vec![]);
    // In turns, so that both meet the same machine.
    for round in 0..4 {
        let (url, into) =
            if round % 2 == 0 { (&direct, &mut plain) } else { (&through, &mut whole) };
        into.extend(steady(&world, url, seconds).await?);
    }
    let (url, tripped) = tool_server().await?;
    let broken = with_server(&world, "broken", &url).await?;
    tripped.broken.store(true, Ordering::Relaxed);
    let (mut alone, mut beside) = (vec![], vec![]);
    for round in 0..4 {
        if round % 2 == 0 {
            alone.extend(steady(&world, &through, seconds).await?);
            continue;
        }
        let (client, token, url) =
            (world.another_client()?, world.token().to_owned(), broken.clone());
        let asking = tokio::spawn(async move {
            loop {
                let _ = call(&client, &url, &token).send().await;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        beside.extend(steady(&world, &through, seconds).await?);
        asking.abort();
    }
    let reached = tripped.calls.load(Ordering::Relaxed);
    for all in [&mut plain, &mut whole, &mut alone, &mut beside] {
        all.sort_by(f64::total_cmp);
    }
    let difference = |share| (at(&whole, share) - at(&plain, share)) / 1000.0;
    let ms = |all: &[f64], share| at(all, share) / 1000.0;
    let note = format!(
        "{PACE}/s over {CLIENTS} connections, open loop, from the moment a call was meant; through the gateway p50 {:.2} ms, p99 {:.2} ms; directly, without TLS, p50 {:.2} ms, p99 {:.2} ms",
        ms(&whole, 0.5),
        ms(&whole, 0.99),
        ms(&plain, 0.5),
        ms(&plain, 0.99)
    );
    let worse = (ms(&beside, 0.99) / ms(&alone, 0.99) - 1.0) * 100.0;
    let neighbour = format!(
        "p99 {:.2} ms beside one that is called 50 times a second and is left alone (its server heard {reached} of them), and {:.2} ms without",
        ms(&beside, 0.99),
        ms(&alone, 0.99)
    );
    let at_most =
        |what: &str, most, value, unit| Figure::new(what, Target::AtMost(most), value, unit);
    Ok(vec![
        at_most("what the gateway adds to a call at 500/s, p50", 0.4, difference(0.5), "ms"),
        at_most("what the gateway adds to a call at 500/s, p99", 1.5, difference(0.99), "ms")
            .note(note),
        at_most("a call's p99 beside a tripped tool server, worse by", 10.0, worse, "%")
            .note(neighbour),
    ])
}

/// As many calls as there can be; through another gateway as well, where it is there.
pub(crate) async fn calls(seconds: u64, other: Option<&Path>) -> anyhow::Result<Vec<Figure>> {
    let world = World::with(&SETTINGS).await?;
    let (direct, _) = tool_server().await?;
    let through = with_server(&world, "fast", &direct).await?;
    let own = busiest(seconds, || {
        let (own, url) = (world.another_client()?, through.clone());
        let token = world.token().to_owned();
        Ok(move || call(&own, &url, &token))
    })
    .await?;
    let note = format!(
        "{CALLERS} callers with one call open each, {} calls in {:.1} s; callers and tool server share the machine",
        number(own.count),
        own.seconds
    );
    let what = "calls of tools through one orchestrator";
    let figure = Figure::new(what, Target::AtLeast(3000.0), own.rate(), "calls/s").note(note);
    let Some(program) = other else { return Ok(vec![figure]) };
    drop(world);
    let contextforge = ContextForge::start(program, &direct).await?;
    let others = busiest(seconds, || Ok(contextforge.caller())).await?;
    let note = format!(
        "ContextForge made {} calls/s for the same callers: one worker for each core, SQLite, without TLS, its limits off",
        number(others.rate())
    );
    let what = "calls of tools, against IBM ContextForge";
    let ratio = own.rate() / others.rate();
    Ok(vec![figure, Figure::new(what, Target::AtLeast(1.0), ratio, "times").note(note)])
}

/// What many callers at the same time came to.
struct Came {
    count: f64,
    seconds: f64,
}

impl Came {
    fn rate(&self) -> f64 {
        self.count / self.seconds
    }
}

/// Calls by all callers, each with the next as soon as the last one was answered.
async fn busiest<F>(seconds: u64, caller: impl Fn() -> anyhow::Result<F>) -> anyhow::Result<Came>
where
    F: Fn() -> reqwest::RequestBuilder + Send + Sync + 'static,
{
    let last = Instant::now() + WARM_UP + Duration::from_secs(seconds);
    let ends = Arc::new(AtomicU64::new(0));
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        let (request, ends) = (caller()?, Arc::clone(&ends));
        callers.spawn(async move {
            while Instant::now() < last {
                called(request()).await?;
                ends.fetch_add(1, Ordering::Relaxed);
            }
            anyhow::Ok(())
        });
    }
    tokio::time::sleep(WARM_UP).await;
    let (from, begun) = (ends.load(Ordering::Relaxed), Instant::now());
    tokio::time::sleep_until(last.into()).await;
    let (count, took) = (ends.load(Ordering::Relaxed) - from, begun.elapsed());
    while let Some(caller) = callers.join_next().await {
        caller??;
    }
    Ok(Came { count: count as f64, seconds: took.as_secs_f64() })
}

/// What an idle WebSocket costs.
pub(crate) async fn idle(wanted: usize) -> anyhow::Result<Vec<Figure>> {
    let world = Arc::new(World::with(&SETTINGS).await?);
    let tls = wardroom_trust::tls::client_config(&world.authority)?;
    let tls = TlsConnector::from(Arc::new(tls));
    tokio::time::sleep(SETTLE).await;
    let before = world.resident()?;
    let next = Arc::new(AtomicU64::new(0));
    let mut opening = JoinSet::new();
    for _ in 0..AT_ONCE {
        let (world, tls, next) = (Arc::clone(&world), tls.clone(), Arc::clone(&next));
        opening.spawn(async move {
            let mut open = vec![];
            loop {
                let number = usize::try_from(next.fetch_add(1, Ordering::Relaxed))?;
                if number >= wanted {
                    return anyhow::Ok(open);
                }
                let at = ("/mcp", "mcp");
                let socket = socket::open(&world, &tls, number, at, world.token()).await;
                open.push(socket.with_context(|| format!("connection {number}"))?);
            }
        });
    }
    let mut open = vec![];
    while let Some(opened) = opening.join_next().await {
        open.extend(opened??);
    }
    tokio::time::sleep(SETTLE).await;
    let after = world.resident()?;
    let listed: Value = world.get("/api/v1/mcp/connections").await?;
    let count = listed.get("items").and_then(Value::as_array).map_or(0, Vec::len);
    let each = after.now.saturating_sub(before.now) as f64 / 1024.0 / open.len().max(1) as f64;
    let what = format!("orchestrator's memory per idle WebSocket, {} over TLS", open.len());
    let note = format!(
        "resident {} MiB without, {} MiB with them; the list of connections shows {count}",
        before.now / 1024 / 1024,
        after.now / 1024 / 1024
    );
    Ok(vec![Figure::new(what, Target::AtMost(48.0), each, "KiB").note(note)])
}
