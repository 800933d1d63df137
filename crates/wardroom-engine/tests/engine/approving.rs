//! What waits for a person's consent.

use super::world::{APPROVALS_OPEN_FOR, World, web};
use wardroom_core::{
    Door, RunId,
    approval::{Approval, ApprovalState, Wanted},
    node::Node,
    run::{End, Run, RunState},
};
use wardroom_engine::{EngineError, approvals::Decision, runs::Asked};
use wardroom_trust::checkpoint::{open_note, verify};

const VERSION: &str = "v1";

fn wanted() -> Option<Wanted> {
    Some(Wanted {
        policies: vec!["two-keys".into()],
        version: VERSION.into(),
        client: None,
        author: None,
        agent_run: None,
        door: Door::Api,
    })
}

async fn submit(world: &World, asked: Asked) -> Run {
    let mut submission = world.submission("echo", asked);
    submission.wanted = wanted();
    let run = world.try_submit(submission).await.unwrap();
    assert_eq!(run.state, RunState::AwaitingApproval);
    run
}

async fn approval(world: &World, run: RunId) -> Approval {
    world.store.lookup_approval_of(run).await.unwrap().unwrap()
}

async fn decide(world: &World, run: RunId, approved: bool) -> Result<Approval, EngineError> {
    let id = approval(world, run).await.id;
    let (by, reason) = (world.user, "as agreed");
    let decision = Decision { id, by, approved, reason, policy_version: VERSION };
    world.engine.decide_approval(&decision, world.audit()).await
}

fn on(node: &Node) -> Asked {
    Asked::Node(Box::new(node.clone()))
}

#[tokio::test]
async fn a_run_that_takes_consent_is_given_to_nobody_before() {
    let world = World::new().await;
    let node = world.add_node("a").await;
    let mut played = world.link(node.id, &[]).await;
    let run = submit(&world, on(&node)).await;
    assert!(played.is_quiet().await);
    let decided = decide(&world, run.id, true).await.unwrap();
    let held = played.offer().await;
    assert_eq!(held.run, run.id);
    played.finish(held, 0, End::Exited { code: 0 }).await;
    world.until(run.id, |run| run.state == RunState::Succeeded).await;
    let used = approval(&world, run.id).await;
    assert_eq!(used.state(world.engine.now()), ApprovalState::Used);
    assert_eq!(used.used.unwrap().by, run.id.uuid());
    assert_eq!(world.engine.approval_reason(&used).await.unwrap().as_deref(), Some("as agreed"));
    let key = world.engine.audit_key().parse().unwrap();
    let receipt = decided.verdict.unwrap().receipt;
    let text = open_note(&receipt, &key).unwrap();
    for line in [
        "decision approved".to_owned(),
        format!("run {}", run.id),
        format!("arguments {}", run.parameters_digest),
        format!("policy_version {VERSION}"),
        format!("by {}", world.user),
    ] {
        assert!(text.lines().any(|said| said == line), "{line}: {text}");
    }
    assert!(open_note(&receipt.replace("approved", "denied"), &key).is_err());
    assert!(verify(&receipt, &key).is_err(), "a receipt is no checkpoint");
    let again = decide(&world, run.id, false).await;
    assert!(matches!(again, Err(EngineError::ApprovalState(_))), "{again:?}");
}

#[tokio::test]
async fn a_run_that_is_denied_ends_and_says_so() {
    let world = World::new().await;
    let node = world.add_node("a").await;
    let mut played = world.link(node.id, &[]).await;
    let run = submit(&world, on(&node)).await;
    decide(&world, run.id, false).await.unwrap();
    let ended = world.run(run.id).await;
    assert_eq!(ended.state, RunState::Cancelled);
    assert_eq!(ended.outcome.unwrap().message.as_deref(), Some("a person denied it"));
    assert!(played.is_quiet().await);
}

#[tokio::test]
async fn all_parts_of_a_run_wait_for_the_one_consent() {
    let world = World::new().await;
    let nodes = [world.add_node("a").await, world.add_node("b").await];
    let mut one = world.link(nodes[0].id, &[]).await;
    let mut two = world.link(nodes[1].id, &[]).await;
    let all = || Asked::AllOf(web(), nodes.to_vec());
    let run = submit(&world, all()).await;
    assert!(one.is_quiet().await && two.is_quiet().await);
    decide(&world, run.id, true).await.unwrap();
    for played in [&mut one, &mut two] {
        let held = played.offer().await;
        played.finish(held, 0, End::Exited { code: 0 }).await;
    }
    world.until(run.id, |run| run.state == RunState::Succeeded).await;
    let denied = submit(&world, all()).await;
    decide(&world, denied.id, false).await.unwrap();
    world.until(denied.id, |run| run.state == RunState::Cancelled).await;
    let one_of = submit(&world, Asked::OneOf(web(), nodes.to_vec())).await;
    decide(&world, one_of.id, true).await.unwrap();
    world.until(one_of.id, |run| run.state == RunState::Leased).await;
}

#[tokio::test]
async fn consent_is_to_one_version_of_the_policy_and_for_a_while() {
    let world = World::new().await;
    let node = world.add_node("a").await;
    let run = submit(&world, on(&node)).await;
    let id = approval(&world, run.id).await.id;
    let other = Decision { id, by: world.user, approved: true, reason: "", policy_version: "v2" };
    let outcome = world.engine.decide_approval(&other, world.audit()).await;
    assert!(matches!(outcome, Err(EngineError::ApprovalState(_))), "{outcome:?}");
    assert_eq!(world.run(run.id).await.state, RunState::AwaitingApproval);
    let long = "x".repeat(501);
    let wordy = Decision { reason: &long, policy_version: VERSION, ..other };
    assert!(world.engine.decide_approval(&wordy, world.audit()).await.is_err());
    world.clock.advance(APPROVALS_OPEN_FOR);
    let late = decide(&world, run.id, true).await;
    assert!(matches!(late, Err(EngineError::ApprovalState(_))), "{late:?}");
    let ended = world.until(run.id, |run| run.state == RunState::Cancelled).await;
    assert_eq!(ended.outcome.unwrap().message.as_deref(), Some("nobody approved it in time"));
}

#[tokio::test]
async fn a_run_that_was_cancelled_is_not_begun_by_a_late_consent() {
    let world = World::new().await;
    let node = world.add_node("a").await;
    let mut played = world.link(node.id, &[]).await;
    let run = submit(&world, on(&node)).await;
    world.engine.cancel(run.id, world.audit()).await.unwrap();
    let outcome = decide(&world, run.id, true).await;
    assert!(matches!(outcome, Err(EngineError::RunState(_))), "{outcome:?}");
    assert!(approval(&world, run.id).await.verdict.is_none());
    assert!(played.is_quiet().await);
}
