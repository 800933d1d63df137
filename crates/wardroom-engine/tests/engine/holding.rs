//! What nodes hold, and agreeing on it.

use super::world::{World, sort};
use wardroom_core::{
    change::Write,
    run::{self, End, Event, OutputChunk, RunState},
};
use wardroom_engine::{
    link::{Held, OUTPUT_BYTES_MAX, ToNode, What},
    runs::Asked,
};

#[tokio::test]
async fn an_offer_that_was_lost_is_made_again_and_a_begun_run_is_not() {
    let world = World::new().await;
    let node = world.add_node("a").await;
    let mut played = world.link(node.id, &[]).await;
    let asked = Asked::Node(Box::new(node.clone()));
    let mut held = Vec::new();
    for _ in 0..3 {
        world.submit("once", asked.clone()).await;
        held.push(played.offer().await);
    }
    let [lost, kept, begun] = held[..] else { panic!() };
    played.say(begun, What::Started(world.engine.now())).await;
    world.until(begun.run, |run| run.state == RunState::Running).await;
    // It comes back with one of them: one never reached it, of one it has forgotten all.
    let stranger = Held { run: wardroom_core::RunId::from_uuid(Default::default()), fence: 1 };
    let mut played = world.link(node.id, &[kept, stranger]).await;
    let frames = vec![played.next().await, played.next().await, played.next().await];
    let sorted = sort(frames);
    assert_eq!(sorted["offer"], [lost.run]);
    assert_eq!(sorted["recorded"], [kept.run]);
    assert_eq!(sorted["discard"], [stranger.run]);
    let run = world.until(begun.run, |run| run.state.is_terminal()).await;
    assert_eq!(run.state, RunState::Interrupted);
}

#[tokio::test]
async fn leases_of_what_the_node_names_are_renewed_whatever_happens_to_the_others() {
    let world = World::new().await;
    let node = world.add_node("a").await;
    let mut played = world.link(node.id, &[]).await;
    let mut held = Vec::new();
    for _ in 0..3 {
        world.submit("once", Asked::Node(Box::new(node.clone()))).await;
        held.push(played.offer().await);
    }
    let [changed, named, silent] = held[..] else { panic!() };
    // Behind the link's back, as another orchestrator would do it.
    let before = world.run(changed.run).await;
    let asked = run::apply(&before, &Event::Cancel, world.engine.now()).unwrap().run;
    world.write(Write::UpdateRun(Box::new(asked))).await;
    world.clock.advance(run::LEASE * 3 / 4);
    for _ in 0..2 {
        played.beat(&[changed, named]).await;
    }
    let until = world.engine.now().plus(run::LEASE);
    let lease = async |held: Held| world.run(held.run).await.lease_until;
    assert_eq!((lease(changed).await, lease(named).await), (Some(until), Some(until)));
    assert_eq!(lease(silent).await, before.lease_until, "the node did not name it");
    // What was renewed can be ended, in the version that it has by now.
    played.finish(named, 0, End::Exited { code: 0 }).await;
    world.until(named.run, |run| run.state == RunState::Succeeded).await;
}

#[tokio::test]
async fn output_is_bounded_over_all_connections() {
    let world = World::new().await;
    let node = world.add_node("a").await;
    let mut played = world.link(node.id, &[]).await;
    world.submit("once", Asked::Node(Box::new(node.clone()))).await;
    let held = played.offer().await;
    let piece = |seq| {
        let bytes = vec![b'x'; usize::try_from(OUTPUT_BYTES_MAX / 2).unwrap()];
        What::Output(OutputChunk { fence: held.fence, seq, stderr: false, bytes })
    };
    played.say(held, piece(0)).await;
    assert!(matches!(played.next().await, ToNode::Recorded { chunks: 1, .. }));
    let mut played = world.link(node.id, &[held]).await;
    assert!(matches!(played.next().await, ToNode::Recorded { chunks: 1, finished: false, .. }));
    played.say(held, piece(1)).await;
    assert!(matches!(played.next().await, ToNode::Recorded { chunks: 2, finished: false, .. }));
    played.say(held, piece(2)).await;
    assert!(matches!(played.next().await, ToNode::Recorded { chunks: 2, finished: true, .. }));
    let run = world.run(held.run).await;
    assert_eq!(run.outcome.unwrap().end, End::Limit { limit: "output".into() });
    // What was on its way meanwhile is passed over.
    played.say(held, piece(3)).await;
    assert!(played.is_quiet().await);
}

#[tokio::test]
async fn a_run_of_another_node_is_refused_and_recorded_once() {
    let world = World::new().await;
    let (owner, other) = (world.add_node("a").await, world.add_node("b").await);
    let mut played = world.link(owner.id, &[]).await;
    let mut liar = world.link(other.id, &[]).await;
    world.submit("once", Asked::Node(Box::new(owner.clone()))).await;
    let held = played.offer().await;
    for _ in 0..3 {
        liar.finish(held, 0, End::Exited { code: 0 }).await;
        assert!(matches!(liar.next().await, ToNode::Discard { .. }));
    }
    assert_eq!(world.run(held.run).await.state, RunState::Leased);
    let filter = wardroom_core::store::AuditFilter {
        action: Some("run.stale_report".into()),
        ..Default::default()
    };
    let page = wardroom_core::page::PageRequest::new(None, 10);
    assert_eq!(world.store.list_audit(&filter, page).await.unwrap().items.len(), 1);
}

#[tokio::test]
async fn the_end_of_an_old_link_says_nothing_about_a_newer_one_elsewhere() {
    let world = World::new().await;
    let node = world.add_node("a").await;
    let old = world.link(node.id, &[]).await;
    let elsewhere = world.another();
    let new = world.link_to(&elsewhere, node.id, &[]).await;
    old.link.close("the connection is gone").await;
    let connected = async || world.store.lookup_node(node.id).await.unwrap().unwrap().connected;
    assert!(connected().await);
    new.link.close("the connection is gone").await;
    assert!(!connected().await);
}

#[tokio::test]
async fn runs_of_a_removed_node_end() {
    let world = World::new().await;
    let (gone, stays) = (world.add_node("a").await, world.add_node("b").await);
    let waiting = world.submit("once", Asked::Node(Box::new(gone.clone()))).await;
    let only = world.submit("once", Asked::OneOf(super::world::web(), vec![gone.clone()])).await;
    let both = Asked::OneOf(super::world::web(), vec![gone.clone(), stays.clone()]);
    let either = world.submit("once", both).await;
    let other = world.submit("once", Asked::Node(Box::new(stays.clone()))).await;
    world.engine.remove_node(gone.id, world.audit()).await.unwrap();
    for run in [waiting, only] {
        assert_eq!(world.run(run.id).await.state, RunState::Failed);
    }
    for run in [either, other] {
        assert_eq!(world.run(run.id).await.state, RunState::Queued);
    }
}
