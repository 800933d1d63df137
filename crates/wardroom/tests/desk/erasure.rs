//! Customers who come by a table, and one who goes for good.

use crate::{
    scene::{ask, customer, echo, member, order, service, until_request},
    world::World,
};
use data_encoding::BASE64;
use reqwest::StatusCode;
use serde_json::{Value, json};

#[tokio::test]
async fn a_table_of_customers_is_taken_whole_or_not_at_all_and_an_erased_one_is_gone() {
    let mut world = World::new().await;
    let import = async |world: &World, table: &str, dry_run: bool| -> Value {
        let path = format!("/api/v1/customers/import?dry_run={dry_run}");
        let request = world.client.post(world.at(&path)).bearer_auth(&world.token);
        let request = request.header("content-type", "text/csv").body(table.to_owned());
        request.send().await.unwrap().json().await.unwrap()
    };
    let bad = "name,email,phone,plan\nQuay,quay@example.org,+4930123456,gold\n,x,12,\nTwo,QUAY@example.org,,\n";
    for dry_run in [true, false] {
        let report = import(&world, bad, dry_run).await;
        assert_eq!((&report["made"], &report["rows"]), (&json!(0), &json!(3)), "{report}");
        let lines: Vec<(u64, &str)> = report["problems"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| (one["line"].as_u64().unwrap(), one["field"].as_str().unwrap()))
            .collect();
        assert_eq!(lines, [(3, "name"), (4, "email")]);
    }
    assert_eq!(world.get("/api/v1/customers").await["items"], json!([]));
    let good = "name,email,phone,plan\nQuay,quay@example.org,'+4930123456,gold\nPier 7,pier@example.org,,\n";
    assert_eq!(import(&world, good, true).await["problems"], json!([]));
    assert_eq!(import(&world, good, false).await["made"], 2);
    assert_eq!(import(&world, good, false).await["problems"].as_array().unwrap().len(), 2);
    let request = world.client.get(world.at("/api/v1/customers/export")).bearer_auth(&world.token);
    let table = request.send().await.unwrap().text().await.unwrap();
    assert_eq!(
        table,
        "name,email,phone,notes,plan\r\nQuay,quay@example.org,'+4930123456,,gold\r\nPier 7,pier@example.org,,,\r\n"
    );

    let quay = world.get("/api/v1/customers?text=quay").await["items"][0].clone();
    let id = quay["id"].as_str().unwrap().to_owned();
    let eve = member(&world, "eve", &id).await;
    let manual = service(&world, "manual", json!({})).await;
    let (_, made) = order(&world, &eve, &manual, json!({"values": {"text": "planted-7731"}})).await;
    let request = made["id"].as_str().unwrap().to_owned();
    let berth = service(&world, "berth", echo()).await;
    let (_, made) = order(&world, &eve, &berth, json!({"values": {"text": "planted-7732"}})).await;
    let done = until_request(&world, &eve, made["id"].as_str().unwrap(), "completed").await;
    let run = format!("/api/v1/runs/{}", done["runs"][0]["id"].as_str().unwrap());
    assert_eq!(world.get(&run).await["parameters"]["text"], "planted-7732");
    let output = world.get(&format!("{run}/output")).await;
    assert_eq!(output["chunks"][0]["data"], BASE64.encode(b"planted-7732\n"));
    let path = format!("/api/v1/customers/{id}");
    let (status, refused) = ask(&world, &world.token, "DELETE", &path, Value::Null).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{refused}");
    let (status, _) = ask(&world, &world.token, "DELETE", "/api/v1/users/eve", Value::Null).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    // A backup from before: the file as it lies there, with everything in it.
    let backup = world.folder.path().join("backup.db");
    world.kill_orchestrator();
    std::fs::copy(world.data().join("wardroom.db"), &backup).unwrap();
    let wal = world.data().join("wardroom.db-wal");
    if wal.exists() {
        std::fs::copy(wal, world.folder.path().join("backup.db-wal")).unwrap();
    }
    for file in ["backup.db", "backup.db-wal"] {
        let bytes = std::fs::read(world.folder.path().join(file)).unwrap_or_default();
        let planted = bytes.windows(11).any(|window| window.starts_with(b"planted-773"));
        assert!(!planted, "what a customer gave lies open in {file}");
    }
    world.restart().await;
    let (status, _) = ask(&world, &world.token, "DELETE", &path, Value::Null).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    assert_eq!(ask(&world, &world.token, "GET", &path, Value::Null).await.0, StatusCode::NOT_FOUND);
    let found = world.get(&format!("/api/v1/requests/{request}")).await;
    assert_eq!(
        (&found["request"]["state"], &found["request"]["customer_name"], &found["values"]),
        (&json!("cancelled"), &json!("[erased]"), &json!({}))
    );
    assert_eq!(world.get("/api/v1/customers?text=quay").await["items"], json!([]));
    let records = world.get("/api/v1/audit/records?action=service.order").await;
    assert!(!records.to_string().contains("planted-7731"));
    world.sound().await;

    // The old data under today's keys: the other customer is read, the erased one is not.
    world.kill_orchestrator();
    let live = world.data().join("wardroom.db");
    for end in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(world.data().join(format!("wardroom.db{end}")));
    }
    std::fs::copy(&backup, &live).unwrap();
    let old_wal = world.folder.path().join("backup.db-wal");
    if old_wal.exists() {
        std::fs::copy(old_wal, world.data().join("wardroom.db-wal")).unwrap();
    }
    world.restart().await;
    let old = world.get(&path).await;
    assert_eq!(old["name"], "[erased]", "{old}");
    assert_eq!(old["email"], "");
    let found = world.get(&format!("/api/v1/requests/{request}")).await;
    assert_eq!(found["values"], json!({}));
    let emptied = world.get(&run).await;
    assert_eq!((&emptied["state"], &emptied["parameters"]), (&json!("succeeded"), &json!({})));
    let output = world.get(&format!("{run}/output")).await;
    assert_eq!(output["chunks"][0]["data"], "", "{output}");
    let pier = world.get("/api/v1/customers?text=pier").await;
    assert_eq!(pier["items"][0]["name"], "Pier 7");
    world.sound().await;
}

#[tokio::test]
async fn what_waits_for_an_erased_customer_ends_and_keeps_nobody_waiting() {
    let mut world = World::new().await;
    let harbour = customer(&world, "harbour").await;
    let manual = service(&world, "manual", json!({})).await;
    let body = json!({"customer": harbour, "values": {"text": "x"}});
    let (_, made) = order(&world, &world.token, &manual, body).await;
    let request = made["id"].as_str().unwrap().to_owned();
    world.kill_node();
    let submission = json!({
        "command": "echo", "node": "local", "parameters": {"text": "y"}, "request": request, "priority": 9,
    });
    let mut waiting = vec![];
    for _ in 0..40 {
        let run = world.post("/api/v1/runs", submission.clone()).await;
        waiting.push(run["id"].as_str().unwrap_or_else(|| panic!("{run}")).to_owned());
    }
    // The request is over; what runs for it is not.
    let path = format!("/api/v1/requests/{request}");
    for state in ["in_progress", "completed"] {
        let (status, said) =
            ask(&world, &world.token, "PATCH", &path, json!({"state": state})).await;
        assert_eq!(status, StatusCode::OK, "{said}");
    }
    let gone = format!("/api/v1/customers/{harbour}");
    let (status, said) = ask(&world, &world.token, "DELETE", &gone, Value::Null).await;
    assert_eq!(status, StatusCode::NO_CONTENT, "{said}");
    for (path, body) in [
        ("/api/v1/runs".to_owned(), submission),
        (format!("/api/v1/runs/{}/replay", waiting[0]), Value::Null),
        (format!("{path}/notes"), json!({"text": "too late"})),
        (format!("{path}/attachments?name=a.txt"), json!("the file")),
    ] {
        let (status, said) = ask(&world, &world.token, "POST", &path, body).await;
        assert!(status.is_client_error(), "{path}: {status} {said}");
    }
    let other = world.submit("echo", json!({"text": "of somebody else"})).await;
    world.start_node();
    assert_eq!(world.ended(&other).await["state"], "succeeded");
    for run in &waiting {
        world.until(run, "cancelled").await;
    }
    assert!(!world.logged().contains("could not be given out"));
    world.sound().await;
}
