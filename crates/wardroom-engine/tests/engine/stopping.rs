//! Stopping runs.

use super::world::{World, web};
use std::time::Duration;
use wardroom_core::{
    change::Write,
    hint::{Hint, HintSink as _},
    run::{self, End, Event, RunState},
};
use wardroom_engine::{link::ToNode, runs::Asked};

#[tokio::test]
async fn a_run_that_was_to_be_stopped_before_its_offer_came_is_not_offered_again() {
    let world = World::new().await;
    let node = world.add_node("a").await;
    let lost = world.link(node.id, &[]).await;
    let run = world.submit("once", Asked::Node(Box::new(node.clone()))).await;
    world.until(run.id, |run| run.state == RunState::Leased).await;
    drop(lost);
    world.engine.cancel(run.id, world.audit()).await.unwrap();
    let mut played = world.link(node.id, &[]).await;
    let run = world.until(run.id, |run| run.state.is_terminal()).await;
    assert_eq!((run.state, run.dead_letter), (RunState::Cancelled, false));
    assert!(played.is_quiet().await, "it is never offered");
}

#[tokio::test]
async fn a_stop_comes_behind_its_offer_and_once() {
    let world = World::new().await;
    let node = world.add_node("a").await;
    let mut played = world.link(node.id, &[]).await;
    for _ in 0..50 {
        let submit = world.submit("once", Asked::Node(Box::new(node.clone())));
        let run = submit.await;
        world.until(run.id, |run| run.state == RunState::Leased).await;
        for _ in 0..2 {
            world.engine.cancel(run.id, world.audit()).await.unwrap();
        }
        let held = played.offer().await;
        assert!(matches!(played.next().await, ToNode::Cancel { run, .. } if run == held.run));
        played.finish(held, 0, End::Cancelled).await;
        assert!(matches!(played.next().await, ToNode::Recorded { finished: true, .. }));
    }
    assert!(played.is_quiet().await);
}

#[tokio::test]
async fn a_stop_that_was_asked_for_elsewhere_comes_with_its_hint_and_without_it() {
    let world = World::new().await;
    let node = world.add_node("a").await;
    let mut played = world.link(node.id, &[]).await;
    let mut stop = async |hinted: bool| {
        let run = world.submit("once", Asked::Node(Box::new(node.clone()))).await;
        played.offer().await;
        let stored = world.run(run.id).await;
        let asked = run::apply(&stored, &Event::Cancel, world.engine.now()).unwrap().run;
        world.write(Write::UpdateRun(Box::new(asked))).await;
        if hinted {
            world.engine.hub().publish(Hint::Cancel(node.id));
        } else {
            world.clock.advance(Duration::from_secs(6));
        }
        assert!(
            matches!(played.next().await, ToNode::Cancel { run: found, .. } if found == run.id)
        );
    };
    stop(true).await;
    stop(false).await;
}

#[tokio::test]
async fn the_children_of_a_stopped_parent_stop_even_when_the_first_try_was_cut_off() {
    let world = World::new().await;
    let nodes = vec![world.add_node("a").await, world.add_node("b").await];
    let mut played = world.link(nodes[0].id, &[]).await;
    let parent = world.submit("once", Asked::AllOf(web(), nodes)).await;
    let held = played.offer().await;
    // The request to stop is durable, and then the process that should pass it on is gone.
    let asked =
        run::apply(&world.run(parent.id).await, &Event::Cancel, world.engine.now()).unwrap();
    world.write(Write::UpdateRun(Box::new(asked.run))).await;
    world.clock.advance(Duration::from_secs(6));
    assert!(matches!(played.next().await, ToNode::Cancel { run, .. } if run == held.run));
    played.finish(held, 0, End::Cancelled).await;
    let parent = world.until(parent.id, |run| run.state.is_terminal()).await;
    assert_eq!(parent.state, RunState::Cancelled);
}

#[tokio::test]
async fn asking_again_stops_the_children_again() {
    let world = World::new().await;
    let node = world.add_node("a").await;
    let parent = world.submit("once", Asked::AllOf(web(), vec![node.clone()])).await;
    let asked =
        run::apply(&world.run(parent.id).await, &Event::Cancel, world.engine.now()).unwrap();
    world.write(Write::UpdateRun(Box::new(asked.run))).await;
    world.engine.cancel(parent.id, world.audit()).await.unwrap();
    assert_eq!(world.run(parent.id).await.state, RunState::Cancelled);
}
