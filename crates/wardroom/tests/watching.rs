//! What is told to the outside, while the outside behaves badly; and who may choose where it goes.
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

use data_encoding::BASE64;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};
use wardroom_core::Role;
use world::{PASSWORD, World, wait_for};

/// A server that takes connections and says nothing.
async fn silent() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let mut held = vec![];
        while let Ok((connection, _)) = listener.accept().await {
            held.push(connection);
        }
    });
    port
}

/// A webhook's receiver that keeps what it is sent.
async fn receiver() -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let kept: Arc<Mutex<Vec<String>>> = Arc::default();
    let to = Arc::clone(&kept);
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            let mut bytes = vec![0; 64 * 1024];
            let read = connection.read(&mut bytes).await.unwrap_or(0);
            to.lock().unwrap().push(String::from_utf8_lossy(&bytes[..read]).into_owned());
            let _ =
                connection.write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n").await;
        }
    });
    (port, kept)
}

#[tokio::test]
async fn a_mail_server_that_says_nothing_holds_nothing_else_up() {
    let (mail, (hook, kept)) = (silent().await, receiver().await);
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, format!("whsec_{}", BASE64.encode(&[7; 32]))).unwrap();
    let world = World::with(&[
        format!("smtp_url=smtp://127.0.0.1:{mail}?tls=none"),
        "mail_from=w@example.org".to_owned(),
        "alert_mail_to=a@example.org,b@example.org".to_owned(),
        format!("webhook_url=http://127.0.0.1:{hook}/"),
        format!("webhook_secret_file={}", secret.display()),
        "outbound_allow=127.0.0.1".to_owned(),
    ])
    .await;
    for wanted in 1..=3 {
        let sent = world.post("/api/v1/security/alerts/test", json!({})).await;
        assert_eq!(sent["messages"], 3, "one for each who is told");
        wait_for("the webhook", || async { (kept.lock().unwrap().len() >= wanted).then_some(()) })
            .await;
    }
    let first = kept.lock().unwrap()[0].to_lowercase();
    assert!(first.contains("webhook-signature: v1,"), "{first}");
    // And it does not hold up the end either.
    let begun = std::time::Instant::now();
    let pid = rustix::process::Pid::from_raw(world.orchestrator_pid().cast_signed()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    wait_for("the end", || async {
        world.client.get(world.at("/health/live")).send().await.is_err().then_some(())
    })
    .await;
    assert!(begun.elapsed() < std::time::Duration::from_secs(15), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_token_does_not_choose_where_links_for_a_new_password_go() {
    let world = World::new().await;
    world.add_account("ann", Role::Operator, PASSWORD).await;
    let session = world.sign_in_as("ann", PASSWORD).await;
    let make = json!({"name": "narrow", "scopes": ["profile.update"]});
    let made = world.client.post(world.at("/api/v1/tokens")).bearer_auth(&session).json(&make);
    let made: Value = made.send().await.unwrap().json().await.unwrap();
    let change = async |token: &str, body: Value| {
        let patch = world.client.patch(world.at("/api/v1/account")).bearer_auth(token);
        patch.json(&body).send().await.unwrap().status().as_u16()
    };
    let token = made["secret"].as_str().unwrap();
    assert_eq!(change(token, json!({"email": "thief@example.org"})).await, 403);
    assert_eq!(change(token, json!({"display_name": "Ann"})).await, 200);
    assert_eq!(change(&session, json!({"email": "ann@example.org"})).await, 200);
}

#[tokio::test]
async fn a_copied_token_is_one_alert_of_its_owner_however_often() {
    let world = World::new().await;
    let id = world.add_account("ann", Role::Operator, PASSWORD).await;
    for _ in 0..3 {
        let tokens = world.login("ann", PASSWORD, None).await;
        for _ in 0..2 {
            let body = json!({"refresh_token": tokens["refresh_token"]});
            let path = world.at("/api/v1/session/refresh");
            world.client.post(path).json(&body).send().await.unwrap();
        }
    }
    let alert = wait_for("the alert", || async {
        let found = world.get("/api/v1/security/alerts?open=true").await;
        let found = found["items"].as_array()?.iter().find(|one| one["count"] == 3)?.clone();
        Some(found)
    })
    .await;
    assert_eq!(
        (alert["rule"].as_str(), alert["subject"].as_str()),
        (Some("copied_token"), Some(id.as_str()))
    );
}
