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

#[tokio::test]
async fn a_node_that_wants_too_much_recorded_loses_its_link_and_saying_the_same_costs_nothing() {
    let world = World::new().await;
    let node = world.add_node("a").await;
    let played = world.link(node.id, &[]).await;
    let count = async || {
        let filter = wardroom_core::store::AuditFilter {
            action: Some("node.catalogue_published".into()),
            ..Default::default()
        };
        let page = wardroom_core::page::PageRequest::new(None, 200);
        world.store.list_audit(&filter, page).await.unwrap().items.len()
    };
    for _ in 0..300 {
        played.link.publish(node.catalogue.clone()).await.unwrap();
    }
    assert_eq!(count().await, 0, "it was known");
    for number in 0..300 {
        let catalogue =
            wardroom_core::node::Catalogue { digest: number.to_string(), ..node.catalogue.clone() };
        played.link.publish(catalogue).await.unwrap();
    }
    assert_eq!(count().await, 120);
    let goodbye = tokio::time::timeout(super::world::PATIENCE, played.link.goodbye()).await;
    assert!(matches!(goodbye, Ok(wardroom_engine::link::Goodbye::Protocol(_))));
}

#[tokio::test]
async fn defaults_of_one_node_do_not_come_to_another_and_secrets_stay_secret() {
    use wardroom_core::command::{ParameterKind, ParameterSpec, ParameterValue, Parameters};
    let world = World::new().await;
    let (mut liar, mut honest) = (world.add_node("a").await, world.add_node("b").await);
    let parameter = |default: &str, secret| ParameterSpec {
        name: "target".into(),
        description: String::new(),
        required: false,
        secret,
        default: Some(ParameterValue::Text(default.into())),
        leading_dash: false,
        kind: ParameterKind::Enum { values: vec!["production".into(), "test".into()] },
    };
    liar.catalogue.commands[0].parameters = vec![parameter("production", false)];
    honest.catalogue.commands[0].parameters = vec![parameter("test", true)];
    let asked = Asked::AllOf(super::world::web(), vec![liar, honest.clone()]);
    world.submit("echo", asked).await;
    match world.link(honest.id, &[]).await.next().await {
        ToNode::Offer { parameters, .. } => assert_eq!(parameters, Parameters::new()),
        other => panic!("an offer should come, not {other:?}"),
    }
    // A secret stays one in a replay, although the command does not call it one any more.
    let mut node = world.add_node("c").await;
    node.catalogue.commands[0].parameters = vec![parameter("test", true)];
    let mut submission = world.submission("echo", Asked::Node(Box::new(node.clone())));
    submission.parameters.insert("target".into(), ParameterValue::Text("test".into()));
    let run = world.try_submit(submission).await.unwrap();
    world.engine.cancel(run.id, world.audit()).await.unwrap();
    node.catalogue.commands[0].parameters = vec![parameter("test", false)];
    let asked = Asked::Node(Box::new(node));
    let again =
        world.engine.replay(run.id, (asked, None), world.user, world.audit()).await.unwrap();
    let values = world.engine.open_parameters(&again).await.unwrap();
    assert!(values.shown.is_empty() && values.secret.contains_key("target"));
    // The same values do not have the same digest.
    assert_ne!(again.parameters_digest, world.run(run.id).await.parameters_digest);
}

#[tokio::test]
async fn an_end_that_is_told_at_once_waits_until_what_the_node_holds_is_agreed_on() {
    let world = World::new().await;
    let node = world.add_node("a").await;
    let mut played = world.link(node.id, &[]).await;
    let asked = Asked::Node(Box::new(node.clone()));
    let mut held = Vec::new();
    for _ in 0..256 {
        world.submit("once", asked.clone()).await;
        held.push(played.offer().await);
    }
    // It was away, and tells all its ends right behind its hello.
    let mut played = world.link(node.id, &held).await;
    for one in &held {
        played.finish(*one, 0, End::Exited { code: 0 }).await;
    }
    for one in &held {
        world.until(one.run, |run| run.state == RunState::Succeeded).await;
    }
    // None of its places is taken by a run that is over.
    for _ in 0..256 {
        world.submit("once", asked.clone()).await;
    }
    let mut offers = 0;
    while offers < 256 {
        offers += u32::from(matches!(played.next().await, ToNode::Offer { .. }));
    }
}

#[tokio::test]
async fn a_run_whose_lease_lapsed_beside_an_open_link_takes_no_place() {
    let world = World::new().await;
    let node = world.add_node("a").await;
    let mut played = world.link(node.id, &[]).await;
    let asked = Asked::Node(Box::new(node.clone()));
    for _ in 0..256 {
        world.submit("once", asked.clone()).await;
    }
    let mut last = None;
    for _ in 0..256 {
        last = Some(played.offer().await);
    }
    let waiting = world.submit("once", asked).await;
    // The node is there and does not know of any of them.
    world.clock.advance(run::LEASE * 2);
    world.until(last.unwrap().run, |run| run.state == RunState::Interrupted).await;
    assert!(played.is_quiet().await);
    played.beat(&[]).await;
    assert_eq!(played.offer().await.run, waiting.id);
}

#[tokio::test]
async fn an_end_that_was_recorded_unheard_is_acknowledged_and_no_offence() {
    let world = World::new().await;
    let node = world.add_node("a").await;
    let mut played = world.link(node.id, &[]).await;
    world.submit("once", Asked::Node(Box::new(node.clone()))).await;
    let held = played.offer().await;
    played.finish(held, 0, End::Exited { code: 0 }).await;
    world.until(held.run, |run| run.state == RunState::Succeeded).await;
    let mut played = world.link(node.id, &[held]).await;
    assert!(matches!(played.next().await, ToNode::Recorded { finished: true, .. }));
}

#[tokio::test]
async fn a_node_that_opens_link_after_link_is_sent_away_for_a_while() {
    let world = World::new().await;
    let node = world.add_node("a").await;
    let open = || world.engine.open_link(node.id, wardroom_core::Origin::INTERNAL, vec![], 1);
    for _ in 0..30 {
        assert!(open().await.is_ok());
    }
    assert!(matches!(open().await, Err(wardroom_engine::EngineError::TooOften)));
    world.clock.advance(std::time::Duration::from_secs(60));
    assert!(open().await.is_ok());
}
