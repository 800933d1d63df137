//! Enrolment: who is trusted, what is kept, what is refused.

use crate::{
    fake::{Fake, join_token},
    machine::Machine,
};
use std::{fs, os::unix::fs::MetadataExt as _};

fn said(output: &std::process::Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test]
async fn a_node_enrols_keeps_its_secrets_private_and_opens_its_link() {
    let fake = Fake::start().await;
    let mut machine = Machine::joined(&fake).await;
    assert_eq!(fake.book().name, "north");
    let mode = |name: &str| fs::metadata(machine.path("data").join(name)).unwrap().mode() & 0o777;
    assert_eq!(mode("."), 0o700);
    assert_eq!(mode("key.pk8"), 0o600);
    let kept: serde_json::Value =
        serde_json::from_slice(&fs::read(machine.path("data/node.json")).unwrap()).unwrap();
    assert_eq!(kept["node"], *crate::fake::NODE);
    assert_eq!(fs::read_to_string(machine.path("data/authority.pem")).unwrap(), fake.authority);
    // The join token is spent and must not lie about.
    assert!(!kept.to_string().contains("wrj_"));
    machine.start(&[]);
    let mut conn = fake.link().await;
    assert!(conn.holding.is_empty() && (1..=256).contains(&conn.runs_max));
    assert!(!conn.digest_of("ping").await.is_empty());
    machine.terminate();
    assert_eq!(machine.ended().await, Some(0));
}

#[tokio::test]
async fn an_existing_enrolment_is_not_overwritten() {
    let fake = Fake::start().await;
    let machine = Machine::joined(&fake).await;
    let before = fs::read(machine.path("data/key.pk8")).unwrap();
    let output = machine.join(&fake.url, &fake.token()).await;
    assert!(!output.status.success());
    assert_eq!(fs::read(machine.path("data/key.pk8")).unwrap(), before);
}

#[tokio::test]
async fn a_server_without_the_tokens_authority_gets_nothing() {
    let fake = Fake::start().await;
    let machine = Machine::new();
    let output = machine.join(&fake.url, &join_token(&[1; 32])).await;
    assert!(!output.status.success(), "{}", said(&output));
    assert!(fake.book().public_key.is_empty(), "the token must not have been sent");
    assert!(!machine.path("data/node.json").exists());
    // Nor may the right authority speak for another host.
    let elsewhere = fake.url.replace("localhost", "127.0.0.1");
    assert!(!machine.join(&elsewhere, &fake.token()).await.status.success());
    assert!(fake.book().public_key.is_empty());
}

#[tokio::test]
async fn what_is_no_join_token_is_refused_and_not_repeated() {
    let machine = Machine::new();
    for bad in ["", "wrj_", "wrj_a.b.c", "secretsecret", &format!("{}.more", join_token(&[1; 32]))]
    {
        let output = machine.join("https://localhost:1", bad).await;
        assert!(!output.status.success(), "{bad}");
        assert!(bad.len() < 8 || !said(&output).contains(bad), "{}", said(&output));
    }
}

#[tokio::test]
async fn after_enrolment_only_the_kept_authority_is_trusted() {
    let fake = Fake::start().await;
    let mut machine = Machine::joined(&fake).await;
    let other = Fake::start().await;
    let path = machine.path("data/node.json");
    let text = fs::read_to_string(&path).unwrap().replace(&fake.url, &other.url);
    fs::write(&path, text).unwrap();
    machine.start(&[]);
    // It tries, finds another authority, and says so.
    let until = std::time::Instant::now() + crate::fake::PATIENCE;
    while !machine.logged().to_lowercase().contains("certificate") {
        assert!(std::time::Instant::now() < until, "{}", machine.logged());
        tokio::task::yield_now().await;
    }
    assert_eq!(other.book().tokens_issued, 0);
    assert!(machine.is_running());
}
