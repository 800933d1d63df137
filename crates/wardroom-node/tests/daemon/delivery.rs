//! Delivery: kept until recorded, said again on a new link, never run twice, never more than a window.

use crate::{
    fake::{Fake, PATIENCE, run},
    machine::Machine,
};
use serde_json::json;
use tokio::time::{Duration, timeout};
use wardroom_wire::link::{EndShape, NodeFrame, OrchestratorFrame, Stream};

#[tokio::test]
async fn a_result_that_was_not_recorded_is_delivered_again_on_the_next_link() {
    let fake = Fake::start().await;
    let mut machine = Machine::running(&fake).await;
    let mut conn = fake.link().await;
    conn.offer(&run(1), 3, "count", json!({"tag": "a"})).await;
    let first = conn.follow(&run(1)).await;
    drop(conn);
    let mut conn = fake.link().await;
    assert_eq!(conn.holding.get(&run(1)), Some(&3));
    conn.record(&run(1), 3, 0, false).await;
    let second = conn.follow(&run(1)).await;
    assert_eq!(second.finished, first.finished);
    assert_eq!(second.bytes(Stream::Stdout), b"counted a\n");
    machine.kill();
    drop(conn);
    machine.start(&[]);
    let mut conn = fake.link().await;
    assert_eq!(conn.holding.get(&run(1)), Some(&3));
    conn.record(&run(1), 3, 0, false).await;
    let third = conn.follow(&run(1)).await;
    assert_eq!(third.finished, first.finished);
    assert_eq!(third.bytes(Stream::Stdout), b"counted a\n");
    assert_eq!(machine.counted().get("a"), Some(&1));
}

#[tokio::test]
async fn an_offer_said_twice_is_run_once() {
    let fake = Fake::start().await;
    let machine = Machine::running(&fake).await;
    let mut conn = fake.link().await;
    for _ in 0..3 {
        conn.offer(&run(1), 5, "count", json!({"tag": "a", "seconds": "0.5"})).await;
    }
    // An older lease speaks of the same run: it is passed over.
    conn.offer(&run(1), 4, "count", json!({"tag": "a"})).await;
    let followed = conn.follow(&run(1)).await;
    assert!(followed.accepted.iter().all(|fence| *fence == 5), "{:?}", followed.accepted);
    assert_eq!(followed.finished.as_ref().unwrap().0, 5);
    conn.record(&run(1), 5, 1, true).await;
    // After it is forgotten, too.
    conn.offer(&run(1), 5, "count", json!({"tag": "a"})).await;
    conn.offer(&run(2), 1, "ping", json!({})).await;
    conn.follow(&run(2)).await;
    assert_eq!(machine.counted().get("a"), Some(&1));
}

#[tokio::test]
async fn a_newer_lease_takes_over_what_runs_already() {
    let fake = Fake::start().await;
    let machine = Machine::running(&fake).await;
    let mut conn = fake.link().await;
    conn.offer(&run(1), 1, "count", json!({"tag": "a", "seconds": "1"})).await;
    conn.until(|frame| matches!(frame, NodeFrame::Started { .. }).then_some(())).await;
    conn.offer(&run(1), 2, "count", json!({"tag": "a", "seconds": "1"})).await;
    let followed = conn.follow(&run(1)).await;
    assert_eq!(followed.accepted.last(), Some(&2));
    assert_eq!(followed.finished.as_ref().unwrap().0, 2);
    assert_eq!(machine.counted().get("a"), Some(&1));
}

#[tokio::test]
async fn no_more_than_a_window_travels_unacknowledged() {
    let fake = Fake::start().await;
    let _machine = Machine::running(&fake).await;
    let mut conn = fake.link().await;
    conn.offer(&run(1), 1, "flood", json!({"bytes": 8_000_000})).await;
    let mut chunks = 0_u32;
    let mut bytes = 0;
    // Nothing is acknowledged: the stream stops by itself and the link stays alive.
    let mut beats = 0;
    while beats < 3 {
        match timeout(PATIENCE, conn.try_next()).await.unwrap().unwrap() {
            NodeFrame::Output { seq, data, .. } => {
                assert_eq!(seq, chunks);
                chunks += 1;
                beats = 0;
                bytes += data_encoding::BASE64.decode(data.as_bytes()).unwrap().len();
            }
            NodeFrame::Heartbeat { .. } if chunks > 0 => beats += 1,
            NodeFrame::Finished { .. } => panic!("the end overtook the output"),
            _ => {}
        }
    }
    assert!((1..=64).contains(&chunks), "{chunks}");
    conn.record(&run(1), 1, chunks, false).await;
    loop {
        match conn.next().await {
            NodeFrame::Output { seq, data, .. } => {
                assert_eq!(seq, chunks);
                chunks += 1;
                bytes += data_encoding::BASE64.decode(data.as_bytes()).unwrap().len();
                conn.record(&run(1), 1, chunks, false).await;
            }
            NodeFrame::Finished { chunks: all, result, .. } => {
                assert_eq!(all, chunks);
                assert_eq!(result.end, EndShape::Exited { code: 0 }, "{result:?}");
                assert_eq!(bytes, 8_000_000);
                return;
            }
            _ => {}
        }
    }
}

#[tokio::test]
async fn the_access_token_is_renewed_in_time() {
    let fake = Fake::start().await;
    fake.book().token_seconds = 62;
    let _machine = Machine::running(&fake).await;
    let mut conn = fake.link().await;
    let token = conn
        .until(|frame| match frame {
            NodeFrame::Renew { token } => Some(token),
            _ => None,
        })
        .await;
    assert_eq!(token, "token-2");
    conn.say(&OrchestratorFrame::Renewed { token_expires_in: 900 }).await;
}

#[tokio::test]
async fn a_removed_node_stops_and_a_disabled_one_waits() {
    let fake = Fake::start().await;
    let mut machine = Machine::running(&fake).await;
    let mut conn = fake.link().await;
    conn.say(&OrchestratorFrame::Goodbye { code: "disabled".into(), message: "off".into() }).await;
    assert!(conn.try_next_quietly().await.is_none());
    assert!(machine.is_running());
    machine.kill();
    machine.start(&[]);
    let mut conn = fake.link().await;
    conn.say(&OrchestratorFrame::Goodbye { code: "removed".into(), message: "gone".into() }).await;
    let code = machine.ended().await;
    assert!(code.is_some_and(|code| code != 0), "{code:?}");
    assert!(machine.logged().contains("removed"), "{}", machine.logged());
}

#[tokio::test]
async fn a_silent_orchestrator_is_noticed() {
    let fake = Fake::start().await;
    let _machine = Machine::running(&fake).await;
    let conn = fake.link().await;
    // The connection stays open and nobody reads or answers it.
    let next = timeout(Duration::from_secs(25), fake.link()).await;
    assert!(next.is_ok(), "a dead peer is left within three heartbeats");
    drop(conn);
}
