//! Frames out of form close the connection and never the daemon.

use crate::{
    fake::{Fake, run},
    machine::Machine,
};
use futures_util::SinkExt as _;
use proptest::prelude::*;
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;
use wardroom_wire::link::{EndShape, FRAME_BYTES_MAX, OrchestratorFrame};

#[tokio::test]
async fn a_frame_out_of_form_closes_the_link_and_the_node_comes_back() {
    let fake = Fake::start().await;
    let mut machine = Machine::running(&fake).await;
    let long = format!("{{\"type\":\"{}\"}}", "x".repeat(FRAME_BYTES_MAX));
    let bad = [
        Message::text(""),
        Message::text("null"),
        Message::text("{"),
        Message::text(r#"{"type":"reboot"}"#),
        Message::text(r#"{"type":"cancel","run":"run_1","fence":1,"more":2}"#),
        Message::text(r#"{"type":"cancel","run":"run_1","fence":"1"}"#),
        Message::text(r#"{"type":"recorded","run":"x","fence":1,"chunks":-1,"finished":true}"#),
        Message::text("[".repeat(100_000)),
        Message::binary(vec![0, 159, 146, 150]),
        Message::text(long),
    ];
    for message in bad {
        let mut conn = fake.link().await;
        // The node may leave before it has read all of a long one.
        let _ = conn.socket.send(message.clone()).await;
        conn.try_next_quietly().await;
        assert!(machine.is_running());
        // The waits between tries grow; a new process begins with the shortest.
        machine.kill();
        machine.start(&[]);
    }
    let mut conn = fake.link().await;
    conn.offer(&run(1), 1, "ping", json!({})).await;
    assert_eq!(conn.follow(&run(1)).await.end(), &EndShape::Exited { code: 0 });
}

#[tokio::test]
async fn frames_about_unknown_runs_are_passed_over() {
    let fake = Fake::start().await;
    let _machine = Machine::running(&fake).await;
    let mut conn = fake.link().await;
    for id in [run(9), "../../etc/passwd".into(), String::new(), "x".repeat(10_000)] {
        conn.say(&OrchestratorFrame::Cancel { run: id.clone(), fence: 1 }).await;
        conn.say(&OrchestratorFrame::Discard { run: id.clone(), fence: -1 }).await;
        conn.say(&OrchestratorFrame::Recorded {
            run: id,
            fence: i64::MIN,
            chunks: u32::MAX,
            finished: true,
        })
        .await;
    }
    conn.offer(&run(1), 1, "ping", json!({})).await;
    assert_eq!(conn.follow(&run(1)).await.end(), &EndShape::Exited { code: 0 });
}

#[tokio::test]
async fn a_run_whose_id_is_none_touches_no_file() {
    let fake = Fake::start().await;
    let machine = Machine::running(&fake).await;
    let mut conn = fake.link().await;
    for id in [
        "../../escape",
        "run_../../../escape",
        "/tmp/escape",
        "run_0123456789ab7def8123456789abcdeF",
    ] {
        conn.offer(id, 1, "count", json!({"tag": "escaped"})).await;
    }
    // Refused or the link closed: in no case executed.
    while let Some(frame) = conn.try_next().await {
        if let wardroom_wire::link::NodeFrame::Heartbeat { report, .. } = frame
            && report.runs_active == 0
        {
            break;
        }
    }
    assert!(machine.counted().is_empty());
}

proptest! {
    #[test]
    fn no_text_breaks_the_frames_parser(text in "\\{\"type\":\"(offer|cancel|recorded|welcome)\"[\\[\\]{}a-z\":,0-9.-]{0,80}\\}?") {
        let _ = serde_json::from_str::<OrchestratorFrame>(&text);
    }
}
