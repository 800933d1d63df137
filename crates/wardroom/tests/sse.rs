//! The gateway by a stream of events and posted messages, as clients of revision 2024-11-05 speak.
#![allow(
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

use reqwest::{RequestBuilder, Response};
use serde_json::{Value, json};
use wardroom_core::Role;
use world::{World, wait_for};

const PASSWORD: &str = "Harbour lights at 6";

fn listening(world: &World, path: &str) -> RequestBuilder {
    let asking = world.client.get(world.at(path)).bearer_auth(&world.token);
    asking.header("accept", "text/event-stream")
}

/// A stream, and what came of it that was not looked at yet.
struct Stream {
    response: Response,
    text: String,
}

impl Stream {
    /// Opens one, and where it is spoken to.
    async fn open(world: &World, path: &str) -> (Self, String) {
        let response = listening(world, path).send().await.unwrap();
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let mut stream = Self { response, text: String::new() };
        let (kind, at) = stream.event().await.unwrap();
        assert_eq!(kind, "endpoint");
        (stream, at)
    }

    /// The next event's kind and data; nothing once the stream has ended.
    async fn event(&mut self) -> Option<(String, String)> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.text = rest;
                let Some((kind, data)) = event.split_once('\n') else { continue };
                let kind = kind.strip_prefix("event: ").unwrap().to_owned();
                return Some((kind, data.strip_prefix("data: ").unwrap().to_owned()));
            }
            let more = self.response.chunk().await.ok()??;
            self.text.push_str(std::str::from_utf8(&more).unwrap());
        }
    }

    async fn message(&mut self) -> Value {
        let (kind, data) = self.event().await.unwrap();
        assert_eq!(kind, "message");
        serde_json::from_str(&data).unwrap()
    }
}

async fn say(world: &World, token: &str, at: &str, message: &Value) -> u16 {
    let sending = world.client.post(world.at(at)).bearer_auth(token).json(message);
    sending.send().await.unwrap().status().as_u16()
}

fn request(id: u32, method: &str, params: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
}

fn hello() -> Value {
    let client = json!({"name": "old", "version": "1"});
    request(
        1,
        "initialize",
        json!({"protocolVersion": "2024-11-05", "capabilities": {}, "clientInfo": client}),
    )
}

#[tokio::test]
async fn a_client_of_the_first_revision_calls_tools_by_a_stream() {
    let world = World::with_tools("test").await.0;
    let (mut stream, at) = Stream::open(&world, "/mcp/test").await;
    assert!(at.starts_with("/mcp/test?channel="), "{at}");
    assert_eq!(say(&world, &world.token, &at, &hello()).await, 202);
    let opened = stream.message().await;
    assert_eq!(opened["result"]["protocolVersion"], "2024-11-05", "{opened}");
    let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    assert_eq!(say(&world, &world.token, &at, &ready).await, 202);
    let call = request(2, "tools/call", json!({"name": "echo", "arguments": {"n": 7}}));
    assert_eq!(say(&world, &world.token, &at, &call).await, 202);
    let answered = stream.message().await;
    assert_eq!(
        (&answered["id"], &answered["result"]["content"][0]["text"]),
        (&json!(2), &json!("{\"n\":7}"))
    );
    let listed = world.get("/api/v1/mcp/connections").await;
    let own = listed["items"].as_array().unwrap().iter().find(|one| one["door"] == "mcp");
    assert!(own.is_some_and(|one| one["server"] == "test" && one["protocol"] != ""), "{listed}");

    // What is no message is told, on the stream as well.
    let nonsense = world.client.post(world.at(&at)).bearer_auth(&world.token);
    let nonsense = nonsense.header("content-type", "application/json").body("{");
    assert_eq!(nonsense.send().await.unwrap().status(), 202);
    assert_eq!(stream.message().await["error"]["code"], -32700);
    // Its name opens nothing for others, nor elsewhere.
    world.add_account("dora", Role::Operator, PASSWORD).await;
    let other = world.sign_in_as("dora", PASSWORD).await;
    assert_eq!(say(&world, &other, &at, &call).await, 404);
    assert_eq!(say(&world, &world.token, &at.replace("/mcp/test", "/mcp"), &call).await, 404);
    assert_eq!(say(&world, &world.token, "/mcp?channel=00", &call).await, 404);
    assert_eq!(say(&world, "wra_nothing", &at, &call).await, 401);
    // Nobody listens any more: it is gone.
    drop(stream);
    wait_for("the end of the connection", || async {
        (say(&world, &world.token, &at, &call).await == 404).then_some(())
    })
    .await;
}

#[tokio::test]
async fn such_a_stream_is_for_those_clients_alone_and_ends_with_who_opened_it() {
    let world = World::with_tools("test").await.0;
    let later = listening(&world, "/mcp").header("mcp-protocol-version", "2025-11-25");
    assert_eq!(later.send().await.unwrap().status(), 405);
    let plain = world.client.get(world.at("/mcp")).bearer_auth(&world.token);
    assert_eq!(plain.send().await.unwrap().status(), 405);
    let nobody = world.client.get(world.at("/mcp")).header("accept", "text/event-stream");
    assert_eq!(nobody.send().await.unwrap().status(), 401);
    let elsewhere = listening(&world, "/mcp").header("origin", "https://evil.example");
    assert_eq!(elsewhere.send().await.unwrap().status(), 403);

    let (mut stream, at) = Stream::open(&world, "/mcp").await;
    assert_eq!(say(&world, &world.token, &at, &hello()).await, 202);
    stream.message().await;
    let listed = world.get("/api/v1/mcp/connections").await;
    let own = listed["items"].as_array().unwrap().iter().find(|one| one["door"] == "mcp").unwrap();
    let id = own["id"].as_str().map_or_else(|| own["id"].to_string(), str::to_owned);
    let ending = world.client.delete(world.at(&format!("/api/v1/mcp/connections/{id}")));
    assert!(ending.bearer_auth(&world.token).send().await.unwrap().status().is_success());
    assert_eq!(stream.event().await, None, "it ended");
}
