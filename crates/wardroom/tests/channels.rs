//! The gateway by WebSocket, TCP and standard input: the same tools under the same rules.
#![allow(
    clippy::too_many_lines,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    missing_docs,
    reason = "tests"
)]

mod world;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use std::{
    io::Write as _,
    net::TcpListener,
    process::Stdio,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines, ReadHalf, WriteHalf, split},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Message, client::IntoClientRequest as _},
};
use wardroom_core::Role;
use world::{World, command, tool_server::ToolServer, wait_for, wardroom};

const PASSWORD: &str = "Harbour lights at 6";

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

struct Scene {
    world: World,
    server: ToolServer,
    websocket: u16,
    tcp: u16,
}

async fn scene(further: &[&str]) -> Scene {
    let (websocket, tcp) = (free_port(), free_port());
    let mut settings = vec![
        "outbound_allow=127.0.0.0/8".to_owned(),
        format!("listen_mcp_websocket=127.0.0.1:{websocket}"),
        format!("listen_mcp_tcp=127.0.0.1:{tcp}"),
    ];
    settings.extend(further.iter().map(ToString::to_string));
    let world = World::with(&settings).await;
    let server = ToolServer::start().await;
    world.add_tools("test", &server.url).await;
    Scene { world, server, websocket, tcp }
}

impl Scene {
    async fn tls(&self, port: u16) -> TlsStream<TcpStream> {
        let pem = std::fs::read(self.world.data().join("authority.pem")).unwrap();
        let mut config = wardroom_trust::tls::client_config(&pem).unwrap();
        config.alpn_protocols = vec![];
        let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let name = "localhost".try_into().unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap()
    }

    async fn socket(
        &self,
        port: u16,
        path: &str,
        token: &str,
    ) -> Result<WebSocketStream<TlsStream<TcpStream>>, u16> {
        let mut request = format!("wss://localhost:{port}{path}").into_client_request().unwrap();
        let bearer = format!("Bearer {token}").parse().unwrap();
        request.headers_mut().insert("authorization", bearer);
        request.headers_mut().insert("sec-websocket-protocol", "mcp".parse().unwrap());
        match client_async(request, self.tls(port).await).await {
            Ok((socket, answer)) => {
                assert_eq!(answer.headers()["sec-websocket-protocol"], "mcp");
                Ok(socket)
            }
            Err(tokio_tungstenite::tungstenite::Error::Http(answer)) => {
                Err(answer.status().as_u16())
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// A connection by lines that has said who it is, and what was answered.
    async fn lines(&self, params: Value) -> (Conversation, Value) {
        let (reader, writer) = split(self.tls(self.tcp).await);
        let mut conversation = Conversation { lines: BufReader::new(reader).lines(), writer };
        let hello =
            json!({"jsonrpc": "2.0", "id": "hi", "method": "authenticate", "params": params});
        conversation.say(&hello.to_string()).await;
        let answered = conversation.hear().await.unwrap();
        (conversation, answered)
    }
}

struct Conversation {
    lines: Lines<BufReader<ReadHalf<TlsStream<TcpStream>>>>,
    writer: WriteHalf<TlsStream<TcpStream>>,
}

impl Conversation {
    async fn say(&mut self, text: &str) {
        self.writer.write_all(text.as_bytes()).await.unwrap();
        self.writer.write_all(b"\n").await.unwrap();
        // What TLS could not hand on at once stays with it until then.
        self.writer.flush().await.unwrap();
    }

    /// The next message; nothing at the end.
    async fn hear(&mut self) -> Option<Value> {
        let line = tokio::time::timeout(Duration::from_secs(20), self.lines.next_line()).await;
        let line = line.expect("in time").ok().flatten()?;
        Some(serde_json::from_str(&line).unwrap())
    }
}

fn initialize(version: &str) -> String {
    let params = json!({"protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
    json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}).to_string()
}

fn modern(id: Value, method: &str, mut params: Value) -> String {
    params["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!("2026-07-28");
    params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = json!({});
    json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).to_string()
}

async fn heard(socket: &mut WebSocketStream<TlsStream<TcpStream>>) -> Option<Value> {
    loop {
        let message = tokio::time::timeout(Duration::from_secs(20), socket.next()).await;
        match message.expect("in time")?.ok()? {
            Message::Text(text) => return Some(serde_json::from_str(&text).unwrap()),
            Message::Close(_) => return None,
            _ => {}
        }
    }
}

#[tokio::test]
async fn both_eras_speak_by_websocket_at_either_port() {
    let scene = scene(&[]).await;
    let main: u16 = scene.world.url.rsplit(':').next().unwrap().parse().unwrap();
    let token = scene.world.token.clone();
    for port in [main, scene.websocket] {
        let mut socket = scene.socket(port, "/mcp/test", &token).await.unwrap();
        socket.send(Message::text(initialize("2025-06-18"))).await.unwrap();
        let opened = heard(&mut socket).await.unwrap();
        assert_eq!(opened["result"]["protocolVersion"], "2025-06-18", "{opened}");
        let note = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        socket.send(Message::text(note.to_string())).await.unwrap();
        let call = json!({"jsonrpc": "2.0", "id": "a", "method": "tools/call", "params": {"name": "echo", "arguments": {"text": "x"}}});
        socket.send(Message::text(call.to_string())).await.unwrap();
        let answered = heard(&mut socket).await.unwrap();
        assert_eq!(answered["id"], "a");
        assert_eq!(answered["result"]["content"][0]["text"], "{\"text\":\"x\"}", "{answered}");
        // Of the other era on the same connection: its requests stand alone.
        socket.send(Message::text(modern(json!(7), "tools/list", json!({})))).await.unwrap();
        let listed = heard(&mut socket).await.unwrap();
        assert_eq!(listed["result"]["resultType"], "complete", "{listed}");
        assert_eq!(listed["result"]["tools"].as_array().unwrap().len(), 4);
    }
    let all = scene.socket(scene.websocket, "/", &token).await;
    let mut socket = all.unwrap();
    socket.send(Message::text(modern(json!(1), "tools/list", json!({})))).await.unwrap();
    let listed = heard(&mut socket).await.unwrap();
    assert_eq!(listed["result"]["tools"][0]["name"], "test__echo", "{listed}");
    assert_eq!(scene.socket(scene.websocket, "/mcp", "wrt_none").await.unwrap_err(), 401);
    assert_eq!(scene.socket(scene.websocket, "/mcp/none", &token).await.unwrap_err(), 404);
    let call = scene.world.get("/api/v1/tool-calls").await["items"][0].clone();
    assert_eq!(call["door"], "mcp_websocket", "{call}");
}

#[tokio::test]
async fn a_token_that_ends_ends_what_its_connection_may_do_at_once() {
    let scene = scene(&[]).await;
    scene.world.add_account("ann", Role::Operator, PASSWORD).await;
    let ann = scene.world.sign_in_as("ann", PASSWORD).await;
    let mut socket = scene.socket(scene.websocket, "/mcp/test", &ann).await.unwrap();
    let (mut lines, _) = scene.lines(json!({"token": ann, "server": "test"})).await;
    let list = |id: i64| modern(json!(id), "tools/list", json!({}));
    socket.send(Message::text(list(1))).await.unwrap();
    assert!(heard(&mut socket).await.unwrap()["result"].is_object());
    lines.say(&list(1)).await;
    assert!(lines.hear().await.unwrap()["result"].is_object());
    let users = scene.world.get("/api/v1/users").await;
    let found = users["items"].as_array().unwrap().iter().find(|user| user["name"] == "ann");
    let id = found.unwrap()["id"].as_str().unwrap();
    scene.world.post(&format!("/api/v1/users/{id}/disable"), json!({})).await;
    socket.send(Message::text(list(2))).await.unwrap();
    assert_eq!(heard(&mut socket).await, None, "the connection ends");
    lines.say(&list(2)).await;
    let last = lines.hear().await.unwrap();
    assert_eq!(last["error"]["code"], -31001, "{last}");
    assert_eq!(lines.hear().await, None);
}

#[tokio::test]
async fn lines_begin_with_who_speaks_and_end_with_what_is_no_message() {
    let scene = scene(&["mcp_message_bytes_max=4096"]).await;
    let token = scene.world.token.clone();
    let (mut lines, welcome) = scene.lines(json!({"token": token, "server": "test"})).await;
    assert_eq!((&welcome["id"], &welcome["result"]), (&json!("hi"), &json!({})));
    lines.say(&initialize("2024-11-05")).await;
    assert_eq!(lines.hear().await.unwrap()["result"]["protocolVersion"], "2024-11-05");
    let call = json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "echo", "arguments": {"n": 1}}});
    lines.say(&call.to_string()).await;
    assert_eq!(lines.hear().await.unwrap()["result"]["content"][0]["text"], "{\"n\":1}");
    let connections = scene.world.get("/api/v1/mcp/connections").await;
    let own = connections["items"].as_array().unwrap().iter().find(|one| one["door"] == "mcp_tcp");
    let own = own.unwrap_or_else(|| panic!("{connections}"));
    assert_eq!((&own["speaks"], &own["server"]), (&json!("2024-11-05"), &json!("test")));
    // Ten times what is no message is too much.
    for _ in 0..10 {
        lines.say("{\"jsonrpc\":\"2.0\",").await;
        assert_eq!(lines.hear().await.unwrap()["error"]["code"], -32700);
    }
    assert_eq!(lines.hear().await.unwrap()["error"]["code"], -32600);
    assert_eq!(lines.hear().await, None);
    // What is longer than it may be ends the connection without being read.
    let (mut lines, _) = scene.lines(json!({"token": token})).await;
    lines.say(&"x".repeat(5000)).await;
    let last = lines.hear().await.unwrap();
    assert!(last["error"]["message"].as_str().unwrap().contains("4096 bytes"), "{last}");
    for wrong in [
        json!({"token": "wrt_none"}),
        json!({"token": 7}),
        json!({"token": token, "server": "none"}),
    ] {
        let (mut lines, refused) = scene.lines(wrong.clone()).await;
        assert!(refused["error"].is_object(), "{wrong}: {refused}");
        assert_eq!(lines.hear().await, None);
    }
    let (reader, mut writer) = split(scene.tls(scene.tcp).await);
    writer.write_all(format!("{}\n", initialize("2025-11-25")).as_bytes()).await.unwrap();
    let mut rest = BufReader::new(reader).lines();
    let refused: Value = serde_json::from_str(&rest.next_line().await.unwrap().unwrap()).unwrap();
    assert_eq!(refused["error"]["code"], -31001, "{refused}");
    assert_eq!(scene.server.scene.calls.load(Ordering::Acquire), 1);
}

#[tokio::test]
async fn who_connects_more_than_they_may_is_turned_away_and_operators_end_connections() {
    let scene = scene(&["mcp_connections_per_principal_max=2"]).await;
    let token = scene.world.token.clone();
    let mut first = scene.socket(scene.websocket, "/mcp", &token).await.unwrap();
    let _second = scene.socket(scene.websocket, "/mcp", &token).await.unwrap();
    assert_eq!(scene.socket(scene.websocket, "/mcp", &token).await.unwrap_err(), 503);
    let connections = scene.world.get("/api/v1/mcp/connections").await;
    let id = connections["items"][0]["id"].as_str().unwrap();
    let ended = scene
        .world
        .client
        .delete(scene.world.at(&format!("/api/v1/mcp/connections/{id}")))
        .bearer_auth(&token)
        .send()
        .await
        .unwrap();
    assert_eq!(ended.status(), 204);
    assert_eq!(heard(&mut first).await, None);
    wait_for("the free place", || async {
        scene.socket(scene.websocket, "/mcp", &token).await.ok()
    })
    .await;
}

#[tokio::test]
async fn a_request_on_a_connection_is_cancelled_by_its_id() {
    let scene = scene(&[]).await;
    let token = scene.world.token.clone();
    let mut socket = scene.socket(scene.websocket, "/mcp/test", &token).await.unwrap();
    let params = json!({"name": "slow", "arguments": {}});
    socket.send(Message::text(modern(json!("s"), "tools/call", params))).await.unwrap();
    let state = async || {
        let call = scene.world.get("/api/v1/tool-calls?tool=slow").await["items"][0].clone();
        call["state"].as_str().unwrap_or_default().to_owned()
    };
    wait_for("a running call", || async { (state().await == "running").then_some(()) }).await;
    let cancel = json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": "s"}});
    socket.send(Message::text(cancel.to_string())).await.unwrap();
    wait_for("its end", || async { (state().await == "cancelled").then_some(()) }).await;
    socket.send(Message::text(modern(json!("t"), "tools/list", json!({})))).await.unwrap();
    assert_eq!(heard(&mut socket).await.unwrap()["id"], "t", "what was cancelled is not answered");
}

#[tokio::test]
async fn standard_input_is_bridged() {
    let scene = scene(&[]).await;
    let mut bridge = command(wardroom())
        .args(["mcp", "stdio", "test", "--server", &scene.world.url, "--ca"])
        .arg(scene.world.data().join("authority.pem"))
        .env("WARDROOM_TOKEN", &scene.world.token)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = bridge.stdin.take().unwrap();
    let params = json!({"name": "echo", "arguments": {"text": "via stdio"}});
    let call = json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": params});
    writeln!(input, "{}", initialize("2025-11-25")).unwrap();
    writeln!(input, "{call}").unwrap();
    drop(input);
    let output =
        tokio::task::spawn_blocking(move || bridge.wait_with_output()).await.unwrap().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["result"]["protocolVersion"], "2025-11-25", "{text}");
    assert_eq!(lines[1]["result"]["content"][0]["text"], "{\"text\":\"via stdio\"}", "{text}");
}

#[tokio::test]
async fn without_tls_only_loopback_and_only_when_asked_for() {
    let port = free_port();
    let refused = command(wardroom())
        .args(["up", "--without-node", "--listen", "127.0.0.1:0", "--data"])
        .arg(tempfile::tempdir().unwrap().path().join("data"))
        .args(["--set", &format!("listen_mcp_tcp=0.0.0.0:{port}"), "--set", "mcp_tcp_plain=true"])
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    assert!(!refused.status.success());
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("not on loopback"), "{said}");
    let scene = scene(&["mcp_tcp_plain=true"]).await;
    let mut stream = TcpStream::connect(("127.0.0.1", scene.tcp)).await.unwrap();
    let hello = json!({"jsonrpc": "2.0", "id": 1, "method": "authenticate", "params": {"token": scene.world.token}});
    stream.write_all(format!("{hello}\n").as_bytes()).await.unwrap();
    let line = BufReader::new(stream).lines().next_line().await.unwrap().unwrap();
    assert_eq!(serde_json::from_str::<Value>(&line).unwrap()["result"], json!({}));
}

#[tokio::test]
async fn a_static_token_is_good_at_its_door_and_for_tools_alone() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = vec!["mcp_static_token_user=admin".to_owned()];
    let tokens = [
        "q2Vn7fXo0t1yB8eKzR4uWm9sJc5hLd3pGa6iTxYvNbE=",
        "Zk8rT1pXw5sQ0vLh3nYb7mDj2cFg9aUe4iOo6RxWtVs=",
    ];
    for (door, token) in ["websocket", "tcp"].into_iter().zip(tokens) {
        let file = folder.path().join(door);
        std::fs::write(&file, token).unwrap();
        settings.push(format!("mcp_{door}_token_file={}", file.display()));
    }
    let scene = scene(&settings.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let [of_websocket, of_tcp] = tokens;
    for (token, let_in) in [(of_tcp, true), (of_websocket, false)] {
        let (mut lines, said) = scene.lines(json!({"token": token})).await;
        assert_eq!(said["result"].is_object(), let_in, "{said}");
        if let_in {
            let call = json!({"name": "test__echo", "arguments": {"n": 5}});
            lines.say(&modern(json!(2), "tools/call", call)).await;
            let answered = lines.hear().await.unwrap();
            assert_eq!(answered["result"]["content"][0]["text"], "{\"n\":5}", "{answered}");
        }
    }
    assert!(scene.socket(scene.websocket, "/mcp", of_websocket).await.is_ok());
    assert_eq!(scene.socket(scene.websocket, "/mcp", of_tcp).await.unwrap_err(), 401);
    let (status, _) = scene.world.mcp(of_websocket, "/mcp", "tools/list", json!({})).await;
    assert_eq!(status, 401, "nor is it good without a WebSocket");
    let api = scene.world.client.get(scene.world.at("/api/v1/runs")).bearer_auth(of_tcp);
    assert_eq!(api.send().await.unwrap().status(), 401);
    let listed = scene.world.get("/api/v1/tokens").await;
    let names: Vec<&str> = listed["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|token| token["name"].as_str().unwrap())
        .collect();
    assert!(names.contains(&"mcp_tcp (settings)"), "{names:?}");
    assert!(!scene.world.logged().contains(of_tcp));
    // Restarting keeps it one token.
    let mut world = scene.world;
    world.kill_orchestrator();
    world.restart().await;
    let again = world.get("/api/v1/tokens").await;
    assert_eq!(again["items"].as_array().unwrap().len(), names.len());
}

#[tokio::test]
async fn answers_reach_who_asked_though_all_count_alike() {
    const CLIENTS: u64 = 200;
    const CALLS: u64 = 20;
    let scene = scene(&["mcp_connections_per_principal_max=500"]).await;
    let scene = &scene;
    let limits =
        json!({"waiting_max": 65_536, "concurrent_max": 4096, "calls_per_minute": 1_000_000});
    let patch = scene.world.client.patch(scene.world.at("/api/v1/tool-servers/test"));
    let patch = patch.bearer_auth(&scene.world.token).header("if-match", "*");
    assert!(patch.json(&json!({"limits": limits})).send().await.unwrap().status().is_success());
    let session = scene.world.open_session(&scene.world.token, "/mcp/test").await;
    let session = session.as_str();
    // Few say hello at a time, and all begin together once everybody is there.
    let (turns, start) =
        (tokio::sync::Semaphore::new(8), tokio::sync::Barrier::new(CLIENTS as usize));
    let (turns, start) = (&turns, &start);
    let client = async |number: u64| {
        // All use the same ids, by three ways in; each asks for its own number.
        let call = |id: u64| {
            let n = number * 1000 + id;
            (n, json!({"name": "echo", "arguments": {"n": n}}))
        };
        let right = |said: &Value, id: u64, n: u64| {
            let text = said["result"]["content"][0]["text"].as_str().unwrap_or_default();
            assert_eq!(
                (said["id"].as_u64(), text),
                (Some(id), format!("{{\"n\":{n}}}").as_str()),
                "{said}"
            );
        };
        match number % 3 {
            0 => {
                let turn = turns.acquire().await.unwrap();
                let token = &scene.world.token;
                let mut socket = scene.socket(scene.websocket, "/mcp/test", token).await.unwrap();
                drop(turn);
                start.wait().await;
                for id in 0..CALLS {
                    socket
                        .send(Message::text(modern(json!(id), "tools/call", call(id).1)))
                        .await
                        .unwrap();
                }
                let mut seen = std::collections::BTreeSet::new();
                for _ in 0..CALLS {
                    let said = heard(&mut socket).await.unwrap();
                    let id = said["id"].as_u64().unwrap();
                    right(&said, id, call(id).0);
                    assert!(seen.insert(id), "answered twice");
                }
            }
            1 => {
                let turn = turns.acquire().await.unwrap();
                let hello = json!({"token": scene.world.token, "server": "test"});
                let (mut lines, _) = scene.lines(hello).await;
                drop(turn);
                start.wait().await;
                for id in 0..CALLS {
                    lines.say(&modern(json!(id), "tools/call", call(id).1)).await;
                }
                let mut seen = std::collections::BTreeSet::new();
                for _ in 0..CALLS {
                    let said = lines.hear().await.unwrap();
                    let id = said["id"].as_u64().unwrap();
                    right(&said, id, call(id).0);
                    assert!(seen.insert(id), "answered twice");
                }
            }
            _ => {
                start.wait().await;
                for id in 0..CALLS {
                    let (n, params) = call(id);
                    if number.is_multiple_of(2) {
                        let token = &scene.world.token;
                        let (_, said) =
                            scene.world.mcp(token, "/mcp/test", "tools/call", params).await;
                        right(&said, 1, n);
                    } else {
                        // Within one session ids must differ while they are under way.
                        let message = json!({"jsonrpc": "2.0", "id": n, "method": "tools/call", "params": params});
                        let request = scene.world.client.post(scene.world.at("/mcp/test"));
                        let request = request
                            .bearer_auth(&scene.world.token)
                            .header("mcp-session-id", session)
                            .json(&message);
                        right(&request.send().await.unwrap().json().await.unwrap(), n, n);
                    }
                }
            }
        }
    };
    let all = (0..CLIENTS).map(client);
    futures_util::future::join_all(all).await;
    let used = scene.world.get("/api/v1/tool-usage").await["items"][0].clone();
    assert_eq!(used["calls"], CLIENTS * CALLS, "{used}");
    assert_eq!(scene.server.scene.calls.load(Ordering::Acquire) as u64, CLIENTS * CALLS);
}
