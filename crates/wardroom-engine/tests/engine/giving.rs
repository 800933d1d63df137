//! To whom runs are given.

use super::world::{PATIENCE, World, spec, web};
use tokio::time::timeout;
use wardroom_core::{
    change::Write,
    node::Catalogue,
    run::{End, RunState},
};
use wardroom_engine::{link::What, runs::Asked};

#[tokio::test]
async fn a_run_for_one_of_several_goes_only_where_policy_allowed_it() {
    let world = World::new().await;
    let (allowed, other) = (world.add_node("a").await, world.add_node("b").await);
    // The other one matches the selector as well, is here and has room.
    let mut denied = world.link(other.id, &[]).await;
    let run = world.submit("echo", Asked::OneOf(web(), vec![allowed.clone()])).await;
    assert_eq!(run.state, RunState::Queued);
    assert!(denied.is_quiet().await);
    let mut node = world.link(allowed.id, &[]).await;
    assert_eq!(node.offer().await.run, run.id);
}

#[tokio::test]
async fn a_run_for_one_of_several_runs_what_the_submitter_saw() {
    let world = World::new().await;
    let node = world.add_node("a").await;
    let run = world.submit("echo", Asked::OneOf(web(), vec![node.clone()])).await;
    let catalogue = Catalogue {
        digest: "n".into(),
        commands: vec![spec("echo", false, "new")],
        ..Catalogue::default()
    };
    world.write(Write::PublishCatalogue { id: node.id, catalogue }).await;
    world.link(node.id, &[]).await.offer().await;
    assert_eq!(world.run(run.id).await.command_digest, "a");
}

#[tokio::test]
async fn what_waits_for_others_keeps_nobody_from_their_own() {
    let world = World::new().await;
    let (here, away) = (world.add_node("a").await, world.add_node("b").await);
    // More than one look takes in, all older and for another node.
    for _ in 0..300 {
        world.submit("echo", Asked::OneOf(web(), vec![away.clone()])).await;
    }
    let run = world.submit("echo", Asked::OneOf(web(), vec![here.clone(), away.clone()])).await;
    assert_eq!(world.link(here.id, &[]).await.offer().await.run, run.id);
}

#[tokio::test]
async fn one_run_that_cannot_be_given_out_keeps_no_other_back() {
    let world = World::new().await;
    let node = world.add_node("a").await;
    let broken = world.submit("echo", Asked::Node(Box::new(node.clone()))).await;
    let mut damaged = broken.clone();
    damaged.id = wardroom_core::RunId::from_uuid(Default::default());
    damaged.parameters_sealed = vec![1, 2, 3];
    world.write(Write::AddRun(Box::new(damaged.clone()))).await;
    assert_eq!(world.link(node.id, &[]).await.offer().await.run, broken.id);
    assert_eq!(world.run(damaged.id).await.state, RunState::Queued);
}

#[tokio::test]
async fn a_node_that_does_not_read_holds_nobody_up() {
    let world = World::new().await;
    let (slow, quick) = (world.add_node("a").await, world.add_node("b").await);
    let unread = world.link(slow.id, &[]).await;
    let mut node = world.link(quick.id, &[]).await;
    for _ in 0..200 {
        let asked = Asked::Node(Box::new(slow.clone()));
        timeout(PATIENCE, world.submit("echo", asked)).await.expect("a run is taken in at once");
    }
    let run = world.submit("echo", Asked::Node(Box::new(quick.clone()))).await;
    assert_eq!(node.offer().await.run, run.id);
    let mut waiting = unread.frames;
    for _ in 0..200 {
        timeout(PATIENCE, waiting.recv()).await.expect("an offer in time").unwrap();
    }
}

#[tokio::test]
async fn more_than_a_node_takes_waits_for_its_slots() {
    let world = World::new().await;
    let node = world.add_node("a").await;
    let mut played = world.link(node.id, &[]).await;
    for _ in 0..260 {
        world.submit("echo", Asked::Node(Box::new(node.clone()))).await;
    }
    let mut held = Vec::new();
    for _ in 0..256 {
        held.push(played.offer().await);
    }
    assert!(played.is_quiet().await, "no slot is free");
    for one in &held[..4] {
        played.finish(*one, 0, End::Exited { code: 0 }).await;
    }
    let mut offers = 0;
    while offers < 4 {
        offers +=
            u32::from(matches!(played.next().await, wardroom_engine::link::ToNode::Offer { .. }));
    }
    assert!(played.is_quiet().await);
}

#[tokio::test]
async fn a_replay_happens_once_whoever_asks() {
    let world = World::new().await;
    let node = world.add_node("a").await;
    let mut played = world.link(node.id, &[]).await;
    let asked = Asked::Node(Box::new(node.clone()));
    let run = world.submit("echo", asked.clone()).await;
    let held = played.offer().await;
    let early = world.engine.replay(run.id, (asked.clone(), None), world.user, world.audit()).await;
    assert!(early.is_err(), "it is not over");
    let message = "no".to_owned();
    played.say(held, What::Refused { code: "bad_parameter".into(), message }).await;
    world.until(run.id, |run| run.dead_letter).await;
    let other = world.add_user("bob").await;
    let (first, second) = tokio::join!(
        world.engine.replay(run.id, (asked.clone(), None), world.user, world.audit()),
        world.engine.replay(run.id, (asked.clone(), None), other, world.audit()),
    );
    let (first, second) = (first.unwrap(), second.unwrap());
    assert_eq!((first.id, first.replay_of), (second.id, Some(run.id)));
    assert!(!world.run(run.id).await.dead_letter);
    let held = loop {
        if let wardroom_engine::link::ToNode::Offer { run, fence, .. } = played.next().await {
            break wardroom_engine::link::Held { run, fence };
        }
    };
    assert_eq!(held.run, first.id);
    played.finish(held, 0, End::Exited { code: 0 }).await;
    world.until(first.id, |run| run.state == RunState::Succeeded).await;
    let again =
        world.engine.replay(first.id, (asked.clone(), None), world.user, world.audit()).await;
    assert!(again.is_err(), "what succeeded is not repeated");
    let again = world.engine.replay(run.id, (asked, None), world.user, world.audit()).await;
    assert!(
        again.unwrap_err().to_string().contains(&first.id.to_string()),
        "its repetition is over"
    );
}

#[tokio::test]
async fn a_key_names_one_request() {
    let world = World::new().await;
    let node = world.add_node("a").await;
    let asked = Asked::Node(Box::new(node));
    let mut submission = world.submission("echo", asked.clone());
    submission.idempotency_key = Some("k".into());
    let first = world.try_submit(submission.clone()).await.unwrap();
    assert_eq!(world.try_submit(submission.clone()).await.unwrap().id, first.id);
    submission.priority = 9;
    assert!(world.try_submit(submission).await.is_err());
}

#[tokio::test]
async fn a_refused_submission_to_all_takes_no_place() {
    let world = World::new().await;
    let (good, mut other) = (world.add_node("a").await, world.add_node("b").await);
    // The same name, and another definition that wants a value.
    other.catalogue.commands[0].parameters = vec![wardroom_core::command::ParameterSpec {
        name: "must".into(),
        description: String::new(),
        required: true,
        secret: false,
        default: None,
        leading_dash: false,
        kind: wardroom_core::command::ParameterKind::Port { min: 1, max: 9 },
    }];
    let mut played = world.link(good.id, &[]).await;
    let asked = Asked::Node(Box::new(good.clone()));
    let first = world.submit("echo", asked.clone()).await;
    assert_eq!(played.offer().await.run, first.id);
    for _ in 0..300 {
        let all = Asked::AllOf(web(), vec![good.clone(), other.clone()]);
        assert!(world.try_submit(world.submission("echo", all)).await.is_err());
    }
    let run = world.submit("echo", asked).await;
    assert_eq!(played.offer().await.run, run.id);
}

#[tokio::test]
async fn broken_runs_at_the_head_do_not_starve_a_node_with_one_place() {
    let world = World::new().await;
    let node = world.add_node("a").await;
    let sound = world.submit("echo", Asked::Node(Box::new(node.clone()))).await;
    for number in 1..10_u128 {
        let mut damaged = sound.clone();
        damaged.id = wardroom_core::RunId::from_uuid(uuid::Uuid::from_u128(number));
        damaged.parameters_sealed = vec![1, 2, 3];
        world.write(Write::AddRun(Box::new(damaged))).await;
    }
    let origin = wardroom_core::Origin::INTERNAL;
    let (_link, mut frames) =
        world.engine.open_link(node.id, origin, vec![], 1).await.expect("an open link");
    let frame = timeout(PATIENCE, frames.recv()).await.expect("a frame in time").unwrap();
    assert!(matches!(*frame, wardroom_engine::link::ToNode::Offer { run, .. } if run == sound.id));
}
