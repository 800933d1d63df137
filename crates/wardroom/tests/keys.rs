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
