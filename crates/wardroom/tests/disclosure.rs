//! What is known of people and customers, given to them whole, and nothing of anybody else.
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

use serde_json::{Value, json};
use std::{collections::BTreeMap, io::Read as _};
use wardroom_core::Role;
use world::{PASSWORD, World, command, wait_for, wardroom};

/// The files of an archive, by name.
fn unpacked(archive: Vec<u8>) -> BTreeMap<String, String> {
    let mut zip = zip::ZipArchive::new(std::io::Cursor::new(archive)).unwrap();
    (0..zip.len())
        .map(|number| {
            let mut file = zip.by_index(number).unwrap();
            let mut content = vec![];
            file.read_to_end(&mut content).unwrap();
            (file.name().unwrap().into_owned(), String::from_utf8_lossy(&content).into_owned())
        })
        .collect()
}

async fn fetch(world: &World, token: &str, path: &str) -> reqwest::Response {
    world.client.get(world.at(path)).bearer_auth(token).send().await.unwrap()
}

fn rows(files: &BTreeMap<String, String>, name: &str) -> Vec<Value> {
    let text = files.get(&format!("data/{name}.json"));
    serde_json::from_str(text.unwrap_or_else(|| panic!("no {name}: {:?}", files.keys()))).unwrap()
}

#[tokio::test]
async fn somebody_gets_all_that_is_known_of_them_and_nothing_of_others() {
    let (world, _server) = World::with_tools("test").await;
    for name in ["ann", "bob"] {
        let id = world.add_account(name, Role::Operator, PASSWORD).await;
        let path = world.at(&format!("/api/v1/users/{id}"));
        let body = json!({"display_name": format!("{name} of the harbour"), "email": format!("{name}@example.org")});
        let patch = world.client.patch(path).bearer_auth(&world.token).header("if-match", "*");
        assert!(patch.json(&body).send().await.unwrap().status().is_success());
    }
    let token = world.sign_in_as("ann", PASSWORD).await;
    let run = json!({"command": "echo", "node": "local", "parameters": {"text": "hello from ann"}});
    let run = world.client.post(world.at("/api/v1/runs")).bearer_auth(&token).json(&run).send();
    let run: Value = run.await.unwrap().json().await.unwrap();

    for token in [&token, &world.token] {
        let whose = if *token == world.token { "bob is called" } else { "ann calls" };
        let params = json!({"name": "echo", "arguments": {"text": whose}});
        world.mcp(token, "/mcp/test", "tools/call", params).await;
    }
    let answer = fetch(&world, &token, "/api/v1/account/export").await;
    assert_eq!(answer.headers()["content-type"], "application/zip");
    let files = unpacked(answer.bytes().await.unwrap().to_vec());
    let account = rows(&files, "account");
    assert_eq!(account[0]["email"], "ann@example.org");
    assert_eq!(rows(&files, "sessions").len(), 1);
    let runs = rows(&files, "runs");
    assert_eq!(runs[0]["id"], run["id"]);
    assert_eq!(runs[0]["parameters"]["text"], "hello from ann");
    let acts = rows(&files, "acts");
    assert!(acts.iter().any(|act| act["action"] == "run.submit" && act["from"] == "127.0.0.1"));
    let records = rows(&files, "records");
    assert!(records.iter().any(|record| record["action"] == "user.update"), "{records:?}");
    for part in rows(&files, "account") {
        assert!(part.is_object());
    }
    assert_eq!(rows(&files, "tool-calls")[0]["arguments"]["text"], "ann calls");
    assert_eq!(rows(&files, "tool-calls").len(), 1);
    for part in ["tool-accounts", "approvals"] {
        assert_eq!(rows(&files, part), Vec::<Value>::new(), "{part}");
    }
    let index = &files["index.html"];
    for name in files.keys().filter_map(|name| name.strip_suffix(".html")) {
        assert!(name == "index" || index.contains(&format!("{name}.html")), "{name} is not listed");
    }
    let all = files.values().cloned().collect::<String>();
    assert!(!all.contains("bob"), "something of somebody else");
    assert!(!all.contains("argon2") && !all.contains("wrs_") && !all.contains("wrf_"));

    // Nobody gets another's; who may, is recorded.
    let other = fetch(&world, &token, "/api/v1/users/bob/export").await.status();
    assert!(other == 403 || other == 404, "{other}");
    let given = fetch(&world, &world.token, "/api/v1/users/ann/export").await;
    assert_eq!(unpacked(given.bytes().await.unwrap().to_vec()).keys().count(), files.len());
    let records = world.get("/api/v1/audit/records?action=user.export").await;
    assert_eq!(records["items"].as_array().unwrap().len(), 3, "{records}");
    // A token without scopes is not enough for that.
    let made = world.post("/api/v1/tokens", json!({"name": "all"})).await;
    let narrow = fetch(&world, made["secret"].as_str().unwrap(), "/api/v1/users/ann/export").await;
    assert_eq!(narrow.status(), 403);
}

/// A service that is published; its id.
async fn published(world: &World, body: Value) -> String {
    let made = world.post("/api/v1/services", body).await;
    let id = made["id"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned();
    let patch = world.client.patch(world.at(&format!("/api/v1/services/{id}")));
    let patch = patch.bearer_auth(&world.token).header("if-match", "*");
    let published = patch.json(&json!({"state": "published"})).send().await.unwrap();
    assert!(published.status().is_success());
    id
}

#[tokio::test]
async fn a_customer_gets_its_requests_notes_and_files_also_on_the_command_line() {
    let world = World::new().await;
    let mut ids = vec![];
    for name in ["harbour", "quay"] {
        let body = json!({"name": name, "email": format!("{name}@example.org"), "notes": format!("{name} pays late")});
        ids.push(world.post("/api/v1/customers", body).await["id"].as_str().unwrap().to_owned());
    }
    let form =
        json!({"type": "object", "properties": {"ship": {"type": "string", "title": "Ship"}}});
    let body = json!({"name": "berth", "title": "A berth", "form": form});
    let service = published(&world, body).await;
    let form = json!({"required": ["text"], "properties": {"text": {"type": "string"}}});
    let echo = json!({"kind": "command", "command": "echo", "node": "local"});
    let body = json!({"name": "hail", "title": "Hail", "form": form, "fulfilment": echo});
    let hail = published(&world, body).await;
    for (id, ship) in ids.iter().zip(["Seagull", "Cormorant"]) {
        let order = json!({"customer": id, "values": {"ship": ship}});
        let request = world.post(&format!("/api/v1/services/{service}/order"), order).await;
        let request = request["id"].as_str().unwrap_or_else(|| panic!("{request}")).to_owned();
        let call = json!({"customer": id, "values": {"text": format!("ahoy, {ship}")}});
        let called = world.post(&format!("/api/v1/services/{hail}/order"), call).await;
        let called = format!("/api/v1/requests/{}", called["id"].as_str().unwrap());
        wait_for("the call", || async {
            (world.get(&called).await["request"]["state"] == "completed").then_some(())
        })
        .await;
        let note = json!({"text": format!("{ship} is late"), "internal": true});
        world.post(&format!("/api/v1/requests/{request}/notes"), note).await;
        let path = format!("/api/v1/requests/{request}/attachments?name=../{ship}%20plan.txt");
        let upload = world.client.post(world.at(&path)).bearer_auth(&world.token);
        let uploaded = upload.body(format!("the plan of {ship}")).send().await.unwrap();
        // Nothing of a path gets in to begin with.
        assert_eq!(uploaded.status(), 422);
        let path = format!("/api/v1/requests/{request}/attachments?name={ship}%20plan.txt");
        let upload = world.client.post(world.at(&path)).bearer_auth(&world.token);
        let uploaded = upload.body(format!("the plan of {ship}")).send().await.unwrap();
        assert!(uploaded.status().is_success());
    }
    let out = world.folder.path().join("harbour.zip");
    let saved = command(wardroom())
        .args(["customer", "disclose", &ids[0], "--out"])
        .arg(&out)
        .args(["--server", &world.url, "--ca"])
        .arg(world.data().join("authority.pem"))
        .env("WARDROOM_TOKEN", &world.token)
        .status()
        .unwrap();
    assert!(saved.success());
    let files = unpacked(std::fs::read(&out).unwrap());
    assert_eq!(rows(&files, "customer")[0]["notes"], "harbour pays late");
    let requests = rows(&files, "requests");
    assert!(requests.iter().any(|request| request["filled_in"]["ship"] == "Seagull"));
    let run = &rows(&files, "runs")[0];
    assert_eq!(run["parameters"]["text"], "ahoy, Seagull");
    assert_eq!(files[run["printed"][0].as_str().unwrap()], "ahoy, Seagull\n");
    assert_eq!(rows(&files, "notes")[0]["text"], "Seagull is late");
    let file = rows(&files, "files")[0]["in_archive"].as_str().unwrap().to_owned();
    assert_eq!(files[&file], "the plan of Seagull");
    let all = files.values().cloned().collect::<String>();
    assert!(!all.contains("quay") && !all.contains("Cormorant"), "something of another customer");
    let mine = fetch(&world, &world.token, "/api/v1/account/export").await;
    let mine = unpacked(mine.bytes().await.unwrap().to_vec());
    let runs = rows(&mine, "runs");
    assert_eq!(runs.len(), 2, "who wrote the service runs it");
    assert!(runs.iter().all(|run| run["parameters"].is_null()), "what customers gave is theirs");
}
