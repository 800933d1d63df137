//! The whole first job, with the real programs.
#![allow(
    clippy::too_many_lines,
    clippy::cloned_ref_to_slice_refs,
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

use data_encoding::BASE64;
use serde_json::{Value, json};
use std::fs;
use wardroom_store::testing::postgres;
use world::{World, command, wait_for, wardroom, wardroom_node};

async fn first_job(world: &World) {
    let id = world.submit("echo", json!({"text": "a b; $(reboot) `id` ü"})).await;
    let run = world.ended(&id).await;
    assert_eq!(run["state"], "succeeded", "{run}");
    let output = world.get(&format!("/api/v1/runs/{id}/output")).await;
    let bytes = BASE64.decode(output["chunks"][0]["data"].as_str().unwrap().as_bytes()).unwrap();
    assert_eq!(
        String::from_utf8(bytes).unwrap(),
        "a b; $(reboot) `id` ü\n",
        "no shell ever sees it"
    );
    // On PostgreSQL a leader gives records their place a moment after they were committed.
    wait_for("signed records", || async {
        (world.sound().await["signed"].as_u64() > Some(5)).then_some(())
    })
    .await;
    // Submission, lease, start and end: one record each.
    let records = world.get(&format!("/api/v1/audit/records?target={id}")).await;
    let mut actions: Vec<&str> = records["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r["record"]["action"].as_str().unwrap())
        .collect();
    actions.sort_unstable();
    actions.dedup();
    assert!(
        actions.contains(&"run.submit")
            && actions.contains(&"run.leased")
            && actions.contains(&"run.ended"),
        "{actions:?}"
    );
}

#[tokio::test]
async fn the_first_job_on_sqlite() {
    first_job(&World::new().await).await;
}

#[tokio::test]
async fn the_first_job_on_postgres() {
    let test = postgres().await;
    first_job(&World::with(&[format!("database_url={}", test.options.url)]).await).await;
}

#[tokio::test]
async fn bad_submissions_are_refused_by_name_and_nothing_runs() {
    let world = World::new().await;
    for (body, code) in [
        (json!({"command": "nothing", "node": "local"}), "unknown_command"),
        (
            json!({"command": "echo", "node": "local", "parameters": {"text": "--version"}}),
            "invalid_parameter",
        ),
        (
            json!({"command": "echo", "node": "local", "parameters": {"text": "a\u{0}b"}}),
            "invalid_parameter",
        ),
        (
            json!({"command": "read-log", "node": "local", "parameters": {"path": "/var/log/../../etc/shadow"}}),
            "invalid_parameter",
        ),
        (json!({"command": "echo", "node": "nobody"}), "not_found"),
        (
            json!({"command": "echo", "labels": "site=nowhere", "parameters": {"text": "x"}}),
            "no_node",
        ),
        (json!({"command": "echo", "node": "local", "colour": "red"}), "invalid_field"),
        (json!({"command": "ping", "node": "local", "priority": 10}), "invalid_field"),
    ] {
        let answer = world.post("/api/v1/runs", body.clone()).await;
        assert_eq!(answer["code"], code, "{body} → {answer}");
    }
    assert_eq!(world.get("/api/v1/runs").await["items"], json!([]));
}

#[tokio::test]
async fn an_idempotency_key_makes_one_run_of_two_requests() {
    let world = World::new().await;
    let ask = |text: &str| {
        let body = json!({"command": "echo", "node": "local", "parameters": {"text": text}});
        world
            .client
            .post(world.at("/api/v1/runs"))
            .bearer_auth(&world.token)
            .header("idempotency-key", "k")
            .json(&body)
            .send()
    };
    let (first, second): (Value, Value) = {
        let (a, b) = tokio::join!(ask("x"), ask("x"));
        (a.unwrap().json().await.unwrap(), b.unwrap().json().await.unwrap())
    };
    assert_eq!(first["id"], second["id"]);
    let other: Value = ask("y").await.unwrap().json().await.unwrap();
    assert_eq!(other["code"], "idempotency_mismatch");
}

#[tokio::test]
async fn a_running_command_is_cancelled_and_a_limit_ends_it() {
    let world = World::new().await;
    let id = world.submit("sleep", json!({"seconds": 60})).await;
    world.until(&id, "running").await;
    world.post(&format!("/api/v1/runs/{id}/cancel"), json!({})).await;
    assert_eq!(world.ended(&id).await["state"], "cancelled");
    let body = json!({"command": "sleep", "node": "local", "parameters": {"seconds": 60}, "deadline_seconds": 1});
    let run = world.post("/api/v1/runs", body).await;
    assert_eq!(world.ended(run["id"].as_str().unwrap()).await["state"], "timed_out");
}

#[tokio::test]
async fn a_run_on_all_nodes_has_a_child_for_each_and_ends_with_them() {
    let world = World::new().await;
    let body = json!({"command": "hostname", "labels": "site=here", "all": true});
    let parent = world.post("/api/v1/runs", body).await;
    let id = parent["id"].as_str().unwrap();
    let ended = world.ended(id).await;
    assert_eq!(
        (&ended["state"], &ended["outcome"]["kind"]),
        (&json!("succeeded"), &json!("children"))
    );
    let children = world.get(&format!("/api/v1/runs?parent={id}")).await;
    assert_eq!(children["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_killed_node_ends_its_run_as_interrupted_and_never_repeats_it() {
    let mut world = World::new().await;
    let id = world.submit("sleep", json!({"seconds": 60})).await;
    world.until(&id, "running").await;
    world.kill_node();
    world.start_node();
    let run = world.ended(&id).await;
    assert_eq!(
        (&run["state"], &run["dead_letter"]),
        (&json!("interrupted"), &json!(true)),
        "{run}"
    );
    let replayed = world.post(&format!("/api/v1/runs/{id}/replay"), json!({})).await;
    assert_eq!(replayed["replay_of"], id);
    world.sound().await;
}

#[tokio::test]
async fn a_killed_orchestrator_loses_nothing_and_runs_nothing_twice() {
    let mut world = World::new().await;
    let mut ids = Vec::new();
    for round in 0..4 {
        for _ in 0..10 {
            ids.push(world.submit("touch", json!({})).await);
        }
        world.kill_orchestrator();
        if round % 2 == 1 {
            world.kill_node();
            world.start_node();
        }
        world.restart().await;
    }
    let mut succeeded = 0;
    for id in &ids {
        let run = world.ended(id).await;
        match run["state"].as_str().unwrap() {
            "succeeded" => succeeded += 1,
            "interrupted" => {}
            other => panic!("{other}: {run}"),
        }
    }
    let traces = fs::read_dir(world.traces()).unwrap().count();
    assert!(
        traces >= succeeded && traces <= ids.len(),
        "{traces} traces of {} runs, {succeeded} succeeded",
        ids.len()
    );
    assert!(
        succeeded >= 20,
        "only {succeeded} succeeded: the node that stayed up must have kept its results"
    );
    world.sound().await;
}

#[tokio::test]
async fn a_disabled_node_is_cut_off_at_once_and_a_removed_one_for_good() {
    let world = World::new().await;
    world.post("/api/v1/nodes/local/disable", json!({})).await;
    world.until_node("disabled").await;
    let refused = world.post("/api/v1/runs", json!({"command": "ping", "node": "local"})).await;
    assert_eq!(refused["code"], "node_disabled");
    world.post("/api/v1/nodes/local/enable", json!({})).await;
    let queued = world.submit("ping", json!({})).await;
    let removed = world
        .client
        .delete(world.at("/api/v1/nodes/local"))
        .bearer_auth(&world.token)
        .send()
        .await
        .unwrap();
    assert_eq!(removed.status(), 204);
    assert!(
        ["failed", "succeeded", "interrupted"]
            .contains(&world.ended(&queued).await["state"].as_str().unwrap())
    );
}

#[tokio::test]
async fn a_join_token_is_good_once_and_a_revoked_one_never() {
    let world = World::new().await;
    let join = |secret: &str, name: &str| {
        command(wardroom_node())
            .args(["join", "--server", &world.url, "--token", secret, "--name", name, "--data"])
            .arg(world.folder.path().join(name))
            .arg("--commands")
            .arg(world.folder.path().join("commands.toml"))
            .status()
            .unwrap()
            .success()
    };
    let token = world.post("/api/v1/join-tokens", json!({})).await;
    let secret = token["secret"].as_str().unwrap();
    assert!(join(secret, "second") && !join(secret, "third"), "a second use");
    let token = world.post("/api/v1/join-tokens", json!({})).await;
    let path = format!("/api/v1/join-tokens/{}", token["token"]["id"].as_str().unwrap());
    world.client.delete(world.at(&path)).bearer_auth(&world.token).send().await.unwrap();
    assert!(!join(token["secret"].as_str().unwrap(), "fourth"), "a revoked token");
    let refused = world.get("/api/v1/audit/records?action=node.enrol&outcome=refused").await;
    assert_eq!(refused["items"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn an_export_verifies_offline_and_any_tampering_is_named() {
    let world = World::new().await;
    for _ in 0..3 {
        let id = world.submit("ping", json!({})).await;
        world.ended(&id).await;
    }
    let export = world.text("/api/v1/audit/export").await;
    let checkpoint = world.text("/api/v1/audit/checkpoint").await;
    let note = world.folder.path().join("checkpoint");
    fs::write(&note, checkpoint).unwrap();
    let verify = |text: &str, later: bool| {
        let file = world.folder.path().join("export.jsonl");
        fs::write(&file, text).unwrap();
        let mut verify = command(wardroom());
        verify.args(["audit", "verify"]).arg(&file);
        if later {
            verify.arg("--checkpoint").arg(&note);
        }
        let output = verify
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .output()
            .unwrap();
        let said = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        (output.status.code().unwrap(), said)
    };
    let (code, said) = verify(&export, false);
    assert_eq!(code, 0, "{said}");
    let lines: Vec<&str> = export.lines().collect();
    let third = lines.iter().position(|line| line.starts_with("{\"index\":3,")).unwrap();
    let altered = export.replacen("\"action\":\"", "\"action\":\"x", 1);
    let removed = lines
        .iter()
        .enumerate()
        .filter(|(at, _)| *at != third)
        .map(|(_, line)| format!("{line}\n"))
        .collect::<String>();
    let mut swapped = lines.clone();
    swapped.swap(third, third + 1);
    let swapped = swapped.iter().map(|line| format!("{line}\n")).collect::<String>();
    for (what, text) in [("alteration", &altered), ("removal", &removed), ("reordering", &swapped)]
    {
        let (code, said) = verify(text, false);
        assert_eq!(code, 1, "{what}: {said}");
    }
    let size: u64 =
        lines[0].split("\"size\":").nth(1).unwrap().trim_end_matches('}').parse().unwrap();
    let shorter: String = lines[..third]
        .iter()
        .map(|line| format!("{}\n", line.replace(&format!("\"size\":{size}"), "\"size\":3")))
        .collect();
    assert_eq!(verify(&shorter, true).0, 1, "truncation, given a later checkpoint");
}

#[tokio::test]
async fn a_receipt_proves_one_record() {
    let world = World::new().await;
    let receipt = world.folder.path().join("receipt.json");
    let proof = world.get("/api/v1/audit/records/2/proof").await;
    fs::write(&receipt, proof.to_string()).unwrap();
    let verify = |file: &std::path::Path| {
        command(wardroom()).args(["audit", "proof", "verify"]).arg(file).status().unwrap().success()
    };
    assert!(verify(&receipt));
    fs::write(&receipt, proof.to_string().replacen("\"index\":2", "\"index\":3", 1)).unwrap();
    assert!(!verify(&receipt));
}

#[tokio::test]
async fn the_nodes_own_log_and_the_orchestrators_tell_the_same_and_a_lie_shows() {
    let mut world = World::new().await;
    for seconds in [0, 1] {
        let run = world.submit("sleep", json!({"seconds": seconds})).await;
        assert_eq!(world.ended(&run).await["state"], "succeeded");
    }
    let refused = world.submit("read-log", json!({"path": "/var/log/there-is-none"})).await;
    assert_eq!(world.ended(&refused).await["state"], "failed");
    world.kill_node();
    let export = world.folder.path().join("export.jsonl");
    let answer =
        world.client.get(world.at("/api/v1/audit/export")).bearer_auth(&world.token).send().await;
    fs::write(&export, answer.unwrap().bytes().await.unwrap()).unwrap();
    let exported = command(wardroom_node())
        .args(["log", "export", "--data"])
        .arg(world.node_data())
        .stdout(std::process::Stdio::piped())
        .output()
        .unwrap();
    assert!(exported.status.success());
    let log = String::from_utf8(exported.stdout).unwrap();
    let compare = |text: &str| {
        let file = world.folder.path().join("node.jsonl");
        fs::write(&file, text).unwrap();
        let output = command(wardroom())
            .args(["audit", "compare", "--json", "--node-log"])
            .args([&file, &export])
            .stdout(std::process::Stdio::piped())
            .output()
            .unwrap();
        let found: Value = serde_json::from_slice(&output.stdout).unwrap();
        (output.status.success(), found)
    };
    let (same, found) = compare(&log);
    assert!(same && found["attempts"] == 3 && found["fault"] == Value::Null, "{found}");
    // The node says that it ran something else than what it was asked for.
    let (same, found) = compare(&log.replace("\"command\":\"sleep\"", "\"command\":\"touch\""));
    assert!(!same && found["fault"].is_string(), "{found}");
    assert_eq!(found["differences"].as_array().unwrap().len(), 2, "{found}");
}

#[tokio::test]
async fn a_log_that_grows_while_it_is_verified_is_sound() {
    let world = World::new().await;
    let submissions = async {
        for _ in 0..60 {
            world.submit("ping", json!({})).await;
        }
    };
    let verifications = async {
        for _ in 0..20 {
            world.sound().await;
        }
    };
    tokio::join!(submissions, verifications);
}
