//! Policy that is changed while it holds: tried out, put in force, refused, rolled back.
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

use reqwest::StatusCode;
use serde_json::{Value, json};
use wardroom_core::Role;
use world::{PASSWORD, World};

const CREW: &str = r#"
@id("crew-echo")
permit (principal in Wardroom::Group::"crew", action == Wardroom::Action::"run.submit", resource == Wardroom::Command::"echo")
when { resource.labels.contains("site=here") };
@id("crew-nodes")
permit (principal in Wardroom::Group::"crew", action in [Wardroom::Action::"node.read", Wardroom::Action::"node.list"], resource);
"#;

async fn put(world: &World, text: &str, base: i64) -> (StatusCode, Value) {
    let body = json!({"text": text, "note": "test", "base": base});
    let request = world.client.put(world.at("/api/v1/policy")).bearer_auth(&world.token);
    let answer = request.json(&body).send().await.unwrap();
    (answer.status(), answer.json().await.unwrap())
}

async fn run(world: &World, token: &str, command: &str) -> StatusCode {
    let body = json!({"command": command, "node": "local", "parameters": {"text": "x"}});
    let request = world.client.post(world.at("/api/v1/runs")).bearer_auth(token).json(&body);
    request.send().await.unwrap().status()
}

#[tokio::test]
async fn a_group_gets_one_command_by_a_policy_that_is_tried_put_in_force_and_taken_back() {
    let mut world = World::new().await;
    let id = world.add_account("carla", Role::Customer, PASSWORD).await;
    let carla =
        world.login("carla", PASSWORD, None).await["access_token"].as_str().unwrap().to_owned();
    assert_eq!(run(&world, &carla, "echo").await, StatusCode::NOT_FOUND);
    let current = world.get("/api/v1/policy").await;
    assert_eq!((&current["number"], &current["source"]), (&json!(0), &json!("default")));
    let text = format!("{}{CREW}", current["text"].as_str().unwrap());

    // Nobody is in the group yet: nobody's access would change.
    let trial = world.post("/api/v1/policy/try", json!({"text": text})).await;
    assert_eq!(trial["changes"], json!([]));
    let request = world.client.patch(world.at(&format!("/api/v1/users/{id}")));
    let request = request.bearer_auth(&world.token).header("if-match", "*");
    let joined = request.json(&json!({"groups": ["crew"]})).send().await.unwrap();
    assert_eq!(joined.status(), StatusCode::OK);
    let trial = world.post("/api/v1/policy/try", json!({"text": text})).await;
    let changes = trial["changes"].as_array().unwrap();
    let told = changes.iter().find(|change| change["action"] == "run.submit").unwrap();
    assert_eq!(
        (&told["who"], &told["resource"], &told["allowed"]),
        (&json!(["carla"]), &json!("echo on local"), &json!(true))
    );
    assert_eq!(run(&world, &carla, "echo").await, StatusCode::NOT_FOUND, "a trial changes nothing");

    let (status, made) = put(&world, &text, 0).await;
    assert_eq!((status, &made["number"]), (StatusCode::OK, &json!(1)), "{made}");
    assert_eq!(run(&world, &carla, "echo").await, StatusCode::ACCEPTED);
    assert_eq!(
        run(&world, &carla, "ping").await,
        StatusCode::FORBIDDEN,
        "one command and no other"
    );
    let (status, stale) = put(&world, &text, 0).await;
    assert_eq!((status, &stale["code"]), (StatusCode::CONFLICT, &json!("conflict")));

    world.kill_orchestrator();
    world.restart().await;
    world.until_node("online").await;
    assert_eq!(run(&world, &carla, "echo").await, StatusCode::ACCEPTED, "it outlives a restart");
    let old = world.get("/api/v1/policy/versions/0").await;
    let (status, _) = put(&world, old["text"].as_str().unwrap(), 1).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(run(&world, &carla, "echo").await, StatusCode::NOT_FOUND, "rolled back");
    let versions = world.get("/api/v1/policy/versions").await;
    let numbers: Vec<i64> = versions["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|version| version["number"].as_i64().unwrap())
        .collect();
    assert_eq!(numbers, [2, 1]);
    let records = world.get("/api/v1/audit/records?action=policy.update&outcome=done").await;
    assert_eq!(records["items"].as_array().unwrap().len(), 2);
    world.sound().await;
}

#[tokio::test]
async fn a_policy_that_is_wrong_or_locks_everybody_out_is_not_put_in_force() {
    let world = World::new().await;
    let text = world.get("/api/v1/policy").await["text"].as_str().unwrap().to_owned();
    let (status, wrong) = put(&world, "@id(\"x\") permit (principal, action, nothing);", 0).await;
    assert_eq!(
        (status, &wrong["fields"][0]["field"]),
        (StatusCode::UNPROCESSABLE_ENTITY, &json!("text"))
    );
    let forbid =
        "@id(\"no\") forbid (principal, action == Wardroom::Action::\"policy.update\", resource);";
    for bad in ["", &format!("{text}{forbid}")] {
        let trial = world.post("/api/v1/policy/try", json!({"text": bad})).await;
        assert_eq!(trial["locks_out"], true);
        let (status, refused) = put(&world, bad, 0).await;
        assert_eq!((status, &refused["code"]), (StatusCode::CONFLICT, &json!("policy_locks_out")));
    }
    assert_eq!(world.get("/api/v1/policy").await["number"], 0);
}
