//! Who may do what, and what is recorded of it, over the real programs.
#![allow(
    clippy::cloned_ref_to_slice_refs,
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

use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use wardroom_core::Role;
use world::{World, tool_server::ToolServer, wait_for};

const PASSWORD: &str = "Harbour lights at 6";
/// A fault that the tests make.
const FAULT: &str = "0123456789abcdef";

/// One request that would succeed for an administrator.
struct Ask {
    method: &'static str,
    route: &'static str,
    path: String,
    body: Value,
}

const AGENT: &str = "\
name: mast
description: Looks out
mode: continuous
model: {provider: scripted, name: lookout}
instructions: Look out
";

/// An installation that knows a language model.
async fn world() -> (World, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("models.toml");
    std::fs::write(folder.path().join("script.yaml"), "answers: [{text: Aye}]\n").unwrap();
    let provider =
        "[[provider]]\nname = \"script\"\nkind = \"scripted\"\nscript = \"script.yaml\"\n";
    std::fs::write(&path, provider).unwrap();
    let settings =
        [format!("models_file={}", path.display()), "outbound_allow=127.0.0.0/8".to_owned()];
    (World::with(&settings).await, folder)
}

/// Every secured route of the API, aimed at things of an administrator.
async fn asks(world: &World) -> Vec<Ask> {
    // One that failed can be replayed.
    let run = world.submit("read-log", json!({"path": "/var/log/there-is-none"})).await;
    assert_eq!(world.ended(&run).await["state"], "failed");
    let join = world.post("/api/v1/join-tokens", json!({})).await["token"]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let dora = world.add_account("dora", Role::Operator, PASSWORD).await;
    let another = world.login("admin", &world.password(), Some(&world.recovery_code())).await;
    let session = another["session"].as_str().unwrap().to_owned();
    world.post("/api/v1/tokens", json!({"name": "one", "expires_in": 600})).await;
    let token = world.get("/api/v1/tokens").await["items"][0]["id"].as_str().unwrap().to_owned();
    let node = world.get("/api/v1/nodes/local").await["id"].as_str().unwrap().to_owned();
    let id_of = |made: &Value| made["id"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned();
    let body = json!({"name": "Harbour", "email": "desk@harbour.example"});
    let customer = id_of(&world.post("/api/v1/customers", body).await);
    let service =
        id_of(&world.post("/api/v1/services", json!({"name": "berth", "title": "Berth"})).await);
    let published = Ask {
        method: "PATCH",
        route: "",
        path: format!("/api/v1/services/{service}"),
        body: json!({"state": "published"}),
    };
    assert_eq!(send(world, &world.token, &published).await.status(), StatusCode::OK);
    let order = json!({"customer": customer});
    let path = format!("/api/v1/services/{service}/order");
    let request = id_of(&world.post(&path, order.clone()).await);
    let path = format!("/api/v1/requests/{request}/attachments?name=a.txt");
    let file = id_of(&world.post(&path, json!("a")).await);
    let ask = |method, route: &'static str, id: &str, body| Ask {
        method,
        route,
        path: route
            .replace("{id}", id)
            .replace("{index}", "0")
            .replace("{network}", "203.0.113.1")
            .replace("{number}", "0")
            .replace("{attachment}", &file)
            .replace("{fingerprint}", FAULT)
            .replace("{name}", "mast"),
        body,
    };
    world.post("/api/v1/users", json!({"name": "max", "role": "admin"})).await;
    let alert = wait_for("the alert about it", || async {
        let found = world.get("/api/v1/security/alerts?open=true").await;
        found["items"][0]["id"].as_str().map(str::to_owned)
    })
    .await;
    world.break_down(FAULT).await;
    world.post("/api/v1/secrets", json!({"name": "mast", "value": "v"})).await;
    let agent = json!({"text": format!("{AGENT}# The first.\n")});
    let put = world.client.put(world.at("/api/v1/agents/mast")).bearer_auth(&world.token);
    assert_eq!(put.json(&agent).send().await.unwrap().status(), StatusCode::OK);
    let server = ToolServer::start().await;
    world.add_tools("mast", &server.url).await;
    let (_, called) = world
        .mcp(&world.token, "/mcp/mast", "tools/call", json!({"name": "echo", "arguments": {}}))
        .await;
    assert_eq!(called["result"]["content"][0]["text"], "{}", "{called}");
    let opened = world.open_session(&world.token, "/mcp/mast").await[..8].to_owned();
    let call = id_of(&world.get("/api/v1/tool-calls").await["items"][0]);
    let tool = world.get("/api/v1/tool-servers/mast/tools").await["items"][0].clone();
    let accept = json!({"tool": tool["name"], "digest": tool["digest"]});
    let approvals = two_approvals(world).await;
    let question =
        json!({"model": "script/any", "messages": [{"role": "user", "content": "Ahoy"}]});
    let answer = world.post("/v1/chat/completions", question).await;
    assert_eq!(answer["choices"][0]["message"]["content"], "Aye", "{answer}");
    let asked = id_of(&world.get("/api/v1/model-calls").await["items"][0]);
    let budget = json!({"scope": "everything", "period": "day", "tokens_max": 9});
    let bound = id_of(&world.post("/api/v1/budgets", budget.clone()).await);
    let way = json!({"kind": "http", "url": server.url});
    let program = json!({"name": "Chart", "confidential": true, "redirect_uris": ["https://chart.example/"], "scopes": ["run.list"]});
    let made = world.post("/api/v1/oauth/clients", program.clone()).await;
    let client = made["client"]["id"].as_str().unwrap().to_owned();
    let current = world.get("/api/v1/policy").await;
    let policy = current["text"].as_str().unwrap().to_owned();
    let submission = json!({"command": "ping", "node": "local"});
    let question = json!({"action": "run.submit", "role": "admin"});
    vec![
        ask("GET", "/api/v1/audit/checkpoint", "", Value::Null),
        ask("GET", "/api/v1/audit/export", "", Value::Null),
        ask("GET", "/api/v1/audit/records", "", Value::Null),
        ask("GET", "/api/v1/audit/records/{index}", "", Value::Null),
        ask("GET", "/api/v1/audit/records/{index}/proof", "", Value::Null),
        ask("POST", "/api/v1/audit/verify", "", json!({})),
        ask("GET", "/api/v1/customers", "", Value::Null),
        ask("POST", "/api/v1/customers", "", json!({"name": "Q", "email": "q@q.example"})),
        ask("GET", "/api/v1/customers/export", "", Value::Null),
        ask("POST", "/api/v1/customers/import", "", json!("name,email\nP,p@p.example\n")),
        ask("GET", "/api/v1/customers/{id}", &customer, Value::Null),
        ask("GET", "/api/v1/customers/{id}/disclosure", &customer, Value::Null),
        ask("PATCH", "/api/v1/customers/{id}", &customer, json!({"notes": "x"})),
        ask("PUT", "/api/v1/customers/{id}/operators", &customer, json!({"operators": ["dora"]})),
        ask("POST", "/api/v1/services", "", json!({"name": "other", "title": "Other"})),
        ask("GET", "/api/v1/services/{id}", &service, Value::Null),
        ask("PATCH", "/api/v1/services/{id}", &service, json!({"title": "A berth"})),
        ask("POST", "/api/v1/services/{id}/order", &service, order),
        ask("GET", "/api/v1/requests/{id}", &request, Value::Null),
        ask("PATCH", "/api/v1/requests/{id}", &request, json!({"priority": "high"})),
        ask("POST", "/api/v1/requests/{id}/notes", &request, json!({"text": "x"})),
        ask("POST", "/api/v1/requests/{id}/attachments", &request, json!("b")),
        ask("GET", "/api/v1/requests/{id}/attachments/{attachment}", &request, Value::Null),
        ask("DELETE", "/api/v1/requests/{id}/attachments/{attachment}", &request, Value::Null),
        ask("POST", "/api/v1/requests/{id}/cancel", &request, Value::Null),
        ask("DELETE", "/api/v1/customers/{id}", &customer, Value::Null),
        ask("GET", "/api/v1/health", "", Value::Null),
        ask("GET", "/api/v1/join-tokens", "", Value::Null),
        ask("POST", "/api/v1/join-tokens", "", json!({"labels": {}})),
        ask("DELETE", "/api/v1/join-tokens/{id}", &join, Value::Null),
        ask("GET", "/api/v1/nodes", "", Value::Null),
        ask("GET", "/api/v1/nodes/{id}", &node, Value::Null),
        ask("PATCH", "/api/v1/nodes/{id}", &node, json!({"labels": {"taken": "yes"}})),
        ask("POST", "/api/v1/nodes/{id}/disable", &node, Value::Null),
        ask("POST", "/api/v1/nodes/{id}/enable", &node, Value::Null),
        ask("GET", "/api/v1/overview", "", Value::Null),
        ask("GET", "/api/v1/policy", "", Value::Null),
        ask(
            "PUT",
            "/api/v1/policy",
            "",
            json!({"text": policy.clone(), "base": current["number"]}),
        ),
        ask("POST", "/api/v1/policy/try", "", json!({"text": policy})),
        ask("GET", "/api/v1/policy/versions", "", Value::Null),
        ask("GET", "/api/v1/policy/versions/{number}", "", Value::Null),
        ask("POST", "/api/v1/policy/explain", "", question),
        ask("POST", "/api/v1/runs", "", submission),
        ask("GET", "/api/v1/runs/{id}", &run, Value::Null),
        ask("GET", "/api/v1/runs/{id}/output", &run, Value::Null),
        ask("GET", "/api/v1/runs/{id}/steps", &run, Value::Null),
        ask("GET", "/api/v1/runs/{id}/stream", &run, Value::Null),
        ask("POST", "/api/v1/runs/{id}/answers", &run, json!({"call": "c", "text": "t"})),
        ask("POST", "/api/v1/runs/{id}/cancel", &run, Value::Null),
        ask("POST", "/api/v1/runs/{id}/replay", &run, Value::Null),
        ask("DELETE", "/api/v1/nodes/{id}", &node, Value::Null),
        ask("DELETE", "/api/v1/sessions/{id}", &session, Value::Null),
        ask("GET", "/api/v1/secrets", "", Value::Null),
        ask("POST", "/api/v1/secrets", "", json!({"name": "keel", "value": "v"})),
        ask("PUT", "/api/v1/secrets/{name}", "", json!({"value": "w"})),
        ask("DELETE", "/api/v1/secrets/{name}", "", Value::Null),
        ask("GET", "/api/v1/agents", "", Value::Null),
        ask("GET", "/api/v1/agents/{name}", "", Value::Null),
        ask("PUT", "/api/v1/agents/{name}", "", json!({"text": AGENT, "note": "x"})),
        ask("POST", "/api/v1/agents/{name}/runs", "", json!({"prompt": "x"})),
        ask("POST", "/api/v1/threads", "", json!({"agent": "mast", "text": "x"})),
        ask("GET", "/api/v1/agents/{name}/versions", "", Value::Null),
        Ask {
            method: "GET",
            route: "/api/v1/agents/{name}/versions/{number}",
            path: "/api/v1/agents/mast/versions/1".to_owned(),
            body: Value::Null,
        },
        ask("DELETE", "/api/v1/agents/{name}", "", Value::Null),
        ask("GET", "/api/v1/tool-servers", "", Value::Null),
        ask("POST", "/api/v1/tool-servers", "", json!({"name": "keel", "way": way})),
        ask("GET", "/api/v1/tool-servers/{name}", "", Value::Null),
        ask("PATCH", "/api/v1/tool-servers/{name}", "", json!({"about": "x"})),
        ask("POST", "/api/v1/tool-servers/{name}/test", "", Value::Null),
        ask("GET", "/api/v1/tool-servers/{name}/tools", "", Value::Null),
        ask("POST", "/api/v1/tool-servers/{name}/tools/accept", "", accept),
        ask("POST", "/api/v1/tool-servers/{name}/call", "", json!({"tool": "echo"})),
        ask("POST", "/api/v1/tool-servers/{name}/restart", "", Value::Null),
        ask("GET", "/api/v1/mcp/connections", "", Value::Null),
        ask("DELETE", "/api/v1/mcp/connections/{id}", &opened, Value::Null),
        ask("GET", "/api/v1/tool-calls/{id}", &call, Value::Null),
        ask("GET", "/api/v1/models", "", Value::Null),
        ask("GET", "/api/v1/model-calls/{id}", &asked, Value::Null),
        ask("GET", "/api/v1/budgets", "", Value::Null),
        ask("POST", "/api/v1/budgets", "", budget),
        ask("PUT", "/api/v1/budgets/{id}", &bound, json!({"tokens_max": 10})),
        ask("DELETE", "/api/v1/budgets/{id}", &bound, Value::Null),
        ask("GET", "/api/v1/approvals/{id}", &approvals[0], Value::Null),
        ask("POST", "/api/v1/approvals/{id}/approve", &approvals[0], json!({})),
        ask("POST", "/api/v1/approvals/{id}/deny", &approvals[1], json!({})),
        ask("DELETE", "/api/v1/tool-servers/{name}", "", Value::Null),
        ask("GET", "/api/v1/oauth/clients", "", Value::Null),
        ask("POST", "/api/v1/oauth/clients", "", program),
        ask("POST", "/api/v1/oauth/clients/{id}/secret", &client, Value::Null),
        ask("DELETE", "/api/v1/oauth/clients/{id}", &client, Value::Null),
        ask("GET", "/api/v1/security/blocks", "", Value::Null),
        ask("POST", "/api/v1/security/blocks", "", json!({"address": "203.0.113.1"})),
        ask("DELETE", "/api/v1/security/blocks/{network}", "", Value::Null),
        ask("GET", "/api/v1/security/connections", "", Value::Null),
        ask("GET", "/api/v1/security/alerts", "", Value::Null),
        ask("GET", "/api/v1/security/posture", "", Value::Null),
        ask("GET", "/api/v1/security/keys", "", Value::Null),
        ask("POST", "/api/v1/security/alerts/test", "", Value::Null),
        ask("POST", "/api/v1/security/alerts/{id}/acknowledge", &alert, Value::Null),
        ask("GET", "/api/v1/security/faults", "", Value::Null),
        ask("POST", "/api/v1/security/faults/{fingerprint}/resolve", "", Value::Null),
        ask("GET", "/api/v1/users", "", Value::Null),
        ask("POST", "/api/v1/users", "", json!({"name": "erin", "role": "manager"})),
        ask("GET", "/api/v1/users/{id}", &dora, Value::Null),
        ask("GET", "/api/v1/users/{id}/export", &dora, Value::Null),
        ask("PATCH", "/api/v1/users/{id}", &dora, json!({"display_name": "Dora"})),
        ask("POST", "/api/v1/users/{id}/link", &dora, Value::Null),
        ask("POST", "/api/v1/users/{id}/reset-factors", &dora, Value::Null),
        ask("POST", "/api/v1/users/{id}/disable", &dora, Value::Null),
        ask("POST", "/api/v1/users/{id}/enable", &dora, Value::Null),
        ask("DELETE", "/api/v1/users/{id}", &dora, Value::Null),
        ask("DELETE", "/api/v1/tokens/{id}", &token, Value::Null),
    ]
}

/// Two calls that wait for a person.
async fn two_approvals(world: &World) -> Vec<String> {
    let policy = world.get("/api/v1/policy").await;
    let added = r#"@id("two-keys") forbid (principal, action == Wardroom::Action::"tool.call", resource)
        when { resource.name == "wipe" } unless { context.approved };"#;
    let text = format!("{}\n{added}", policy["text"].as_str().unwrap());
    let put = world.client.put(world.at("/api/v1/policy")).bearer_auth(&world.token);
    let body = json!({"text": text, "base": policy["number"]});
    assert_eq!(put.json(&body).send().await.unwrap().status(), StatusCode::OK);
    let mut ids = vec![];
    for n in 0..2 {
        let call = json!({"tool": "wipe", "arguments": {"n": n}});
        let asked = world.post("/api/v1/tool-servers/mast/call", call).await;
        ids.push(asked["approval"].as_str().unwrap_or_else(|| panic!("{asked}")).to_owned());
    }
    ids
}

async fn send(world: &World, token: &str, ask: &Ask) -> Response {
    let method = Method::from_bytes(ask.method.as_bytes()).unwrap();
    let name = if ask.route.ends_with("/attachments") { "?name=b.txt" } else { "" };
    let path = format!("{}{name}", ask.path);
    let mut request = world.client.request(method, world.at(&path)).bearer_auth(token);
    if ask.method == "PATCH" || ask.method == "DELETE" {
        request = request.header("if-match", "*");
    }
    request = match &ask.body {
        Value::Null => request,
        // A table or a file, and no JSON.
        Value::String(text) => request.body(text.clone()),
        body => request.json(body),
    };
    request.send().await.unwrap()
}

/// What everybody may do for themselves.
const OWN: [(&str, &str); 46] = [
    ("GET", "/api/v1/model-calls"),
    ("GET", "/api/v1/model-usage"),
    ("GET", "/api/v1/approvals"),
    ("GET", "/api/v1/tool-calls"),
    ("GET", "/api/v1/tool-usage"),
    ("GET", "/api/v1/account/export"),
    ("GET", "/api/v1/whoami"),
    ("GET", "/api/v1/names"),
    ("GET", "/api/v1/runs"),
    ("GET", "/api/v1/events"),
    ("GET", "/api/v1/services"),
    ("GET", "/api/v1/requests"),
    ("GET", "/api/v1/memories"),
    ("DELETE", "/api/v1/memories/{id}"),
    ("DELETE", "/api/v1/agents/{name}/memories"),
    ("GET", "/api/v1/threads"),
    ("GET", "/api/v1/threads/{id}"),
    ("PATCH", "/api/v1/threads/{id}"),
    ("DELETE", "/api/v1/threads/{id}"),
    ("GET", "/api/v1/threads/{id}/turns"),
    ("POST", "/api/v1/threads/{id}/turns"),
    ("POST", "/api/v1/threads/{id}/branches"),
    ("GET", "/api/v1/views"),
    ("PUT", "/api/v1/views"),
    ("DELETE", "/api/v1/views/{id}"),
    ("GET", "/api/v1/tokens"),
    ("POST", "/api/v1/tokens"),
    ("POST", "/api/v1/logout"),
    ("GET", "/api/v1/sessions"),
    ("POST", "/api/v1/session/prove"),
    ("POST", "/api/v1/session/second-factor"),
    ("POST", "/api/v1/session/passkey"),
    ("POST", "/api/v1/session/passkey/finish"),
    ("GET", "/api/v1/account"),
    ("PATCH", "/api/v1/account"),
    ("POST", "/api/v1/account/password"),
    ("GET", "/api/v1/account/tool-servers"),
    ("POST", "/api/v1/account/tool-servers/{name}/connect"),
    ("DELETE", "/api/v1/account/tool-servers/{name}"),
    ("GET", "/api/v1/account/factors"),
    ("DELETE", "/api/v1/account/factors/{id}"),
    ("POST", "/api/v1/account/factors/totp"),
    ("POST", "/api/v1/account/factors/{id}/confirm"),
    ("POST", "/api/v1/account/factors/passkey"),
    ("POST", "/api/v1/account/factors/passkey/finish"),
    ("POST", "/api/v1/account/recovery-codes"),
];

#[tokio::test]
async fn a_customer_reaches_nothing_of_others_and_changes_nothing() {
    let (world, _folder) = world().await;
    world.add_account("carla", Role::Customer, PASSWORD).await;
    world.until_node("online").await;
    let asks = asks(&world).await;
    let document = world.get("/api/openapi.json").await;
    let secured: BTreeSet<(String, String)> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, operations)| {
            let operations = operations.as_object().unwrap().iter();
            operations
                .filter(|(_, operation)| operation["security"] != json!([{}]))
                .map(|(method, _)| (method.to_uppercase(), path.clone()))
        })
        .collect();
    let tried: BTreeSet<(String, String)> = asks
        .iter()
        .map(|ask| (ask.method, ask.route))
        .chain(OWN)
        .map(|(method, route)| (method.to_owned(), route.to_owned()))
        .collect();
    assert_eq!(secured, tried, "a route is not tried here");

    let carla = world.sign_in_as("carla", PASSWORD).await;
    for ask in &asks {
        let answer = send(&world, &carla, ask).await;
        let status = answer.status();
        assert!(
            status == StatusCode::FORBIDDEN || status == StatusCode::NOT_FOUND,
            "{} {}: {status} {}",
            ask.method,
            ask.path,
            answer.text().await.unwrap()
        );
    }
    let runs: Value = world
        .client
        .get(world.at("/api/v1/runs"))
        .bearer_auth(&carla)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(runs["items"], json!([]));
    let node = world.get("/api/v1/nodes/local").await;
    assert!(node["state"] == "online" && node["labels"]["taken"] == Value::Null, "{node}");
    assert_eq!(world.get("/api/v1/runs").await["items"].as_array().unwrap().len(), 1);
    assert_eq!(world.get("/api/v1/join-tokens").await["items"].as_array().unwrap().len(), 2);
    let refused = world.get("/api/v1/audit/records?outcome=refused&limit=200").await;
    let administrator = world.get("/api/v1/whoami").await["id"].clone();
    let by_people = refused["items"].as_array().unwrap().iter().filter(|item| {
        let actor = &item["record"]["actor"];
        actor.as_str().unwrap().starts_with("user_") && *actor != administrator
    });
    let hers = by_people.count();
    // Another's token is looked for among one's own: nothing is refused, it is not there.
    assert_eq!(hers, asks.len() - 1, "refusals that were recorded");
    world.sound().await;
}

#[tokio::test]
async fn every_change_leaves_exactly_one_record_of_who_asked() {
    let (world, _folder) = world().await;
    let me = world.get("/api/v1/whoami").await["id"].as_str().unwrap().to_owned();
    let mut changed = 0;
    for ask in asks(&world).await {
        // What changes nothing, a run that is over already or waits for nobody, and the token that this test goes by.
        let passed_over = [
            "/policy/explain",
            "/policy/try",
            "/runs/{id}/answers",
            "/runs/{id}/cancel",
            "/v1/tokens/{id}",
        ]
        .map(|end| ask.route.ends_with(end));
        if ask.method == "GET" || passed_over.contains(&true) {
            continue;
        }
        let answer = send(&world, &world.token, &ask).await;
        let status = answer.status();
        let request = answer.headers()["x-request-id"].to_str().unwrap().to_owned();
        let said = answer.text().await.unwrap();
        assert!(status.is_success(), "{} {}: {status} {said}", ask.method, ask.path);
        let records = world.get("/api/v1/audit/records?limit=100").await;
        let of_it: Vec<&Value> = records["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| &item["record"])
            .filter(|record| {
                record["request"] == request.as_str() && record["actor"] == me.as_str()
            })
            .collect();
        assert_eq!(of_it.len(), 1, "{} {}: {of_it:?}", ask.method, ask.path);
        assert_eq!(of_it[0]["outcome"], "done");
        assert!(of_it[0]["policy"].as_str().unwrap().contains("admin-everything"), "{}", of_it[0]);
        changed += 1;
    }
    assert!(changed >= 9, "only {changed} changes were tried");
}

/// Who asks, in the order of the snapshot's columns.
const ACTORS: [&str; 9] = [
    "admin",
    "manager",
    "operator",
    "looks-after-it",
    "own-customer",
    "other-customer",
    "token",
    "narrow-token",
    "nobody",
];

/// A token of `actor`, to whom what `asks` is about is as its name says.
async fn token_of(world: &World, actor: &str, asks: &[Ask]) -> String {
    let customer = asks.iter().find(|ask| ask.route == "/api/v1/customers/{id}").unwrap();
    let customer = customer.path.rsplit('/').next().unwrap();
    let of_customer = async |name: &str, customer: &str| {
        let body = json!({"name": name, "role": "customer", "customer": customer});
        let made = world.post("/api/v1/users", body).await;
        let secret = made["link"]["secret"].as_str().unwrap_or_else(|| panic!("{made}"));
        let body = json!({"secret": secret, "password": PASSWORD});
        let redeem = world.client.post(world.at("/api/v1/links/redeem")).json(&body);
        assert_eq!(redeem.send().await.unwrap().status(), StatusCode::NO_CONTENT);
        world.sign_in_as(name, PASSWORD).await
    };
    let of_role = async |role| {
        world.add_account("ann", role, PASSWORD).await;
        world.sign_in_as("ann", PASSWORD).await
    };
    let api_token = async |scopes: Value| {
        let made = world.post("/api/v1/tokens", json!({"name": "t", "scopes": scopes})).await;
        made["secret"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned()
    };
    match actor {
        "admin" => world.token.clone(),
        "manager" => of_role(Role::Manager).await,
        "operator" => of_role(Role::Operator).await,
        "looks-after-it" => {
            let token = of_role(Role::Operator).await;
            let assign = Ask {
                method: "PUT",
                route: "",
                path: format!("/api/v1/customers/{customer}/operators"),
                body: json!({"operators": ["ann"]}),
            };
            assert!(send(world, &world.token, &assign).await.status().is_success());
            token
        }
        "own-customer" => of_customer("ann", customer).await,
        "other-customer" => {
            let body = json!({"name": "Quay", "email": "quay@quay.example"});
            let quay = world.post("/api/v1/customers", body).await;
            of_customer("ann", quay["id"].as_str().unwrap()).await
        }
        "token" => api_token(json!([])).await,
        "narrow-token" => api_token(json!(["run.read"])).await,
        _ => String::new(),
    }
}

#[tokio::test]
async fn who_may_do_what_on_each_route_is_what_was_agreed() {
    let mut columns = vec![];
    let mut routes = vec![];
    for actor in ACTORS {
        let (world, _folder) = world().await;
        world.until_node("online").await;
        let asks = asks(&world).await;
        let token = token_of(&world, actor, &asks).await;
        let mut column = vec![];
        for ask in &asks {
            let status = send(&world, &token, ask).await.status();
            assert!(!status.is_server_error(), "{actor}: {} {} {status}", ask.method, ask.path);
            // Whatever state the route's thing is in by now: it was let in.
            let shown = if matches!(status.as_u16(), 401 | 403 | 404) {
                status.as_u16().to_string()
            } else {
                "yes".to_owned()
            };
            column.push(shown);
        }
        routes = asks.iter().map(|ask| format!("{:<6} {}", ask.method, ask.route)).collect();
        columns.push(column);
    }
    let mut table = format!("{:<66} {}\n", "", ACTORS.join(" "));
    for (number, route) in routes.iter().enumerate() {
        let cells: Vec<String> = ACTORS
            .iter()
            .zip(&columns)
            .map(|(actor, column)| format!("{:<width$}", column[number], width = actor.len()))
            .collect();
        table.push_str(format!("{route:<66} {}", cells.join(" ")).trim_end());
        table.push('\n');
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/rights.txt");
    if std::env::var_os("WARDROOM_BLESS").is_some() {
        std::fs::write(path, &table).unwrap();
    }
    let agreed = std::fs::read_to_string(path).unwrap_or_default();
    let other = |of: &str, than: &str| -> Vec<String> {
        of.lines().filter(|line| than.lines().all(|one| one != *line)).map(str::to_owned).collect()
    };
    assert!(
        agreed == table,
        "rights changed; if on purpose: WARDROOM_BLESS=1 and review the difference\nagreed: {:#?}\nfound: {:#?}",
        other(&agreed, &table),
        other(&table, &agreed)
    );
}
