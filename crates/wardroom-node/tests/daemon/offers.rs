//! Offers: what is run, what is refused, and how a run is stopped.

use crate::{
    fake::{Fake, run},
    machine::Machine,
};
use serde_json::json;
use std::time::Duration;
use wardroom_wire::link::{EndShape, NodeFrame, OrchestratorFrame, Stream};

#[tokio::test]
async fn a_builtin_and_a_program_run_and_are_forgotten_once_recorded() {
    let fake = Fake::start().await;
    let mut machine = Machine::running(&fake).await;
    let mut conn = fake.link().await;
    conn.offer(&run(1), 1, "ping", json!({})).await;
    let ping = conn.follow(&run(1)).await;
    assert_eq!(ping.accepted, [1]);
    assert!(ping.finished.as_ref().unwrap().1.started_at.is_some());
    assert_eq!(ping.end(), &EndShape::Exited { code: 0 });
    assert!(String::from_utf8_lossy(&ping.bytes(Stream::Stdout)).starts_with("pong"));
    conn.record(&run(1), 1, 1, true).await;

    conn.offer(&run(2), 1, "both", json!({})).await;
    let both = conn.follow(&run(2)).await;
    assert_eq!(both.end(), &EndShape::Exited { code: 0 }, "{both:?}");
    assert_eq!(both.bytes(Stream::Stdout), b"out\0\xff");
    assert_eq!(both.bytes(Stream::Stderr), b"err\n");
    let result = &both.finished.as_ref().unwrap().1;
    assert_eq!(result.output_bytes, 9);
    assert!(result.started_at.is_some());
    conn.record(&run(2), 1, both.output.len() as u32, true).await;
    // A frame behind the acknowledgement, answered in order: the acknowledgement was taken in.
    conn.offer(&run(3), 1, "no-such", json!({})).await;
    conn.follow(&run(3)).await;
    machine.kill();
    drop(conn);
    machine.start(&[]);
    assert!(fake.link().await.holding.is_empty());
}

#[tokio::test]
async fn the_nodes_own_list_refuses_and_never_repeats_a_value() {
    let fake = Fake::start().await;
    let machine = Machine::running(&fake).await;
    let mut conn = fake.link().await;
    let mut number = 0;
    let mut code = async |command: &str, parameters: serde_json::Value| {
        number += 1;
        conn.offer(&run(number), 1, command, parameters).await;
        let refused = conn.follow(&run(number)).await.refused.expect("refused");
        assert!(!refused.1.contains("hunter2"), "{}", refused.1);
        refused.0
    };
    assert_eq!(code("no-such", json!({})).await, "unknown_command");
    assert_eq!(code("count", json!({})).await, "bad_parameter");
    assert_eq!(code("count", json!({"tag": "hunter2!"})).await, "bad_parameter");
    assert_eq!(code("count", json!({"tag": "-hunter2"})).await, "bad_parameter");
    assert_eq!(code("count", json!({"tag": "hunter2\n"})).await, "bad_parameter");
    assert_eq!(code("count", json!({"tag": "a", "other": "hunter2"})).await, "bad_parameter");
    assert_eq!(code("count", json!({"tag": ["hunter2"]})).await, "bad_parameter");
    assert_eq!(code("count", json!({"tag": 1.5})).await, "bad_parameter");
    assert_eq!(code("flood", json!({"bytes": "hunter2"})).await, "bad_parameter");
    let frame = OrchestratorFrame::Offer {
        salt: String::new(),
        run: run(100),
        fence: 1,
        command: "ping".into(),
        digest: "00".repeat(32),
        parameters: Default::default(),
        deadline_ms: None,
    };
    conn.say(&frame).await;
    assert_eq!(conn.follow(&run(100)).await.refused.unwrap().0, "digest_changed");
    assert!(machine.counted().is_empty());
}

#[tokio::test]
async fn more_than_runs_max_is_refused_as_busy() {
    let fake = Fake::start().await;
    let mut machine = Machine::joined(&fake).await;
    machine.start(&["--runs-max", "1"]);
    let mut conn = fake.link().await;
    assert_eq!(conn.runs_max, 1);
    conn.offer(&run(1), 1, "count", json!({"tag": "a", "seconds": "30"})).await;
    conn.until(|frame| matches!(frame, NodeFrame::Started { .. }).then_some(())).await;
    conn.offer(&run(2), 1, "ping", json!({})).await;
    assert_eq!(conn.follow(&run(2)).await.refused.unwrap().0, "busy");
}

#[tokio::test]
async fn a_run_is_cancelled_with_all_its_processes() {
    let fake = Fake::start().await;
    let machine = Machine::running(&fake).await;
    let mut conn = fake.link().await;
    conn.offer(&run(1), 1, "count", json!({"tag": "a", "seconds": "3600"})).await;
    conn.until(|frame| matches!(frame, NodeFrame::Started { .. }).then_some(())).await;
    conn.say(&OrchestratorFrame::Cancel { run: run(1), fence: 1 }).await;
    assert_eq!(conn.follow(&run(1)).await.end(), &EndShape::Cancelled);
    let left = std::fs::read_dir("/proc").unwrap().flatten().any(|entry| {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(&*machine.path("count").to_string_lossy())
    });
    assert!(!left, "a process of the run is still there");
}

#[tokio::test]
async fn the_deadline_shortens_the_wall_limit() {
    let fake = Fake::start().await;
    let _machine = Machine::running(&fake).await;
    let mut conn = fake.link().await;
    let digest = conn.digest_of("count").await;
    let frame = OrchestratorFrame::Offer {
        salt: String::new(),
        run: run(1),
        fence: 1,
        command: "count".into(),
        digest,
        parameters: serde_json::from_value(json!({"tag": "a", "seconds": "50"})).unwrap(),
        deadline_ms: Some(700),
    };
    let begun = std::time::Instant::now();
    conn.say(&frame).await;
    assert_eq!(conn.follow(&run(1)).await.end(), &EndShape::Limit { limit: "wall".into() });
    assert!(begun.elapsed() < Duration::from_secs(20));
}

#[tokio::test]
async fn a_discarded_run_is_killed_and_forgotten() {
    let fake = Fake::start().await;
    let mut machine = Machine::running(&fake).await;
    let mut conn = fake.link().await;
    conn.offer(&run(1), 1, "count", json!({"tag": "a", "seconds": "3600"})).await;
    conn.until(|frame| matches!(frame, NodeFrame::Started { .. }).then_some(())).await;
    conn.say(&OrchestratorFrame::Discard { run: run(1), fence: 1 }).await;
    // It is gone when the node reports nothing in progress; it never says that it ended.
    loop {
        match conn.try_next().await.unwrap() {
            NodeFrame::Heartbeat { report, .. } if report.runs_active == 0 => break,
            NodeFrame::Finished { .. } => panic!("a discarded run has no end to tell of"),
            _ => {}
        }
    }
    machine.kill();
    machine.start(&[]);
    drop(conn);
    assert!(fake.link().await.holding.is_empty());
}

#[tokio::test]
async fn a_flood_of_refusals_does_not_push_the_log_out() {
    let fake = Fake::start().await;
    let mut machine = Machine::joined(&fake).await;
    machine.start(&[]);
    let mut conn = fake.link().await;
    for number in 0..200 {
        conn.offer(&run(number), 1, "unknown", json!({})).await;
        conn.until(|frame| matches!(frame, NodeFrame::Refused { .. }).then_some(())).await;
    }
    let log = machine.tool(&["log", "export", "--data", &machine.data()]).await;
    let log = String::from_utf8(log.stdout).unwrap();
    assert_eq!(log.matches("\"event\":\"refused\"").count(), 120);
    assert_eq!(log.matches("\"event\":\"passed_over\"").count(), 1);
    let alerts = conn
        .until(|frame| match frame {
            NodeFrame::Heartbeat { report, .. } if !report.alerts.is_empty() => Some(report.alerts),
            _ => None,
        })
        .await;
    assert!(alerts.iter().any(|alert| alert.contains("refusals")), "{alerts:?}");
}
