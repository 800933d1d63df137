//! What policy wants a person to approve, over the real programs.
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

use reqwest::Method;
use serde_json::{Value, json};
use std::sync::atomic::Ordering;
use wardroom_core::Role;
use world::{World, tool_server::ToolServer, wait_for};

const PASSWORD: &str = "Harbour lights at 6";
/// Calls of `wipe` and runs of `touch` take a person's consent.
const TWO_KEYS: &str = r#"
@id("two-keys")
forbid (principal, action == Wardroom::Action::"tool.call", resource)
when { resource.name == "wipe" } unless { context.approved };
@id("two-keys-for-runs")
forbid (principal, action == Wardroom::Action::"run.submit", resource == Wardroom::Command::"touch")
unless { context.approved };
"#;

async fn scene() -> (World, ToolServer) {
    let (world, server) = World::with_tools("test").await;
    world.add_policy(TWO_KEYS).await;
    (world, server)
}

/// A call as people make it, who do not wait.
async fn try_out(world: &World, token: &str, tool: &str, arguments: Value) -> (u16, Value) {
    let body = json!({"tool": tool, "arguments": arguments});
    send(world, token, Method::POST, "/api/v1/tool-servers/test/call", body).await
}

async fn send(world: &World, token: &str, method: Method, path: &str, body: Value) -> (u16, Value) {
    let request = world.client.request(method, world.at(path)).bearer_auth(token).json(&body);
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap_or_default())
}

async fn decide(world: &World, token: &str, id: &str, what: &str) -> (u16, Value) {
    let path = format!("/api/v1/approvals/{id}/{what}");
    send(world, token, Method::POST, &path, json!({"reason": "as agreed"})).await
}

/// The approval that waits.
async fn waiting(world: &World) -> String {
    wait_for("an approval that waits", || async {
        let list = world.get("/api/v1/approvals?state=waiting").await;
        list["items"][0]["id"].as_str().map(str::to_owned)
    })
    .await
}

#[tokio::test]
async fn consent_is_for_one_call_and_used_up_by_it() {
    let (world, server) = scene().await;
    let calls = || server.scene.calls.load(Ordering::Acquire);
    let (status, asked) = try_out(&world, &world.token, "wipe", json!({"n": 1})).await;
    assert_eq!((status, &asked["code"]), (409, &json!("approval_required")), "{asked}");
    let id = asked["approval"].as_str().unwrap();
    let (_, again) = try_out(&world, &world.token, "wipe", json!({"n": 1})).await;
    assert_eq!(again["approval"], id, "the same call waits for the same approval");
    let (_, other) = try_out(&world, &world.token, "wipe", json!({"n": 2})).await;
    assert_ne!(other["approval"], id, "other arguments want an approval of their own");
    let detail = world.get(&format!("/api/v1/approvals/{id}")).await;
    assert_eq!((&detail["state"], &detail["arguments"]), (&json!("waiting"), &json!({"n": 1})));
    assert_eq!(detail["policies"], json!(["two-keys"]), "{detail}");
    let (status, decided) = decide(&world, &world.token, id, "approve").await;
    assert_eq!((status, &decided["state"]), (200, &json!("approved")), "{decided}");
    assert_eq!(calls(), 0);
    // Somebody else does not get it.
    world.add_account("max", Role::Manager, PASSWORD).await;
    let max = world.sign_in_as("max", PASSWORD).await;
    let (status, others) = try_out(&world, &max, "wipe", json!({"n": 1})).await;
    assert!(status == 409 && others["approval"] != id, "{others}");
    let (status, done) = try_out(&world, &world.token, "wipe", json!({"n": 1})).await;
    assert_eq!(status, 200, "{done}");
    assert_eq!(calls(), 1);
    let (status, once_more) = try_out(&world, &world.token, "wipe", json!({"n": 1})).await;
    assert!(status == 409 && once_more["approval"] != id, "it was good once: {once_more}");
    let detail = world.get(&format!("/api/v1/approvals/{id}")).await;
    assert_eq!((&detail["state"], &detail["reason"]), (&json!("used"), &json!("as agreed")));
    let call = world.get("/api/v1/tool-calls").await["items"][0].clone();
    assert_eq!(detail["used_by"], call["id"]);
    let begun = &world.records("tool.call").await.into_iter().find(|r| r["outcome"] == "done");
    assert_eq!(begun.as_ref().unwrap()["detail"]["approval"], id);
    let said = world.records("approval.decide").await.remove(0);
    assert_eq!(said["detail"]["decision"], "approved", "{said}");
    assert_eq!(said["detail"]["arguments"], detail["arguments_digest"]);
    let receipt = detail["receipt"].as_str().unwrap();
    assert!(receipt.contains(said["detail"]["signature"].as_str().unwrap()), "{receipt}");
    assert!(!world.records("approval.asked").await.is_empty());
    world.sound().await;
}

#[tokio::test]
async fn a_client_without_a_session_comes_again_until_it_is_decided() {
    let (world, server) = scene().await;
    let params = json!({"name": "wipe", "arguments": {"n": 1}});
    let elicits = json!({"elicitation": {"url": {}}});
    let ask = async |state: Option<&Value>, capabilities: &Value| {
        let mut params = params.clone();
        if let Some(state) = state {
            params["requestState"] = state.clone();
            params["inputResponses"] = json!({"approval": {"action": "accept"}});
        }
        world.mcp_as(&world.token, "/mcp/test", "tools/call", params, capabilities).await.1
    };
    // One that can send its person somewhere is told at once where.
    let first = ask(None, &elicits).await;
    assert_eq!(first["result"]["resultType"], "input_required", "{first}");
    let question = &first["result"]["inputRequests"]["approval"];
    let id = waiting(&world).await;
    let url = format!("{}/approvals/{id}", world.url);
    assert_eq!(
        (&question["params"]["mode"], &question["params"]["url"]),
        (&json!("url"), &json!(url))
    );
    let state = &first["result"]["requestState"];
    let (again, _) = tokio::join!(ask(Some(state), &elicits), async {
        decide(&world, &world.token, &id, "approve").await
    });
    assert_eq!(again["result"]["resultType"], "complete", "{again}");
    assert_eq!(server.scene.calls.load(Ordering::Acquire), 1);
    assert_eq!(server.scene.last.lock().unwrap()["inputResponses"], Value::Null);
    // One that can't is held, and gets its answer without coming again.
    let plain = json!({});
    let (held, _) = tokio::join!(ask(None, &plain), async {
        let id = waiting(&world).await;
        decide(&world, &world.token, &id, "deny").await
    });
    assert_eq!(held["error"]["code"], -31001, "{held}");
    assert!(held["error"]["message"].as_str().unwrap().contains("as agreed"), "{held}");
    let once_more = ask(None, &plain).await;
    assert_eq!(once_more["error"]["code"], -31001, "what was denied stays so for a while");
    assert_eq!(server.scene.calls.load(Ordering::Acquire), 1);
}

#[tokio::test]
async fn a_client_with_a_session_waits() {
    let (world, server) = scene().await;
    let session = world.open_session(&world.token, "/mcp/test").await;
    let call = |n: u32| {
        let params = json!({"name": "wipe", "arguments": {"n": n}});
        let message = json!({"jsonrpc": "2.0", "id": n, "method": "tools/call", "params": params});
        let request = world.client.post(world.at("/mcp/test")).bearer_auth(&world.token);
        let request = request.header("mcp-session-id", &session).json(&message);
        async move {
            let text = request.send().await.unwrap().text().await.unwrap();
            let data = text.lines().rev().find_map(|line| line.strip_prefix("data: "));
            serde_json::from_str::<Value>(data.unwrap_or(&text)).unwrap()
        }
    };
    let (answered, _) = tokio::join!(call(1), async {
        let id = waiting(&world).await;
        decide(&world, &world.token, &id, "approve").await
    });
    assert_eq!(answered["result"]["content"][0]["text"], "{\"n\":1}", "{answered}");
    let (denied, _) = tokio::join!(call(2), async {
        let id = waiting(&world).await;
        decide(&world, &world.token, &id, "deny").await
    });
    assert!(denied["error"]["message"].as_str().unwrap().contains("denied"), "{denied}");
    assert_eq!(server.scene.calls.load(Ordering::Acquire), 1);
    let refused = world.records("tool.call").await.into_iter().find(|r| r["outcome"] == "refused");
    assert!(refused.unwrap()["reason"].as_str().unwrap().contains("denied"));
}

#[tokio::test]
async fn consent_is_not_for_a_tool_that_changed_meanwhile() {
    let (world, server) = scene().await;
    let session = world.open_session(&world.token, "/mcp/test").await;
    let call = || {
        let params = json!({"name": "wipe", "arguments": {"n": 1}});
        let message = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
        let request = world.client.post(world.at("/mcp/test")).bearer_auth(&world.token);
        let request = request.header("mcp-session-id", &session).json(&message);
        async move { request.send().await.unwrap().text().await.unwrap() }
    };
    let described = |text: &str| {
        server.scene.tools.lock().unwrap()[1]["description"] = json!(text);
    };
    // It is described otherwise while the call waits, and somebody accepts that.
    let (said, _) = tokio::join!(call(), async {
        let id = waiting(&world).await;
        described("Removes everything, elsewhere too");
        world.accept_tools("test").await;
        decide(&world, &world.token, &id, "approve").await
    });
    assert!(said.contains("changed while the call waited"), "{said}");
    // Nor is the consent good for the other one.
    let (status, asked) = try_out(&world, &world.token, "wipe", json!({"n": 1})).await;
    assert_eq!((status, &asked["code"]), (409, &json!("approval_required")), "{asked}");
    let id = asked["approval"].as_str().unwrap().to_owned();
    let (said, _) = tokio::join!(call(), async {
        let patch = world.client.patch(world.at("/api/v1/tool-servers/test"));
        let patch = patch.bearer_auth(&world.token).header("if-match", "*");
        wait_for("the call that waits", || async {
            let list = world.get("/api/v1/mcp/connections").await;
            (list["items"][0]["running"] == 1).then_some(())
        })
        .await;
        patch.json(&json!({"enabled": false})).send().await.unwrap();
        decide(&world, &world.token, &id, "approve").await
    });
    assert!(said.contains("changed while the call waited"), "{said}");
    assert_eq!(server.scene.calls.load(Ordering::Acquire), 0);
}

#[tokio::test]
async fn what_waits_outlives_a_killed_orchestrator_and_no_change_of_policy() {
    let (mut world, server) = scene().await;
    let (_, asked) = try_out(&world, &world.token, "wipe", json!({"n": 1})).await;
    let id = asked["approval"].as_str().unwrap().to_owned();
    world.kill_orchestrator();
    world.restart().await;
    assert_eq!(decide(&world, &world.token, &id, "approve").await.0, 200);
    world.kill_orchestrator();
    world.restart().await;
    let (status, done) = try_out(&world, &world.token, "wipe", json!({"n": 1})).await;
    assert_eq!(status, 200, "{done}");
    let (_, asked) = try_out(&world, &world.token, "wipe", json!({"n": 1})).await;
    let id = asked["approval"].as_str().unwrap().to_owned();
    let (_, approved) = try_out(&world, &world.token, "wipe", json!({"n": 2})).await;
    let approved = approved["approval"].as_str().unwrap().to_owned();
    assert_eq!(decide(&world, &world.token, &approved, "approve").await.0, 200);
    world.add_policy("// Another version.").await;
    let (status, refused) = decide(&world, &world.token, &id, "approve").await;
    assert_eq!((status, &refused["code"]), (409, &json!("approval_state")), "{refused}");
    let (status, asked) = try_out(&world, &world.token, "wipe", json!({"n": 2})).await;
    assert!(status == 409 && asked["approval"] != approved, "it was to another policy: {asked}");
    assert_eq!(server.scene.calls.load(Ordering::Acquire), 1);
}

#[tokio::test]
async fn one_consent_is_one_call_however_often_it_goes_on() {
    let (world, server) = scene().await;
    let ask = async |state: Option<&Value>| {
        let mut params = json!({"name": "wipe", "arguments": {"text": "ask"}});
        if let Some(state) = state {
            params["requestState"] = state.clone();
            params["inputResponses"] = json!({"q": {"roots": []}});
        }
        let can = json!({"roots": {}});
        world.mcp_as(&world.token, "/mcp/test", "tools/call", params, &can).await.1
    };
    let (first, _) = tokio::join!(ask(None), async {
        let id = waiting(&world).await;
        decide(&world, &world.token, &id, "approve").await
    });
    assert_eq!(first["result"]["inputRequests"]["q"]["method"], "roots/list", "{first}");
    let state = &first["result"]["requestState"];
    let before = server.scene.calls.load(Ordering::Acquire);
    let answers = futures_util::future::join_all((0..8).map(|_| ask(Some(state)))).await;
    let done = answers.iter().filter(|said| said["result"]["resultType"] == "complete").count();
    assert_eq!(done, 1, "{answers:?}");
    assert_eq!(server.scene.calls.load(Ordering::Acquire), before + 1);
    let over = answers.iter().find(|said| said["error"].is_object()).unwrap();
    assert_eq!(over["error"]["code"], -32602, "{over}");
}

#[tokio::test]
async fn a_run_does_not_begin_for_who_may_not_any_more() {
    let (world, _server) = scene().await;
    let id = world.add_account("ann", Role::Operator, PASSWORD).await;
    let ann = world.sign_in_as("ann", PASSWORD).await;
    let body = json!({"command": "touch", "node": "local"});
    let (_, run) = send(&world, &ann, Method::POST, "/api/v1/runs", body).await;
    let approval = run["approval"].as_str().unwrap().to_owned();
    let detail = world.get(&format!("/api/v1/approvals/{approval}")).await;
    assert_eq!(detail["arguments"]["parameters"], json!({}), "{detail}");
    world.post(&format!("/api/v1/users/{id}/disable"), Value::Null).await;
    let (status, refused) = decide(&world, &world.token, &approval, "approve").await;
    assert_eq!((status, &refused["code"]), (409, &json!("approval_state")), "{refused}");
    assert_eq!(decide(&world, &world.token, &approval, "deny").await.0, 200);
    assert_eq!(std::fs::read_dir(world.traces()).unwrap().count(), 0);
}

#[tokio::test]
async fn nothing_that_acts_for_somebody_consents_for_them() {
    let (world, _server) = scene().await;
    let (_, asked) = try_out(&world, &world.token, "wipe", json!({"n": 1})).await;
    let id = asked["approval"].as_str().unwrap().to_owned();
    let token = async |body: Value| {
        let made = world.post("/api/v1/tokens", body).await;
        made["secret"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned()
    };
    let broad = token(json!({"name": "agent", "expires_in": 600})).await;
    let (status, said) = decide(&world, &broad, &id, "approve").await;
    assert_eq!(status, 403, "a token without that scope: {said}");
    let scopes = json!(["tool.call", "approval.read", "approval.decide"]);
    let scoped = token(json!({"name": "robot", "expires_in": 600, "scopes": scopes})).await;
    let (status, said) = decide(&world, &scoped, &id, "approve").await;
    assert_eq!(status, 403, "{said}");
    assert!(said["detail"].as_str().unwrap().contains("in person"), "{said}");
    world.add_account("ann", Role::Operator, PASSWORD).await;
    let ann = world.sign_in_as("ann", PASSWORD).await;
    assert_eq!(decide(&world, &ann, &id, "approve").await.0, 404, "it is not hers to see");
    let (_, own) = try_out(&world, &ann, "wipe", json!({"n": 9})).await;
    let own = own["approval"].as_str().unwrap().to_owned();
    assert_eq!(decide(&world, &ann, &own, "approve").await.0, 403, "nor hers to decide");
    let list = send(&world, &ann, Method::GET, "/api/v1/approvals", Value::Null).await.1;
    assert_eq!(list["items"].as_array().unwrap().len(), 1, "{list}");
    // What others asked for, a token with that scope may decide.
    assert_eq!(decide(&world, &scoped, &own, "approve").await.0, 200);
    assert_eq!(decide(&world, &scoped, &own, "deny").await.0, 409, "once");
    assert_eq!(decide(&world, &world.token, &id, "approve").await.0, 200, "in person");
}

#[tokio::test]
async fn a_command_waits_for_consent_on_its_way_to_a_node() {
    let (world, _server) = scene().await;
    let traces = || std::fs::read_dir(world.traces()).unwrap().count();
    let run = world.submit("touch", json!({})).await;
    let view = world.get(&format!("/api/v1/runs/{run}")).await;
    assert_eq!(view["state"], "awaiting_approval", "{view}");
    let id = view["approval"].as_str().unwrap().to_owned();
    assert_eq!(traces(), 0);
    assert_eq!(decide(&world, &world.token, &id, "approve").await.0, 200);
    assert_eq!(world.ended(&run).await["state"], "succeeded");
    assert_eq!(traces(), 1);
    let denied = world.submit("touch", json!({})).await;
    let id = waiting(&world).await;
    assert_eq!(decide(&world, &world.token, &id, "deny").await.0, 200);
    let ended = world.ended(&denied).await;
    assert_eq!(
        (&ended["state"], &ended["outcome"]["message"]),
        (&json!("cancelled"), &json!("a person denied it"))
    );
    assert_eq!(traces(), 1);
    let body = json!({"command": "touch", "labels": "site=here", "all": true});
    let all = world.post("/api/v1/runs", body).await;
    assert_eq!(all["state"], "awaiting_approval", "{all}");
    let id = all["approval"].as_str().unwrap().to_owned();
    assert_eq!(decide(&world, &world.token, &id, "approve").await.0, 200);
    assert_eq!(world.ended(all["id"].as_str().unwrap()).await["state"], "succeeded");
    assert_eq!(traces(), 2);
    world.sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_waits_shows_and_decides() {
    let (world, _server) = scene().await;
    let program = |args: &[&str]| {
        let mut command = world::command(world::wardroom());
        command.args(args).args(["--server", &world.url, "--ca"]);
        command.arg(world.data().join("authority.pem")).env("WARDROOM_TOKEN", &world.token);
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        command.spawn().unwrap()
    };
    let said = |child: std::process::Child| {
        let output = child.wait_with_output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap(), String::from_utf8(text).unwrap())
    };
    let call = ["mcp", "call", "test", "wipe", "--arguments", "{\"n\":1}"];
    let (code, text) = said(program(&[&call[..], &["--no-wait"]].concat()));
    assert!(code == 6 && text.contains("approve"), "{code} {text}");
    let calling = program(&call);
    let id = waiting(&world).await;
    let (code, text) = said(program(&["approval", "list"]));
    assert!(code == 0 && text.contains(&id) && text.contains("test/wipe"), "{text}");
    assert!(text.contains(" admin ") && !text.contains("user_"), "whom it is for: {text}");
    let (code, text) = said(program(&["approval", "approve", &id, "--reason", "fine"]));
    assert!(code == 0 && text.contains("approved"), "{code} {text}");
    let (code, text) = said(calling);
    assert!(code == 0 && text.contains("{\"n\":1}"), "{code} {text}");
    let (code, text) = said(program(&["approval", "show", &id]));
    assert!(
        code == 0 && text.contains("two-keys@") && text.contains("wardroom approval"),
        "{text}"
    );
    let (code, _) = said(program(&["approval", "deny", &id]));
    assert_eq!(code, 6);
}

/// The first policy in the guide, as somebody copies it.
fn documented() -> String {
    let guide = std::fs::read_to_string("../../docs/approvals.md").unwrap();
    let text = guide.split_once("```cedar\n").unwrap().1.split_once("```").unwrap().0.to_owned();
    assert!(text.contains("two-keys"), "{text}");
    text
}

#[tokio::test]
async fn the_guides_policy_takes_consent_and_nothing_else() {
    let (world, _server) = World::with_tools("test").await;
    let current = world.get("/api/v1/policy").await;
    let text = format!("{}\n{}", current["text"].as_str().unwrap(), documented());
    let trial = world.post("/api/v1/policy/try", json!({"text": text})).await;
    let changes = trial["changes"].as_array().unwrap();
    let tells = |change: &Value| {
        change["action"] == "tool.call"
            && change["resource"] == "a tool that may destroy something"
            && change["allowed"] == false
            && change["consent"] == true
    };
    assert!(changes.iter().any(tells), "{trial}");
    world.add_policy(&documented()).await;
    let question = json!({"action": "tool.call", "resource": null, "own": false, "role": "admin"});
    let explained = world.post("/api/v1/policy/explain", question).await;
    assert_eq!(
        (&explained["allowed"], &explained["wanted_by"]),
        (&json!(false), &json!(["two-keys"])),
        "{explained}"
    );
    // Programs may be granted what takes consent: it is asked for at each call.
    let who = world.get("/api/v1/whoami").await;
    let actions = who["may"].to_string();
    assert!(actions.contains("tool.call"), "{who}");
    // What can't be called says why, whoever would have to consent.
    let (status, said) = try_out(&world, &world.token, "nosuch", json!({})).await;
    assert_eq!(status, 404, "{said}");
    assert!(said["detail"].as_str().unwrap().contains("offers no such tool"), "{said}");
    let (status, asked) = try_out(&world, &world.token, "wipe", json!({})).await;
    assert_eq!((status, &asked["code"]), (409, &json!("approval_required")), "{asked}");
    let (status, done) = try_out(&world, &world.token, "echo", json!({"text": "a"})).await;
    assert_eq!(status, 200, "{done}");
}
