//! What somebody who means harm would try at the doors.
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

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::time::Duration;
use world::{World, wait_for};

/// How often something of this action is in the log.
async fn recorded(world: &World, action: &str) -> usize {
    let list = world.get(&format!("/api/v1/audit/records?action={action}&limit=200")).await;
    list["items"].as_array().unwrap_or_else(|| panic!("no list: {list}")).len()
}

#[tokio::test]
async fn requests_that_break_off_leave_nothing_half_done() {
    let world = World::new().await;
    for number in 0..120_u64 {
        let request = world
            .client
            .post(world.at("/api/v1/runs"))
            .bearer_auth(&world.token)
            .json(&json!({"command": "ping", "node": "local"}))
            .timeout(Duration::from_micros(300 + 40 * number));
        let _ = request.send().await;
    }
    let parent = world
        .post("/api/v1/runs", json!({"command": "ping", "labels": "site=here", "all": true}))
        .await;
    world.ended(parent["id"].as_str().unwrap()).await;
    // Whatever was taken in comes to its end soon, and not when its lease has lapsed.
    wait_for("every run's end", || async {
        let list = world.get("/api/v1/runs?limit=200").await;
        let runs = list["items"].as_array().unwrap();
        assert!(!runs.is_empty());
        runs.iter().all(|run| run["state"] == "succeeded").then_some(())
    })
    .await;
}

#[tokio::test]
async fn methods_that_are_none_are_counted_together() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let world = World::with(&[format!("listen_metrics=127.0.0.1:{port}")]).await;
    for number in 0..20 {
        let method = Method::from_bytes(format!("M{number}").as_bytes()).unwrap();
        let answer = world.client.request(method, world.at("/health/live")).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
    }
    let text = reqwest::get(format!("http://127.0.0.1:{port}/metrics")).await.unwrap();
    let text = text.text().await.unwrap();
    assert!(text.contains("method=\"other\"") && !text.contains("\"M1"), "{text}");
}

#[tokio::test]
async fn refused_enrolments_and_denials_are_recorded_within_an_allowance() {
    let world = World::new().await;
    world.add_account("viewer", wardroom_core::Role::Customer, "Harbour lights at 6").await;
    let viewer = world.sign_in_as("viewer", "Harbour lights at 6").await;
    for number in 0..60 {
        let body = json!({"token": format!("nonsense {number}"), "name": "n", "public_key": "", "signature": ""});
        let enrol = world.client.post(world.at("/node/v1/enrol")).json(&body).send().await.unwrap();
        assert!(enrol.status().is_client_error());
        let denied = world
            .client
            .delete(world.at("/api/v1/join-tokens/join_0123456789ab7def8000000000000001"));
        let denied = denied.bearer_auth(&viewer).send().await.unwrap();
        assert!(denied.status().is_client_error());
        let guess = json!({"name": "admin", "password": "wrong"});
        if number < 2 {
            let guess = world.client.post(world.at("/api/v1/login")).json(&guess);
            assert!(guess.send().await.unwrap().status().is_client_error());
        }
    }
    assert_eq!(recorded(&world, "node.enrol").await, 21, "the node's own and twenty refused ones");
    assert!(recorded(&world, "join_token.revoke").await <= 20);
    // One kind of refusal does not use up what another is recorded with.
    let guess = json!({"name": "admin", "password": "wrong", "client": "t"});
    world.client.post(world.at("/api/v1/login")).json(&guess).send().await.unwrap();
    let list = world.get("/api/v1/audit/records?action=auth.sign_in&outcome=refused").await;
    assert_eq!(list["items"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn a_password_is_not_confirmed_by_what_else_is_wrong() {
    let world = World::new().await;
    let mut answers = Vec::new();
    for password in [world.password(), "W".repeat(world.password().len())] {
        let body = json!({"name": "admin", "password": password, "client": "", "expires_in": 1});
        let answer = world.client.post(world.at("/api/v1/login")).json(&body).send().await.unwrap();
        let status = answer.status();
        let mut problem: Value = answer.json().await.unwrap();
        problem["request_id"] = Value::Null;
        answers.push((status, problem));
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0].0, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn a_token_makes_no_token_that_outlives_it() {
    let world = World::new().await;
    let scopes = ["token.create", "run.list"];
    let asked = json!({"name": "short", "expires_in": 60, "scopes": scopes});
    let short = world.post("/api/v1/tokens", asked).await;
    let make = async |body: Value| {
        let request = world.client.post(world.at("/api/v1/tokens"));
        let request = request.bearer_auth(short["secret"].as_str().unwrap()).json(&body);
        request.send().await.unwrap()
    };
    let wanted = json!({"name": "long", "expires_in": 7_776_000, "scopes": ["run.list"]});
    let long: Value = make(wanted).await.json().await.unwrap();
    assert_eq!(long["token"]["expires_at"], short["token"]["expires_at"]);
    // Nor one that may do more.
    for scopes in [json!([]), json!(["run.list", "node.list"])] {
        let answer = make(json!({"name": "wide", "scopes": scopes})).await;
        assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY, "{scopes}");
    }
}

#[tokio::test]
async fn a_connection_that_asks_for_nothing_ends() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let world = World::new().await;
    let pem = std::fs::read(world.data().join("authority.pem")).unwrap();
    let tls = wardroom_trust::tls::client_config(&pem).unwrap();
    let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::new(tls));
    let address = world.url.strip_prefix("https://").unwrap().replace("localhost", "127.0.0.1");
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let mut stream = connector.connect("localhost".try_into().unwrap(), stream).await.unwrap();
    // The beginning of what HTTP/2 begins with: nobody can tell yet which version it is.
    stream.write_all(b"P").await.unwrap();
    let mut rest = [0; 16];
    let read = tokio::time::timeout(Duration::from_secs(40), stream.read(&mut rest)).await;
    let read = read.expect("the connection ends");
    assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
}

#[tokio::test]
async fn numbers_at_their_bounds_are_only_not_found() {
    let world = World::new().await;
    let path = format!("/api/v1/audit/records/{}/proof", u64::MAX);
    let answer = world.client.get(world.at(&path)).bearer_auth(&world.token).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_a_customer_may_not_see_shows_by_no_filter() {
    let world = World::new().await;
    world.add_account("viewer", wardroom_core::Role::Customer, "Harbour lights at 6").await;
    let viewer = world.sign_in_as("viewer", "Harbour lights at 6").await;
    let mut answers = Vec::new();
    for node in ["local", "nowhere"] {
        let request = world.client.get(world.at(&format!("/api/v1/runs?node={node}")));
        answers.push(request.bearer_auth(&viewer).send().await.unwrap().status());
    }
    assert_eq!(answers, [StatusCode::NOT_FOUND; 2]);
}

#[tokio::test]
async fn a_second_orchestrator_keeps_out_of_a_folder_that_has_one() {
    let world = World::new().await;
    let second = world::command(world::wardroom())
        .args(["up", "--without-node", "--listen", "127.0.0.1:0", "--data"])
        .arg(world.data())
        .stderr(std::process::Stdio::piped())
        .output()
        .unwrap();
    let said = String::from_utf8(second.stderr).unwrap();
    assert!(!second.status.success() && said.contains("another orchestrator runs"), "{said}");
}

#[tokio::test]
async fn an_errors_page_is_where_its_problem_document_says() {
    let world = World::new().await;
    let problem = world.get("/api/v1/runs/run_0123456789ab7def8000000000000001").await;
    let page = world.client.get(world.at(problem["type"].as_str().unwrap())).send().await.unwrap();
    assert!(page.status().is_success());
    assert!(page.text().await.unwrap().contains("`not_found`"));
}

#[tokio::test]
async fn a_nul_in_an_address_is_out_of_form() {
    let world = World::new().await;
    for path in
        ["/api/v1/agents/%00", "/api/v1/agents/a%00b/memories", "/api/v1/memories?agent=%00"]
    {
        let get = world.client.get(world.at(path)).bearer_auth(&world.token);
        assert_eq!(get.send().await.unwrap().status(), 400, "{path}");
    }
}
