//! Settings as the running program takes them: names of other systems, secrets that are none, where a value is from.
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
use world::{World, command, wardroom};

/// Runs `wardroom ARGS` in an environment; whether it succeeded, and what it said.
fn run(folder: &std::path::Path, args: &[&str], environment: &[(&str, &str)]) -> (bool, String) {
    let output = command(wardroom())
        .args(args)
        .arg("--data")
        .arg(folder)
        .envs(environment.iter().copied())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

#[test]
fn names_of_other_systems_are_honoured_and_explained() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("wardroom.toml"), "sessions_max = 3\nlog = \"warn\"\n")
        .unwrap();
    let environment = [
        ("REFRESH_TOKEN_EXPIRE_DAYS", "2"),
        ("MAX_CONCURRENT_SESSIONS", "5"),
        ("WARDROOM_INVITE_HOURS", "9"),
        ("DATABASE_URL", "postgres://w:a-long-one-of-many@127.0.0.1/w"),
    ];
    let args = ["--json", "config", "explain", "--set", "reset_minutes=7"];
    let (sound, said) = run(folder.path(), &args, &environment);
    assert!(sound, "{said}");
    assert!(!said.contains("a-long-one-of-many"), "a password is shown: {said}");
    let all: Vec<Value> = serde_json::from_str(&said).unwrap();
    let of = |name: &str| {
        let one = all.iter().find(|one| one["name"] == name).unwrap();
        (one["value"].as_str().unwrap().to_owned(), one["from"].as_str().unwrap().to_owned())
    };
    assert_eq!(
        of("session_minutes"),
        ("2880".into(), "environment, REFRESH_TOKEN_EXPIRE_DAYS".into())
    );
    assert_eq!(of("sessions_max").0, "5", "the environment goes before the file");
    assert_eq!(of("invite_hours"), ("9".into(), "environment, WARDROOM_INVITE_HOURS".into()));
    assert_eq!(of("reset_minutes"), ("7".into(), "command line".into()));
    assert!(of("log").1.ends_with("wardroom.toml"));
    assert_eq!(of("block_minutes"), ("15".into(), "default".into()));
}

#[test]
fn a_start_is_refused_by_name_where_the_environment_cannot_be_honoured() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    for (environment, told) in [
        (&[("API_AUTH_ENABLED", "false")][..], &["API_AUTH_ENABLED"][..]),
        (
            &[("MAX_FAILED_ATTEMPTS", "3"), ("WARDROOM_FAILED_ATTEMPTS_MAX", "4")],
            &["MAX_FAILED_ATTEMPTS", "WARDROOM_FAILED_ATTEMPTS_MAX"],
        ),
        (&[("DATABASE_URL", "postgres://postgres:postgres@db.example/x")], &["database_url_file"]),
        (&[("ENCRYPTION_KEY", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")], &["key"]),
        (&[("API_KEY_HEADER", "cookie")], &["api_key_header"]),
        (&[("WARDROOM_WEBHOOK_URL", "https://example.org/")], &["webhook_secret_file"]),
        (&[("WARDROOM_SMTP_URL", "smtp://example.org")], &["mail_from"]),
        (&[("WARDROOM_ALERT_MAIL_TO", "a@example.org")], &["smtp_url"]),
        (&[("WARDROOM_OIDC_ISSUER", "https://id.example.org")], &["oidc_client_id"]),
        (
            &[("WARDROOM_OIDC_ISSUER", "https://id.example.org"), ("WARDROOM_OIDC_CLIENT_ID", "w")],
            &["oidc_role_claim", "oidc_default_role"],
        ),
        (
            &[
                ("WARDROOM_OIDC_ISSUER", "https://id.example.org"),
                ("WARDROOM_OIDC_CLIENT_ID", "w"),
                ("WARDROOM_OIDC_ROLES", "ops=captain"),
            ],
            &["oidc_roles", "captain"],
        ),
        (&[("WARDROOM_OUTBOUND_ALLOW", "everything")], &["outbound_allow"]),
    ] {
        let (sound, said) = run(&data, &["init"], environment);
        assert!(!sound && told.iter().all(|name| said.contains(name)), "{environment:?}: {said}");
        assert!(!said.contains("AAAAAA"), "a key is shown: {said}");
    }
    let (sound, said) = run(&data, &["init", "--set", "encryption_key=x"], &[]);
    assert!(!sound && said.contains("encryption_key_file"), "{said}");
}

#[tokio::test]
async fn a_token_travels_in_another_systems_header() {
    let world = World::with(&["api_key_header=x-api-key".to_owned()]).await;
    let body = json!({"name": "t", "expires_in": 600});
    let made = world.post("/api/v1/tokens", body).await;
    let secret = made["secret"].as_str().unwrap_or_else(|| panic!("{made}"));
    let ask = async |header: &str, value: &str| {
        let request = world.client.get(world.at("/api/v1/whoami")).header(header, value);
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(ask("x-api-key", secret).await, 200);
    assert_eq!(ask("x-api-key", "wrt_nothing").await, 401);
    assert_eq!(ask("x-other-key", secret).await, 401);
}
