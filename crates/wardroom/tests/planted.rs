//! A secret that is planted in every input: it shows up in no answer, no log, no record and no file.
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

use reqwest::Method;
use serde_json::{Map, Value, json};
use std::{collections::BTreeSet, path::Path, process::Stdio};
use world::{World, command, wardroom};

/// Inputs that hold secrets.
const SECRET: [&str; 8] =
    ["answer", "code", "current", "new", "password", "refresh_token", "secret", "value"];
/// Inputs that hold none. What is new stands in one of the two.
const OPEN: [&str; 72] = [
    "about",
    "action",
    "acts_as",
    "address",
    "again",
    "agent",
    "before",
    "resume",
    "call",
    "prompt",
    "variables",
    "alert_percent",
    "all",
    "arguments",
    "assignee",
    "attempts_max",
    "audience",
    "backoff_ms",
    "base",
    "client",
    "command",
    "confidential",
    "cost_usd_max",
    "customer",
    "deadline_seconds",
    "description",
    "digest",
    "display_name",
    "due_at",
    "email",
    "enabled",
    "everywhere",
    "expires_in",
    "fields",
    "form",
    "fulfilment",
    "groups",
    "internal",
    "labels",
    "limits",
    "list",
    "name",
    "node",
    "note",
    "notes",
    "operators",
    "own",
    "parameters",
    "period",
    "phone",
    "priority",
    "query",
    "reason",
    "redirect_uris",
    "request",
    "resource",
    "role",
    "rotate_days",
    "scheduled_for",
    "scope",
    "scopes",
    "seconds",
    "secrets",
    "shown",
    "state",
    "subject",
    "text",
    "title",
    "tokens_max",
    "tool",
    "values",
    "way",
];
const PLANTED: &str = "pl4nted-s3cret-value";

/// The named part of an OpenAPI document that `schema` refers to, or itself.
fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str() {
        Some(place) => document.pointer(place.trim_start_matches('#')).unwrap(),
        None => schema,
    }
}

/// A value that a schema takes; `text` where it is a text.
fn sample(document: &Value, schema: &Value, text: &str) -> Value {
    let schema = resolved(document, schema);
    let kinds = match &schema["type"] {
        Value::Array(kinds) => kinds.clone(),
        one => vec![one.clone()],
    };
    match kinds.first().and_then(Value::as_str) {
        Some("integer" | "number") => json!(1),
        Some("boolean") => json!(false),
        Some("array") => json!([]),
        Some("object") => json!({}),
        _ => json!(text),
    }
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

/// Every body that the API takes, with something planted in what is secret: method, path, body.
fn bodies(document: &Value) -> Vec<(Method, String, Value)> {
    let mut found = vec![];
    let mut inputs = BTreeSet::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
            let Some(properties) = resolved(document, schema)["properties"].as_object() else {
                continue;
            };
            let mut body = Map::new();
            for (name, schema) in properties {
                inputs.insert(name.clone());
                let text = if SECRET.contains(&name.as_str()) { PLANTED } else { "x" };
                body.insert(name.clone(), sample(document, schema, text));
            }
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            found.push((method, path.clone(), Value::Object(body)));
        }
    }
    for name in inputs {
        let known = SECRET.contains(&name.as_str()) || OPEN.contains(&name.as_str());
        assert!(known, "say whether {name:?} is a secret");
    }
    found
}

#[tokio::test]
async fn no_input_of_the_api_that_is_secret_shows_up_anywhere() {
    let world = World::new().await;
    let document = world.get("/api/openapi.json").await;
    let mut all = bodies(&document);
    // What ends the session of who asks has no secret.
    all.retain(|(_, path, _)| !path.ends_with("/logout"));
    let mut taken_in = 0;
    for (method, path, body) in &all {
        let path = path.replace("{id}", "admin").replace("{name}", "mast");
        let sent = world.client.request(method.clone(), world.at(&path)).bearer_auth(&world.token);
        let answer = sent.header("if-match", "*").json(body).send().await.unwrap();
        let status = answer.status();
        assert!(status.as_u16() < 500 && status != 429, "{method} {path}: {status}");
        let text = answer.text().await.unwrap();
        assert!(!text.contains(PLANTED), "{method} {path}: {text}");
        taken_in += u32::from(status.is_success() && body.to_string().contains(PLANTED));
    }
    assert!(all.len() > 30 && taken_in > 0, "{} bodies, {taken_in} taken in", all.len());
    let made = json!({"name": "mast", "value": PLANTED, "about": "x"});
    world.post("/api/v1/secrets", made).await;
    let records = world.text("/api/v1/audit/export").await;
    let told = records.lines().find(|line| line.contains(PLANTED));
    assert!(records.lines().count() > 20 && told.is_none(), "{told:?}");
    assert!(!world.logged().contains(PLANTED));
    for file in std::fs::read_dir(world.data()).unwrap() {
        let path = file.unwrap().path();
        if path.is_file() {
            assert!(!holds(&std::fs::read(&path).unwrap(), PLANTED), "{}", path.display());
        }
    }
}

/// What `wardroom ARGS` says in an environment.
fn said(data: &Path, args: &[&str], name: &str, value: &str) -> String {
    let program = command(wardroom())
        .args(args)
        .arg("--data")
        .arg(data)
        .env(format!("WARDROOM_{}", name.to_uppercase()), value)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    String::from_utf8([program.stdout, program.stderr].concat()).unwrap()
}

#[test]
fn no_setting_that_is_secret_is_shown_by_whoever_reads_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("planted");
    std::fs::write(&file, PLANTED).unwrap();
    let explained = said(folder.path(), &["--json", "config", "explain"], "LOG", "info");
    let settings: Vec<Value> = serde_json::from_str(&explained).unwrap();
    let mut tried = 0;
    for setting in &settings {
        let name = setting["name"].as_str().unwrap();
        let values = match name {
            _ if name.ends_with("_file") => vec![file.display().to_string()],
            "encryption_key" => vec![PLANTED.to_owned()],
            "database_url" => vec![
                format!("postgres://w:{PLANTED}@127.0.0.1:9/w"),
                format!("postgres://w@127.0.0.1:9/w?password={PLANTED}"),
                format!("postgres//{PLANTED}"),
                format!("postgres://w@127.0.0.1:9/w?sslpassword={PLANTED}"),
                format!("postgres://w@127.0.0.1:9/w?PASSWORD={PLANTED}"),
            ],
            _ if name.ends_with("_url") || name == "oidc_issuer" => {
                vec![
                    format!("https://u:{PLANTED}@127.0.0.1:9/"),
                    format!("smtps://u:{PLANTED}@127.0.0.1:9"),
                ]
            }
            _ => vec![],
        };
        for value in values {
            for args in [&["config", "explain"][..], &["init"], &["serve"], &["doctor"]] {
                let data = folder.path().join("data");
                let told = said(&data, args, name, &value);
                assert!(!told.contains(PLANTED), "{args:?} with {name}={value}: {told}");
                let _ = std::fs::remove_dir_all(&data);
                tried += 1;
            }
        }
    }
    assert!(tried > 60, "{tried}");
    // A slip of the pen in the settings file.
    let settings = folder.path().join("slip.toml");
    std::fs::write(
        &settings,
        format!("log = \"info\"\ndatabase_url = \"postgres://w:{PLANTED}@h/x\n"),
    )
    .unwrap();
    for args in [&["config", "explain"][..], &["init"], &["serve"], &["doctor"], &["migrate"]] {
        let place = settings.display().to_string();
        let told = said(&folder.path().join("data"), args, "CONFIG", &place);
        assert!(told.contains("line 2") && !told.contains(PLANTED), "{args:?}: {told}");
    }
}

#[tokio::test]
async fn a_planted_secret_shows_up_nowhere() {
    let world = World::new().await;
    let id = world.submit("echo", json!({"text": "harmless"})).await;
    world.ended(&id).await;
    let login = json!({"name": PLANTED, "password": PLANTED, "client": PLANTED, "code": PLANTED});
    world.client.post(world.at("/api/v1/login")).json(&login).send().await.unwrap();
    for path in ["/api/v1/whoami", "/api/v1/nodes"] {
        let url = format!("{}?x={PLANTED}", world.at(path));
        world
            .client
            .get(url)
            .bearer_auth(PLANTED)
            .header("cookie", format!("__Host-wardroom={PLANTED}"))
            .header("x-thing", PLANTED)
            .send()
            .await
            .unwrap();
    }
    let answer = world.post("/api/v1/runs", json!({"command": "echo", "node": "local", "parameters": {"text": format!("-{PLANTED}")}})).await;
    assert!(!answer.to_string().contains(PLANTED), "{answer}");
    let records = world.text("/api/v1/audit/export").await;
    assert!(!records.contains(&format!("-{PLANTED}")));
    let log = std::fs::read_to_string(world.folder.path().join("orchestrator.log")).unwrap();
    let node_log = std::fs::read_to_string(world.folder.path().join("node.log")).unwrap();
    assert!(!log.contains(PLANTED) && !node_log.contains(PLANTED), "{log}{node_log}");
    assert!(!log.contains(&world.token) && !log.contains("wrj_"));
    let database = std::fs::read(world.data().join("wardroom.db")).unwrap();
    assert!(
        !database.windows(world.token.len()).any(|window| window == world.token.as_bytes()),
        "only hashes are stored"
    );
}
