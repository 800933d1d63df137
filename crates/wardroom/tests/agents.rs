//! Definitions of AI agents as the running program keeps them.
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
use serde_json::{Value, json};
use std::{fs, process::Stdio};
use wardroom_core::Role;
use world::{PASSWORD, World};

const GUIDE: &str = "\
name: guide
description: Answers questions about berths
model: {provider: scripted, name: berths}
instructions: You speak of berths.
";

async fn send(world: &World, token: &str, method: Method, path: &str, body: Value) -> (u16, Value) {
    let request = world.client.request(method, world.at(path)).bearer_auth(token).json(&body);
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap_or_default())
}

#[tokio::test]
async fn an_agent_is_defined_by_its_file_and_each_version_stays_known() {
    let world = World::new().await;
    let put = async |name: &str, body: Value| {
        let path = format!("/api/v1/agents/{name}");
        send(&world, &world.token, Method::PUT, &path, body).await
    };
    let (status, first) = put("guide", json!({"text": GUIDE, "base": ""})).await;
    assert_eq!((status, &first["version"]["number"]), (200, &json!(1)), "{first}");
    assert_eq!(first["model"], "scripted/berths");
    // What is in force already makes no version and no record.
    let (status, same) = put("guide", json!({"text": GUIDE})).await;
    assert_eq!((status, &same["version"]["number"]), (200, &json!(1)), "{same}");
    let text = GUIDE.replace("speak of berths", "speak of berths and tides");
    let (status, _) = put("guide", json!({"text": text, "base": ""})).await;
    assert_eq!(status, 409, "somebody else was faster");
    let (status, second) =
        put("guide", json!({"text": text, "base": first["version"]["digest"], "note": "tides"}))
            .await;
    assert_eq!((status, &second["version"]["number"]), (200, &json!(2)), "{second}");

    let detail = world.get("/api/v1/agents/guide").await;
    assert_eq!(detail["text"], text);
    assert_eq!(detail["definition"]["limits"]["steps_max"], 50, "what holds by itself");
    let before = world.get("/api/v1/agents/guide/versions/1").await;
    assert_eq!(before["text"], GUIDE);
    let versions = world.get("/api/v1/agents/guide/versions").await;
    assert_eq!(versions["items"][0]["note"], "tides");
    assert_eq!(versions["items"].as_array().unwrap().len(), 2);
    let records = world.get("/api/v1/audit/records?action=agent.update").await;
    assert_eq!(records["items"].as_array().unwrap().len(), 2, "{records}");
    assert_eq!(records["items"][0]["record"]["detail"]["number"], "2");

    let (status, said) = put("guide", json!({"text": GUIDE.replace("model:", "modle:")})).await;
    assert_eq!(status, 422);
    let told = said["fields"][0]["reason"].as_str().unwrap_or_else(|| panic!("{said}"));
    assert!(
        told.contains("3:1: modle: there is no field \"modle\" here; did you mean \"model\"?"),
        "{told}"
    );
    let long = format!("{GUIDE}# {}\n", "\"x\"".repeat(65_000));
    let (status, said) = put("guide", json!({"text": long})).await;
    assert_eq!(status, 200, "a file of nearly 256 KiB: {said}");
    let (status, said) =
        put("guide", json!({"text": format!("{long}# {}", "x".repeat(90_000))})).await;
    assert!(status == 422 && said.to_string().contains("256 KiB"), "{said}");
    let (_, said) =
        put("guide", json!({"text": GUIDE.replace('\n', "\r\n"), "note": "a\u{7}"})).await;
    assert_eq!(said["fields"][0]["field"], "note", "{said}");
    let (status, said) = put("try", json!({"text": GUIDE.replace("guide", "try")})).await;
    assert_eq!(status, 200, "{said}");
    assert_eq!(world.get("/api/v1/agents?limit=1").await["next"], "guide");
    send(&world, &world.token, Method::DELETE, "/api/v1/agents/try", Value::Null).await;
    let (status, said) = put("other", json!({"text": GUIDE})).await;
    assert!(status == 422 && said.to_string().contains("guide"), "{said}");
    let gone =
        send(&world, &world.token, Method::DELETE, "/api/v1/agents/guide", Value::Null).await;
    assert_eq!(gone.0, 204);
    assert_eq!(world.get("/api/v1/agents").await["items"], json!([]));
    world.sound().await;
}

#[tokio::test]
async fn who_may_see_an_agent_is_policys_to_say() {
    let world = World::new().await;
    for name in ["guide", "secretive", "zenith"] {
        let text = GUIDE.replace("name: guide", &format!("name: {name}"));
        let path = format!("/api/v1/agents/{name}");
        let (status, said) =
            send(&world, &world.token, Method::PUT, &path, json!({"text": text})).await;
        assert_eq!(status, 200, "{said}");
    }
    world
        .add_policy(
            r#"@id("hidden") forbid (principal in Wardroom::Role::"operator", action, resource == Wardroom::Agent::"secretive");"#,
        )
        .await;
    world.add_account("ann", Role::Operator, PASSWORD).await;
    let ann = world.sign_in_as("ann", PASSWORD).await;
    let ask = async |method: Method, path: &str, body: Value| {
        send(&world, &ann, method, path, body).await
    };
    let (_, list) = ask(Method::GET, "/api/v1/agents", Value::Null).await;
    assert_eq!(list["items"].as_array().unwrap().len(), 2, "{list}");
    let (_, first) = ask(Method::GET, "/api/v1/agents?limit=1", Value::Null).await;
    assert_eq!((&first["items"][0]["name"], &first["next"]), (&json!("guide"), &json!("guide")));
    let (_, rest) = ask(Method::GET, "/api/v1/agents?limit=1&after=guide", Value::Null).await;
    assert_eq!((&rest["items"][0]["name"], &rest["next"]), (&json!("zenith"), &Value::Null));
    for path in ["/api/v1/agents/secretive", "/api/v1/agents/none"] {
        assert_eq!(ask(Method::GET, path, Value::Null).await.0, 404, "{path}");
        assert_eq!(ask(Method::DELETE, path, Value::Null).await.0, 404, "{path}");
    }
    for path in ["/versions", "/versions/1"] {
        let path = format!("/api/v1/agents/secretive{path}");
        assert_eq!(ask(Method::GET, &path, Value::Null).await.0, 404, "{path}");
    }
    let (status, _) = ask(Method::PUT, "/api/v1/agents/guide", json!({"text": GUIDE})).await;
    assert_eq!(status, 403, "an operator reads agents and defines none");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_checks_applies_and_compares() {
    let world = World::new().await;
    let run = |args: &[&str]| {
        let output = world::command(world::wardroom())
            .args(["agents"])
            .args(args)
            .args(["--server", &world.url, "--ca"])
            .arg(world.data().join("authority.pem"))
            .env("WARDROOM_TOKEN", &world.token)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap(), String::from_utf8(said).unwrap())
    };
    let file = world.folder.path().join("guide.yaml");
    let path = file.to_str().unwrap();
    fs::write(&file, GUIDE.replace("instructions", "instruction")).unwrap();
    let (code, said) = run(&["check", path]);
    assert_eq!(code, 1, "{said}");
    let told =
        format!("{path}:4:1: instruction: there is no field \"instruction\" here; did you mean");
    assert!(said.contains(&told), "{said}");
    let (code, said) = run(&["apply", path]);
    assert!(code != 0 && said.contains("guide.yaml:4:1"), "{said}");
    let other = world.folder.path().join("theirs.yml");
    let theirs = other.to_str().unwrap();
    let sound =
        "name: tide_guide\nexecution_mode: autonomous\nllm_config: {provider: openai, model: m}\n";
    fs::write(&other, format!("{sound}system_prompt: You speak.\nenabled: true\n")).unwrap();
    let (code, said) = run(&["import", "--from", "agentrunner", theirs]);
    assert!(code == 0 && said.starts_with("name: tide-guide\n"), "{said}");
    assert!(said.contains(&format!("{theirs}:5:1: enabled: has no counterpart")), "{said}");
    fs::write(&other, sound).unwrap();
    let (code, said) = run(&["import", "--from", "agentrunner", theirs, "--json"]);
    assert!(code == 1 && said.contains("\"instructions\\\" is missing"), "{said}");
    fs::write(&file, GUIDE).unwrap();
    let (code, said) = run(&["check", path]);
    assert!(code == 0 && said.contains("defines the agent guide"), "{said}");
    let (code, said) = run(&["diff", path]);
    assert!(code == 1 && said.contains("+name: guide"), "{said}");
    let (code, said) = run(&["apply", path, "--note", "first"]);
    assert!(code == 0 && said.contains("guide, version 1, is in force"), "{said}");
    let (code, said) = run(&["apply", path]);
    assert!(code == 0 && said.contains("was in force already"), "{said}");
    assert_eq!(run(&["diff", path]).0, 0);
    fs::write(&file, format!("{GUIDE}tags: [berths]\n")).unwrap();
    let (code, said) = run(&["diff", path]);
    assert!(
        code == 1 && said.contains("+tags: [berths]") && said.contains(" name: guide"),
        "{said}"
    );
    assert_eq!(run(&["apply", path]).0, 0);
    let (code, said) = run(&["show", "guide", "--number", "1"]);
    assert!(code == 0 && said.contains("You speak of berths.") && !said.contains("tags"), "{said}");
    let (_, said) = run(&["list"]);
    assert!(said.contains("guide") && said.contains("scripted/berths"), "{said}");
    let (_, said) = run(&["history", "guide"]);
    assert!(said.contains("first") && said.contains("admin"), "{said}");
    assert_eq!(run(&["remove", "guide"]).0, 0);
    assert_eq!(run(&["show", "guide"]).0, 4, "not found");
    let (code, schema) = run(&["schema"]);
    let schema: Value = serde_json::from_str(&schema).unwrap_or_else(|_| panic!("{schema}"));
    assert!(code == 0 && schema["properties"]["instructions"].is_object());
}
