//! Programs of others at the gateway: what is granted for which place, and what a client is told that it lacks.
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

use reqwest::header::WWW_AUTHENTICATE;
use serde_json::{Value, json};
use wardroom_core::Role;
use world::World;

const PASSWORD: &str = "Harbour lights at 6";

/// A program that acts as an operator; its id and secret.
async fn program(world: &World, scopes: &[&str]) -> (String, String) {
    let ann = match world.get("/api/v1/users?role=operator").await["items"][0]["id"].as_str() {
        Some(id) => id.to_owned(),
        None => world.add_account("ann", Role::Operator, PASSWORD).await,
    };
    let body = json!({"name": "Chart", "confidential": true, "acts_as": ann, "scopes": scopes});
    let made = world.post("/api/v1/oauth/clients", body).await;
    let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("{made}")).to_owned();
    (text(&made["client"]["id"]), text(&made["secret"]))
}

/// What the token endpoint says to a program that asks for itself.
async fn ask(world: &World, (id, secret): &(String, String), resource: &str) -> (u16, Value) {
    let form = [("grant_type", "client_credentials"), ("resource", resource)];
    let request = world.client.post(world.at("/oauth/token")).basic_auth(id, Some(secret));
    let answer = request.form(&form).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

async fn token(world: &World, program: &(String, String), place: &str) -> String {
    let (status, said) = ask(world, program, &format!("{}{place}", world.url)).await;
    assert_eq!(status, 200, "{said}");
    said["access_token"].as_str().unwrap().to_owned()
}

async fn lists(world: &World, token: &str, path: &str) -> u16 {
    world.mcp(token, path, "tools/list", json!({})).await.0
}

const SCOPES: [&str; 3] = ["mcp.connect", "tool.call", "run.list"];

#[tokio::test]
async fn what_is_granted_for_one_place_is_good_at_no_other() {
    let (world, server) = World::with_tools("files").await;
    world.add_tools("mail", &server.url).await;
    let program = program(&world, &SCOPES).await;
    let api = token(&world, &program, "/api").await;
    let all = token(&world, &program, "/mcp").await;
    let files = token(&world, &program, "/mcp/files").await;
    let runs = async |token: &str| {
        let asked = world.client.get(world.at("/api/v1/runs")).bearer_auth(token);
        asked.send().await.unwrap().status().as_u16()
    };
    assert_eq!([runs(&api).await, runs(&all).await, runs(&files).await], [200, 401, 401]);
    assert_eq!(
        [lists(&world, &api, "/mcp").await, lists(&world, &api, "/mcp/files").await],
        [401, 401]
    );
    assert_eq!(
        [lists(&world, &all, "/mcp").await, lists(&world, &all, "/mcp/mail").await],
        [200, 200]
    );
    let at = ["/mcp/files", "/mcp/mail", "/mcp"];
    let mut seen = vec![];
    for path in at {
        seen.push(lists(&world, &files, path).await);
    }
    assert_eq!(seen, [200, 401, 401], "{at:?}");
    let call = json!({"name": "echo", "arguments": {"n": 1}});
    let (status, done) = world.mcp(&files, "/mcp/files", "tools/call", call).await;
    assert_eq!(status, 200, "{done}");
    let of_it = world.get("/api/v1/tool-calls").await["items"][0].clone();
    assert_eq!(of_it["client"], program.0.as_str(), "{of_it}");
    for odd in ["https://elsewhere.example/mcp", "/mcp/", "/mcp/a/b", "/mcp/UPPER", "/mcpx"] {
        let resource =
            if odd.starts_with('/') { format!("{}{odd}", world.url) } else { odd.to_owned() };
        let (status, said) = ask(&world, &program, &resource).await;
        assert_eq!((status, &said["error"]), (400, &json!("invalid_target")), "{odd}");
    }
}

#[tokio::test]
async fn a_client_is_told_where_to_ask_and_what_it_lacks() {
    let (world, server) = World::with_tools("files").await;
    let challenge = async |token: Option<&str>, path: &str, method: &str| {
        let meta = json!({"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}});
        let params = json!({"name": "echo", "arguments": {}, "_meta": meta});
        let message = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let mut request = world.client.post(world.at(path)).json(&message);
        request = request.header("mcp-protocol-version", "2026-07-28");
        request = request.header("mcp-method", method).header("mcp-name", "echo");
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let answer = request.send().await.unwrap();
        let said =
            answer.headers().get(WWW_AUTHENTICATE).map(|said| said.to_str().unwrap().to_owned());
        (answer.status().as_u16(), said.unwrap_or_default())
    };
    let (status, said) = challenge(None, "/mcp/files", "tools/call").await;
    assert_eq!(status, 401);
    let wanted = format!(
        "resource_metadata=\"{}/.well-known/oauth-protected-resource/mcp/files\"",
        world.url
    );
    assert!(said.contains(&wanted) && said.contains("scope=\"mcp.connect tool.call"), "{said}");
    assert!(!said.contains("error="), "{said}");
    let (_, said) = challenge(Some("nonsense"), "/mcp", "tools/call").await;
    assert!(
        said.contains("error=\"invalid_token\"") && said.contains("protected-resource/mcp\""),
        "{said}"
    );
    let metadata = world.get("/.well-known/oauth-protected-resource/mcp/files").await;
    assert_eq!(metadata["resource"], format!("{}/mcp/files", world.url));
    assert_eq!(metadata["authorization_servers"], json!([world.url]));
    let unknown = world.get("/.well-known/oauth-protected-resource/mcp/there-is-none").await;
    assert_eq!(unknown["resource"], format!("{}/mcp/there-is-none", world.url), "it tells nothing");
    // Let in, but not to call: the client is told what to ask for.
    let narrow = program(&world, &["mcp.connect"]).await;
    let narrow = token(&world, &narrow, "/mcp").await;
    let (status, said) = challenge(Some(&narrow), "/mcp/files", "tools/call").await;
    assert_eq!(status, 403);
    assert!(
        said.contains("error=\"insufficient_scope\"") && said.contains("scope=\"tool.call\""),
        "{said}"
    );
    let (status, said) = challenge(Some(&narrow), "/mcp", "tools/call").await;
    assert!(status == 403 && said.contains("scope=\"tool.call\""), "{status} {said}");
    let other = program(&world, &["run.list"]).await;
    let other = token(&world, &other, "/mcp").await;
    let (status, said) = challenge(Some(&other), "/mcp", "tools/list").await;
    assert_eq!(status, 403);
    assert!(said.contains("scope=\"mcp.connect\""), "{said}");
    assert_eq!(server.scene.calls.load(std::sync::atomic::Ordering::Acquire), 0);
}
