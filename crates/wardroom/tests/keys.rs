//! Renewing the key that everything is sealed under, while everything goes on.
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
use std::process::Stdio;
use wardroom_core::Role;
use world::{PASSWORD, World, command, wait_for, wardroom};

fn keys(world: &World, args: &[&str]) -> (bool, String) {
    let output = command(wardroom())
        .arg("keys")
        .args(args)
        .arg("--data")
        .arg(world.data())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

async fn renewed(world: &World, current: u32) -> Value {
    wait_for("the renewal", || async {
        let status = world.get("/api/v1/security/keys").await;
        let done = status["values_left"] == 0 && status["people_left"] == 0;
        (status["current"] == current && done).then_some(status)
    })
    .await
}

async fn people_renewed(world: &World, generation: u32) {
    wait_for("the renewal of people's keys", || async {
        let status = world.get("/api/v1/security/keys").await;
        let done = status["people_before"] == 0 && status["personal_left"] == 0;
        (status["people_generation"] == generation && done).then_some(())
    })
    .await;
}

#[tokio::test]
async fn people_get_other_keys_while_everything_goes_on() {
    let mut world = World::new().await;
    let ann = world.add_account("ann", Role::Operator, PASSWORD).await;
    let bob = world.add_account("bob", Role::Customer, PASSWORD).await;
    let customer = json!({"name": "Harbour Trust", "email": "trust@harbour.example", "notes": "n"});
    let customer = world.post("/api/v1/customers", customer).await["id"].clone();
    let customer = customer.as_str().unwrap();
    let service = json!({"name": "mend", "title": "Mend"});
    let service = world.post("/api/v1/services", service).await["id"].clone();
    let path = format!("/api/v1/services/{}", service.as_str().unwrap());
    let publish = world.client.patch(world.at(&path)).bearer_auth(&world.token);
    let publish = publish.header("if-match", "*").json(&json!({"state": "published"}));
    assert!(publish.send().await.unwrap().status().is_success());
    let order = format!("{path}/order");
    let request = world.post(&order, json!({"customer": customer})).await["id"].clone();
    let request = format!("/api/v1/requests/{}", request.as_str().unwrap());
    world.post(&format!("{request}/notes"), json!({"text": "The mast is cracked"})).await;
    world.post(&format!("{request}/attachments?name=a.txt"), json!("the file")).await;
    let echo = json!({
        "name": "call", "title": "Call",
        "form": {"required": ["text"], "properties": {"text": {"type": "string"}}},
        "fulfilment": {"kind": "command", "command": "echo", "node": "local"},
    });
    let call = world.post("/api/v1/services", echo).await["id"].clone();
    let path = format!("/api/v1/services/{}", call.as_str().unwrap());
    let publish = world.client.patch(world.at(&path)).bearer_auth(&world.token);
    let publish = publish.header("if-match", "*").json(&json!({"state": "published"}));
    assert!(publish.send().await.unwrap().status().is_success());
    let order = json!({"customer": customer, "values": {"text": "Ahoy"}});
    let called = world.post(&format!("{path}/order"), order).await["id"].clone();
    let called = format!("/api/v1/requests/{}", called.as_str().unwrap());
    let run = wait_for("the call", || async {
        let found = world.get(&called).await;
        (found["request"]["state"] == "completed").then(|| found["runs"][0]["id"].clone())
    })
    .await;
    let run = format!("/api/v1/runs/{}", run.as_str().unwrap());
    assert_eq!(world.get("/api/v1/security/keys").await["people_generation"], 1);

    let (done, said) = keys(&world, &["rotate", "--people"]);
    assert!(done, "{said}");
    people_renewed(&world, 2).await;
    let (done, said) = keys(&world, &["rotate", "--people"]);
    assert!(done, "{said}");
    // Cut short, it goes on with the next start.
    world.kill_orchestrator();
    world.restart().await;
    people_renewed(&world, 3).await;
    let (done, said) = keys(&world, &["rotate"]);
    assert!(done, "{said}");
    renewed(&world, 2).await;

    let shown = world.get(&format!("/api/v1/customers/{customer}")).await;
    assert_eq!((&shown["name"], &shown["notes"]), (&json!("Harbour Trust"), &json!("n")));
    let shown = world.get(&request).await.to_string();
    assert!(shown.contains("The mast is cracked") && shown.contains("a.txt"), "{shown}");
    assert_eq!(world.get(&run).await["parameters"]["text"], "Ahoy");
    let output = world.get(&format!("{run}/output")).await;
    assert_eq!(output["chunks"][0]["data"], "QWhveQo=", "what was printed stays readable");
    world.sign_in_as("ann", PASSWORD).await;
    let late = world.add_account("late", Role::Operator, PASSWORD).await;
    assert_eq!(world.get(&format!("/api/v1/users/{late}")).await["name"], "late");
    assert_eq!(world.get(&format!("/api/v1/users/{ann}")).await["name"], "ann");

    let erase = world.client.delete(world.at(&format!("/api/v1/users/{bob}")));
    let erase = erase.bearer_auth(&world.token).header("if-match", "*").send().await.unwrap();
    assert!(erase.status().is_success(), "{erase:?}");
    world.sound().await;
}

#[tokio::test]
async fn the_key_is_renewed_while_everything_goes_on_and_the_old_one_goes() {
    let mut world = World::new().await;
    world.add_account("ann", Role::Operator, PASSWORD).await;
    let run = world.submit("echo", json!({"text": "sealed under the first key"})).await;
    world.ended(&run).await;
    let (done, said) = keys(&world, &["retire", "1"]);
    assert!(!done && said.contains("is the one that seals"), "{said}");

    let (done, said) = keys(&world, &["rotate"]);
    assert!(done, "{said}");
    // Cut short, it goes on with the next start.
    world.kill_orchestrator();
    world.restart().await;
    let status = renewed(&world, 2).await;
    assert_eq!(status["keys"], json!([1, 2]));

    // Once more, without a restart.
    let (done, said) = keys(&world, &["rotate"]);
    assert!(done, "{said}");
    renewed(&world, 3).await;
    for old in ["1", "2"] {
        let (done, said) = keys(&world, &["retire", old]);
        assert!(done, "{said}");
    }
    world.kill_orchestrator();
    world.restart().await;
    assert_eq!(renewed(&world, 3).await["keys"], json!([3]));
    let shown = world.get(&format!("/api/v1/runs/{run}")).await;
    assert_eq!(shown["parameters"]["text"], "sealed under the first key", "{shown}");
    world.sign_in_as("ann", PASSWORD).await;
    world.sound().await;
}

#[tokio::test]
async fn tokens_are_signed_by_another_key_while_everything_goes_on() {
    let mut world = World::new().await;
    world.until_node("online").await;
    let before = world.sign_in_as("admin", &world.password()).await;
    let (both, said) = keys(&world, &["rotate", "--tokens", "--people"]);
    assert!(!both && said.contains("--people"), "{said}");
    let (done, said) = keys(&world, &["rotate", "--tokens"]);
    assert!(done && said.contains("Key 2 signs"), "{said}");
    wait_for("another key", || async {
        let status = world.get("/api/v1/security/keys").await;
        (status["token_generation"] == 2).then_some(())
    })
    .await;
    let records = world.get("/api/v1/audit/records?action=token_key.add").await;
    assert_eq!(records["items"][0]["record"]["detail"]["generation"], "2", "{records}");
    // What the old one signed is good for its time, also after a restart; and the node comes back.
    world.kill_orchestrator();
    world.restart().await;
    world.until_node("online").await;
    let whoami = world.client.get(world.at("/api/v1/whoami")).bearer_auth(&before);
    assert!(whoami.send().await.unwrap().status().is_success());
    let run = world.submit("echo", json!({"text": "under the new key"})).await;
    world.ended(&run).await;
    world.sound().await;
}
