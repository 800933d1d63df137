//! What the clock brings on, and what is made good without hints.

use super::world::{World, web};
use std::time::Duration;
use wardroom_core::{
    change::Write,
    hint::{Hint, HintSink as _},
    run::{self, End, RetryPolicy, RunState},
};
use wardroom_engine::{link::Goodbye, runs::Asked};

#[tokio::test]
async fn a_run_of_which_no_hint_came_is_given_out_by_the_next_sweep() {
    let world = World::new().await;
    let node = world.add_node("a").await;
    let mut played = world.link(node.id, &[]).await;
    let asked = Asked::Node(Box::new(node.clone()));
    let first = world.submit("echo", asked).await;
    assert_eq!(played.offer().await.run, first.id);
    // Older than a page of others that wait for somebody else.
    let away = world.add_node("b").await;
    let mut forgotten = world.submit("echo", Asked::Node(Box::new(away.clone()))).await;
    forgotten.id = wardroom_core::RunId::from_uuid(Default::default());
    forgotten.target = run::Target::Node { node: node.id };
    world.write(Write::AddRun(Box::new(forgotten.clone()))).await;
    for _ in 0..150 {
        world.submit("echo", Asked::Node(Box::new(away.clone()))).await;
    }
    world.clock.advance(Duration::from_secs(6));
    assert_eq!(played.offer().await.run, forgotten.id);
}

#[tokio::test]
async fn a_node_that_was_turned_away_unheard_goes_when_hints_come_again() {
    let world = World::new().await;
    let mut node = world.add_node("a").await;
    let played = world.link(node.id, &[]).await;
    node.version += 1;
    node.disabled = true;
    world.write(Write::UpdateNode(node)).await;
    world.engine.hub().publish(Hint::Resync);
    let goodbye = tokio::time::timeout(super::world::PATIENCE, played.link.goodbye()).await;
    assert_eq!(goodbye.unwrap(), Goodbye::Disabled);
}

#[tokio::test]
async fn leases_have_a_grace_and_what_is_due_besides_does_not_wait_for_it() {
    let world = World::new().await;
    let node = world.add_node("a").await;
    let mut played = world.link(node.id, &[]).await;
    let held = world.submit("once", Asked::Node(Box::new(node.clone()))).await;
    let mut submission = world.submission("echo", Asked::Node(Box::new(node.clone())));
    submission.retry = RetryPolicy { attempts_max: 2, backoff_ms: 1000 };
    let retried = world.try_submit(submission).await.unwrap();
    played.offer().await;
    let failed = played.offer().await;
    played.finish(failed, 0, End::Exited { code: 1 }).await;
    world.until(retried.id, |run| run.state == RunState::Retrying).await;
    drop(played);
    // The orchestrator was away for an hour.
    world.clock.advance(Duration::from_secs(3600));
    let engine = world.another();
    let stop = tokio_util::sync::CancellationToken::new();
    let working = tokio::spawn(engine.work(stop.clone()));
    world.until(retried.id, |run| run.state == RunState::Queued).await;
    assert_eq!(world.run(held.id).await.state, RunState::Leased, "its node may come back");
    world.clock.advance(run::LEASE);
    let run = world.until(held.id, |run| run.state.is_terminal()).await;
    assert_eq!(run.state, RunState::Interrupted);
    stop.cancel();
    working.await.unwrap();
}

#[tokio::test]
async fn a_parents_deadline_ends_its_children_and_they_end_it() {
    let world = World::new().await;
    let nodes = vec![world.add_node("a").await, world.add_node("b").await];
    let mut submission = world.submission("once", Asked::AllOf(web(), nodes));
    submission.deadline = Some(Duration::from_secs(10));
    let parent = world.try_submit(submission).await.unwrap();
    world.clock.advance(Duration::from_secs(11));
    let parent = world.until(parent.id, |run| run.state.is_terminal()).await;
    assert_eq!(parent.outcome.unwrap().end, End::Children { succeeded: 0, failed: 2 });
    assert!(parent.deadline.is_some(), "it stays to be seen");
}
