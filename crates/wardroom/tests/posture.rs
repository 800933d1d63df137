//! The posture check, as the running program and `wardroom doctor` answer it.
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

use serde_json::Value;
use std::{collections::BTreeSet, path::Path, process::Stdio};
use world::{World, command, wait_for, wardroom};

/// What `wardroom doctor` says of an installation, and whether it is content.
fn doctor(data: &Path, settings: &[&str]) -> (bool, Vec<Value>) {
    let output = command(wardroom())
        .args(["--json", "doctor", "--data"])
        .arg(data)
        .args(settings.iter().flat_map(|setting| ["--set", setting]))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let lines = serde_json::from_str(&said)
        .unwrap_or_else(|_| panic!("{said}{}", String::from_utf8_lossy(&output.stderr)));
    (output.status.success(), lines)
}

fn failing(lines: &[Value]) -> BTreeSet<String> {
    let failed = lines.iter().filter(|line| line["verdict"] == "fail");
    failed
        .map(|line| {
            assert!(!line["fix"].as_str().unwrap().is_empty(), "no way out: {line}");
            format!("{} {}", line["control"].as_str().unwrap(), line["title"].as_str().unwrap())
        })
        .collect()
}

#[tokio::test]
async fn each_line_is_answered_and_what_is_wrong_is_named_with_its_fix() {
    let limits = ["address", "principal"].map(|of| format!("rate_limit_{of}_per_minute=100000"));
    let mut world = World::with(&limits).await;
    let listed = world.get("/api/v1/security/posture").await;
    let listed = listed["items"].as_array().unwrap().clone();
    // No e-mail and no webhook are set up, and the first password's file is where it was.
    let usual = ["I-5 The first password does not lie about", "W-6 Alerts reach somebody"];
    assert_eq!(failing(&listed), usual.map(str::to_owned).into());
    world.kill_orchestrator();
    std::fs::remove_file(world.data().join("admin-password")).unwrap();
    let (content, lines) = doctor(&world.data(), &[]);
    assert!(!content);
    assert_eq!(failing(&lines), [usual[1].to_owned()].into());

    let controls: toml::Table =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/controls.toml"))
            .unwrap()
            .parse()
            .unwrap();
    let answered: BTreeSet<&str> =
        lines.iter().map(|line| line["control"].as_str().unwrap()).collect();
    for control in controls["control"].as_array().unwrap() {
        let id = control["id"].as_str().unwrap();
        assert!(answered.contains(id), "{id} is promised, and no line looks at it");
    }

    let settings = [
        "tls12=true",
        "failed_attempts_max=0",
        "request_filter=off",
        "second_factor_roles=none",
        "password_chars_min=8",
        "rate_limit_address_per_minute=0",
    ];
    let (content, lines) = doctor(&world.data(), &settings);
    let failed = failing(&lines);
    assert!(!content);
    for control in ["N-1", "I-6", "N-6", "N-10", "I-7", "I-4", "N-5"] {
        let named = failed.iter().any(|line| line.starts_with(&format!("{control} ")));
        assert!(named, "{control}: {failed:?}");
    }
}

#[tokio::test]
async fn a_certificate_that_ends_soon_fails_a_line_and_gives_an_alert() {
    let mut world = World::new().await;
    let (chain, key) = (world.folder.path().join("chain.pem"), world.folder.path().join("key.pem"));
    let pair = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    params.not_before = epoch + now - std::time::Duration::from_secs(86_400);
    params.not_after = epoch + now + std::time::Duration::from_secs(5 * 86_400);
    let made = params.self_signed(&pair).unwrap();
    std::fs::write(&chain, made.pem()).unwrap();
    std::fs::write(&key, pair.serialize_pem()).unwrap();
    world.kill_orchestrator();
    world.set(&format!("tls_certificate_file={}", chain.display()));
    world.set(&format!("tls_key_file={}", key.display()));
    world.restart().await;
    let tls = wardroom_trust::tls::client_config(made.pem().as_bytes()).unwrap();
    world.client = reqwest::Client::builder().tls_backend_preconfigured(tls).build().unwrap();
    let alert = wait_for("the alert", || async {
        let found = world.get("/api/v1/security/alerts?open=true").await;
        let found = found["items"].as_array()?.clone();
        found.into_iter().find(|alert| alert["rule"] == "expiring")
    })
    .await;
    assert_eq!(alert["subject"], "certificate chain.pem");
    let listed = world.get("/api/v1/security/posture").await;
    let failed = failing(listed["items"].as_array().unwrap());
    assert!(failed.contains("N-1 Certificates do not end soon"), "{failed:?}");
}
