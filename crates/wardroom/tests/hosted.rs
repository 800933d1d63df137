//! Tool servers that a node starts, over the real programs: shared and per session, their secrets, their ends.
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
use std::{fs, os::unix::fs::PermissionsExt as _};
use wardroom_core::Role;
use world::{World, wait_for};

const SERVER: &str = include_str!("world/stdio_server.py");

/// An installation whose node starts the tool server `name` with `more` in its entry; not registered yet.
async fn offered(name: &str, more: &str) -> World {
    let world = World::new().await;
    let script = world.folder.path().join("server.py");
    fs::write(&script, SERVER).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o644)).unwrap();
    let path = script.display();
    let entry = format!(
        "[[tool_server]]\nname = {name:?}\ndescription = \"Tries\"\nprogram = \"/usr/bin/python3\"\n\
         arguments = [\"{path}\"]\nsecrets = [\"API_KEY\"]\nenvironment = {{ OWN = \"own\" }}\n\
         sandbox = {{ read = [\"{path}\"] }}\n{more}\n"
    );
    world.add_to_list(&entry, name).await;
    world
}

fn node(entry: &str) -> Value {
    json!({"kind": "node", "node": "local", "entry": entry})
}

/// The same, registered and accepted.
async fn scene(more: &str) -> World {
    let world = offered("tries", more).await;
    world.post("/api/v1/tool-servers", json!({"name": "tries", "way": node("tries")})).await;
    world.accept_tools("tries").await;
    world
}

async fn call(world: &World, tool: &str, arguments: Value) -> Value {
    let params = json!({"name": tool, "arguments": arguments});
    world.mcp(&world.token, "/mcp/tries", "tools/call", params).await.1
}

fn text(answered: &Value) -> String {
    answered["result"]["content"][0]["text"]
        .as_str()
        .unwrap_or_else(|| panic!("{answered}"))
        .to_owned()
}

/// A call within a session.
async fn call_in(world: &World, session: &str, tool: &str, params: Value) -> Value {
    let mut params = params;
    params["name"] = json!(tool);
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
    let request = world.client.post(world.at("/mcp/tries")).bearer_auth(&world.token);
    let request = request.header("accept", "application/json, text/event-stream");
    let answer = request.header("mcp-session-id", session).json(&body).send().await.unwrap();
    let text = answer.text().await.unwrap();
    let last = text.lines().filter_map(|line| line.strip_prefix("data: ")).next_back();
    serde_json::from_str(last.unwrap_or(&text)).unwrap_or_else(|_| panic!("{text}"))
}

#[tokio::test]
async fn a_node_starts_a_tool_server_in_its_sandbox_with_the_secrets_that_are_named() {
    let world = offered("tries", "").await;
    let secret = json!({"name": "api.key", "value": "planted-key-value"});
    world.post("/api/v1/secrets", secret).await;
    let shown = json!({"kind": "environment", "secrets": {"API_KEY": "api.key"}});
    for (body, field) in [
        (json!({"name": "tries", "way": node("other")}), "entry"),
        (
            json!({"name": "tries", "way": {"kind": "node", "node": "nowhere", "entry": "tries"}}),
            "node",
        ),
        (
            json!({"name": "tries", "way": node("tries"), "shown": {"kind": "environment", "secrets": {"LD_PRELOAD": "api.key"}}}),
            "environment",
        ),
        (
            json!({"name": "tries", "way": node("tries"), "shown": {"kind": "environment", "secrets": {"API_KEY": "none"}}}),
            "secret",
        ),
    ] {
        let refused = world.post("/api/v1/tool-servers", body).await;
        assert_eq!(refused["fields"][0]["field"], field, "{refused}");
    }
    let body = json!({"name": "tries", "way": node("tries"), "shown": shown});
    let made = world.post("/api/v1/tool-servers", body).await;
    assert_eq!(made["way"]["entry"], "tries", "{made}");
    world.accept_tools("tries").await;
    let environment: Value =
        serde_json::from_str(&text(&call(&world, "environment", json!({})).await)).unwrap();
    let environment = environment.as_object().unwrap();
    assert_eq!(environment["API_KEY"], "planted-key-value");
    assert_eq!(environment["OWN"], "own");
    let names: Vec<&str> = environment.keys().map(String::as_str).collect();
    assert!(
        names
            .iter()
            .all(|name| ["API_KEY", "OWN", "HOME", "LANG", "PATH", "TMPDIR", "LC_CTYPE"]
                .contains(name)),
        "{names:?}"
    );
    // What its entry does not name, it does not reach.
    let list = world.folder.path().join("commands.toml").display().to_string();
    for path in ["/etc/shadow", &list] {
        let read = call(&world, "read", json!({"path": path})).await;
        assert_eq!(read["result"]["isError"], true, "{read}");
    }
    let started = &world.records("tool_server.start").await[0];
    assert_eq!(started["target"], "tries");
    let digest =
        world.get("/api/v1/nodes/local").await["catalogue"]["tool_servers"][0]["digest"].clone();
    assert_eq!(started["detail"]["digest"], digest);
    let log = fs::read_to_string(world.folder.path().join("node.log")).unwrap();
    let told = serde_json::to_string(&world.records("tool_server.create").await).unwrap();
    assert!(!log.contains("planted-key-value") && !told.contains("planted-key-value"));
    assert!(!world.logged().contains("planted-key-value"));
    // The log of the node tells of the same process.
    let instance = started["detail"]["instance"].as_str().unwrap();
    let export = world::command(world::wardroom_node())
        .args(["log", "export", "--data"])
        .arg(world.node_data())
        .stdout(std::process::Stdio::piped())
        .output()
        .unwrap();
    assert!(String::from_utf8(export.stdout).unwrap().contains(instance));
}

#[tokio::test]
async fn a_shared_process_answers_everybody_and_asks_nobody() {
    let world = scene("").await;
    let first = text(&call(&world, "count", json!({})).await);
    let second = text(&call(&world, "count", json!({})).await);
    let process = |text: &str| text.split(' ').next().unwrap().to_owned();
    assert_eq!(process(&first), process(&second), "one process for both");
    assert!(second.ends_with(" 2"));
    let params = json!({"name": "ask", "arguments": {}});
    let able = json!({"elicitation": {"form": {}}});
    let asked = world.mcp_as(&world.token, "/mcp/tries", "tools/call", params, &able).await.1;
    assert!(text(&asked).contains("nobody answers"), "{asked}");
    let large = text(&call(&world, "large", json!({"bytes": 3_000_000})).await);
    assert_eq!(large.len(), 3_000_000, "in many pieces");
    let too_large = call(&world, "large", json!({"bytes": 5_000_000})).await;
    assert!(too_large.to_string().contains("longer than"), "{too_large}");
    let third = text(&call(&world, "count", json!({})).await);
    assert_eq!(process(&third), process(&first), "it lives on");
    let server = world.get("/api/v1/tool-servers/tries").await;
    assert_eq!(server["health"]["instances"], 1, "{server}");
}

#[tokio::test]
async fn a_session_has_a_process_of_its_own_which_may_ask_its_client() {
    let world = scene("instances = \"per_session\"\ninstances_max = 4").await;
    let one = world.open_session(&world.token, "/mcp/tries").await;
    let other = world.open_session(&world.token, "/mcp/tries").await;
    let count = async |session: &str| text(&call_in(&world, session, "count", json!({})).await);
    let (first, _, second) = (count(&one).await, count(&other).await, count(&one).await);
    let theirs = count(&other).await;
    assert!(first.ends_with(" 1") && second.ends_with(" 2") && theirs.ends_with(" 2"));
    assert_ne!(first.split(' ').next(), theirs.split(' ').next(), "two processes");
    let params = json!({"arguments": {}, "_meta": {"progressToken": "mine"}});
    let done = call_in(&world, &one, "steps", params).await;
    assert_eq!(text(&done), "done");
    // A client without sessions is asked by `input_required`, and its answer reaches the same process.
    let params = json!({"name": "ask", "arguments": {}});
    let able = json!({"elicitation": {"form": {}}});
    let asked =
        world.mcp_as(&world.token, "/mcp/tries", "tools/call", params.clone(), &able).await.1;
    assert_eq!(asked["result"]["resultType"], "input_required", "{asked}");
    let mut again = params;
    again["requestState"] = asked["result"]["requestState"].clone();
    let key = asked["result"]["inputRequests"].as_object().unwrap().keys().next().unwrap().clone();
    again["inputResponses"] = json!({key: {"action": "accept", "content": {}}});
    let answered = world.mcp_as(&world.token, "/mcp/tries", "tools/call", again, &able).await.1;
    assert!(text(&answered).contains("accept"), "{answered}");
    // The end of a session is the end of its process.
    let before = world.records("tool_server.end").await.len();
    let end = world.client.delete(world.at("/mcp/tries")).bearer_auth(&world.token);
    end.header("mcp-session-id", &one).send().await.unwrap();
    wait_for("the end of its process", || async {
        (world.records("tool_server.end").await.len() > before).then_some(())
    })
    .await;
}

#[tokio::test]
async fn callers_share_no_instance_that_is_one_for_each_and_a_busy_pool_grows() {
    let world = scene("instances = \"per_session\"\ninstances_max = 5").await;
    world.add_account("ann", Role::Operator, "Harbour lights at 6").await;
    world
        .add_policy(
            r#"@id("count") permit (principal in Wardroom::Role::"operator", action == Wardroom::Action::"tool.call", resource);"#,
        )
        .await;
    let ann = world.sign_in_as("ann", "Harbour lights at 6").await;
    let count = async |token: &str| {
        let params = json!({"name": "count", "arguments": {}});
        text(&world.mcp(token, "/mcp/tries", "tools/call", params).await.1)
    };
    let (mine, hers, again) =
        (count(&world.token).await, count(&ann).await, count(&world.token).await);
    assert!(mine.ends_with(" 1") && hers.ends_with(" 1") && again.ends_with(" 2"));
    // No one has more than three quarters of the places, and a place of one's own that is idle goes first.
    let mut sessions = vec![];
    for _ in 0..3 {
        sessions.push(world.open_session(&world.token, "/mcp/tries").await);
    }
    for session in &sessions {
        assert!(text(&call_in(&world, session, "count", json!({})).await).ends_with(" 1"));
    }
    assert!(count(&ann).await.ends_with(" 2"), "hers is still there");
    let server = world.get("/api/v1/tool-servers/tries").await;
    assert!(server["health"]["instances"].as_u64().unwrap() <= 5, "{server}");
    assert_eq!(server["health"]["breaker"], "closed");

    let shared = scene("instances_max = 2").await;
    let sleeping: Vec<_> = (0..8)
        .map(|_| {
            let (client, url, token) =
                (shared.client.clone(), shared.at("/mcp/tries"), shared.token.clone());
            tokio::spawn(async move {
                let meta = json!({"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}});
                let params = json!({"name": "sleep", "arguments": {"seconds": 4}, "_meta": meta});
                let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
                let request = client.post(url).bearer_auth(token).json(&body);
                let request = request.header("mcp-protocol-version", "2026-07-28").header("mcp-name", "sleep");
                request.header("mcp-method", "tools/call").header("accept", "application/json, text/event-stream").send().await
            })
        })
        .collect();
    wait_for("a second instance", || async {
        call(&shared, "count", json!({})).await;
        let server = shared.get("/api/v1/tool-servers/tries").await;
        (server["health"]["instances"] == 2).then_some(())
    })
    .await;
    sleeping.into_iter().for_each(|sleeping| sleeping.abort());
}

#[tokio::test]
async fn what_an_instance_says_that_changed_is_looked_at() {
    let world = scene("").await;
    let waiting = async || {
        let tools = world.get("/api/v1/tool-servers/tries/tools").await;
        let tools = tools["items"].as_array().unwrap().clone();
        tools.iter().filter(|tool| tool["state"] == "new").count()
    };
    assert_eq!(waiting().await, 0);
    // At once, before anybody listens, and again when somebody does.
    for count in 1..=2 {
        assert_eq!(text(&call(&world, "grow", json!({})).await), "grown");
        let more = format!("{count} tools more");
        wait_for(&more, || async { (waiting().await == count).then_some(()) }).await;
    }
}

#[tokio::test]
async fn one_that_dies_is_started_again_and_waited_for_longer_each_time() {
    let mut world = scene("").await;
    let died = call(&world, "die", json!({})).await;
    assert!(died.to_string().contains("exit code 3"), "{died}");
    let again = wait_for("it is started again", || async {
        let answered = call(&world, "count", json!({})).await;
        answered["result"]["content"][0]["text"].as_str().map(str::to_owned)
    })
    .await;
    assert!(again.ends_with(" 1"), "a new process: {again}");
    for _ in 0..2 {
        wait_for("it dies", || async {
            let died = call(&world, "die", json!({})).await;
            died.to_string().contains("exit code 3").then_some(())
        })
        .await;
    }
    let left = call(&world, "count", json!({})).await;
    assert!(left.to_string().contains("started again in"), "{left}");
    let restarted = world.post("/api/v1/tool-servers/tries/restart", Value::Null).await;
    assert!(!restarted.to_string().contains("error"), "{restarted}");
    assert!(text(&call(&world, "count", json!({})).await).ends_with(" 1"));
    let ends = world.records("tool_server.end").await;
    assert!(ends.iter().any(|end| end["detail"]["code"] == "exited"), "{ends:?}");
    // Without its node it is not there, and says so; with it, it is again.
    world.kill_node();
    world.until_node("offline").await;
    let gone = call(&world, "count", json!({})).await;
    assert!(gone.to_string().contains("not linked"), "{gone}");
    world.start_node();
    world.until_node("online").await;
    assert!(text(&call(&world, "count", json!({})).await).ends_with(" 1"));
}
