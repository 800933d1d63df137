//! What lasts: through kills, for people who take their time.

use super::{Set, TOOLS, set, world::wait_for};
use serde_json::json;
use std::{sync::atomic::Ordering, time::Duration};

#[tokio::test]
async fn a_run_that_is_killed_again_and_again_ends_as_it_would_have() {
    let mut set = set().await;
    set.define("chain", "near/small", "tools: {servers: [{tool: files/echo}]}").await;
    let pause = Duration::from_millis(150);
    *set.provider.seen.chain.lock().unwrap() = Some((12, pause));
    let run = set.start("chain", "Go on").await;
    let mut kills = 0;
    for at in [2, 7, 12, 16, 21, 26, 32, 37] {
        let there = wait_for("more steps", || async {
            let steps = set.steps(&run).await;
            (steps.len() >= at || steps.last().is_some_and(|step| step["kind"] == "ended"))
                .then_some(steps)
        })
        .await;
        assert_ne!(there.last().unwrap()["kind"], "ended", "it was over before kill {kills}");
        set.world.kill_orchestrator();
        set.world.restart().await;
        kills += 1;
    }
    let (ended, last) = set.over(&run).await;
    assert_eq!((&ended["state"], &last["text"]), (&json!("succeeded"), &json!("Hello")), "{ended}");
    let steps = set.steps(&run).await;
    let returned: Vec<&str> = steps
        .iter()
        .filter(|step| step["kind"] == "returned")
        .map(|step| step["call"].as_str().unwrap())
        .collect();
    let all: Vec<String> = (0..12).map(|n| format!("call-{n}")).collect();
    assert_eq!(returned, all, "each came back once, in order");
    assert_eq!(steps.iter().filter(|step| step["kind"] == "answered").count(), 13);
    // What the ledger counts is what the provider counted: one that was asked again counts once.
    let calls = set.world.get("/api/v1/model-calls?limit=100").await;
    let calls = calls["items"].as_array().unwrap();
    let sum = |of: &str| calls.iter().map(|call| call[of].as_u64().unwrap()).sum::<u64>();
    let counted = set.provider.seen.counted.lock().unwrap().clone();
    let provider = counted.values().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    assert_eq!((sum("input_tokens"), sum("output_tokens")), provider, "{calls:?}");
    assert_eq!(counted.len(), 13, "{kills} kills");
    set.world.sound().await;
}

#[tokio::test]
async fn a_call_of_which_nobody_knows_what_came_of_it_is_a_persons_to_tell() {
    let mut set = set().await;
    set.define("guide", "script/parrot", TOOLS).await;
    let run = set.start("guide", "slowly").await;
    let calls = |set: &Set| set.tools.scene.calls.load(Ordering::Acquire);
    wait_for("the call", || async { (calls(&set) == 1).then_some(()) }).await;
    set.world.kill_orchestrator();
    set.world.restart().await;
    set.world.until(&run, "awaiting_input").await;
    let steps = set.steps(&run).await;
    let waits = steps.last().unwrap();
    assert_eq!(
        (&waits["kind"], &waits["waits_for"]),
        (&json!("waits"), &json!("doubt")),
        "{waits}"
    );
    assert_eq!(calls(&set), 1, "it is not made again by itself");
    let (status, said) = set.answer(&run, json!({"call": "nothing", "text": "x"})).await;
    assert_eq!((status, &said["code"]), (409, &json!("run_state")), "{said}");
    let (status, _) = set.answer(&run, json!({"call": waits["call"], "text": "It was done"})).await;
    assert_eq!(status, 200);
    let (ended, last) = set.over(&run).await;
    assert_eq!(ended["state"], "succeeded");
    assert_eq!(last["text"], "It gave back: It was done");
    // The other way: it is made again, because a person says so.
    let run = set.start("guide", "slowly").await;
    wait_for("the call", || async { (calls(&set) == 2).then_some(()) }).await;
    set.world.kill_orchestrator();
    set.world.restart().await;
    set.world.until(&run, "awaiting_input").await;
    let waits = set.steps(&run).await.last().cloned().unwrap();
    let (status, _) = set.answer(&run, json!({"call": waits["call"], "again": true})).await;
    assert_eq!(status, 200);
    wait_for("the call", || async { (calls(&set) == 3).then_some(()) }).await;
    set.world.post(&format!("/api/v1/runs/{run}/cancel"), json!({})).await;
    assert_eq!(set.world.ended(&run).await["state"], "cancelled");
}

#[tokio::test]
async fn what_takes_consent_waits_for_a_person_through_a_restart() {
    let mut set = set().await;
    let rule =
        "approval: {always: true, unless: {required: [text], properties: {text: {const: ahoy}}}}";
    set.define(
        "guide",
        "script/parrot",
        &format!("tools: {{servers: [{{tool: files/*, {rule}}}]}}"),
    )
    .await;
    let run = set.start("guide", "echo this").await;
    assert_eq!(set.world.ended(&run).await["state"], "succeeded", "what is harmless takes none");
    let waits = async |set: &Set, run: &str| {
        set.world.until(run, "awaiting_approval").await;
        set.steps(run).await.last().cloned().unwrap()
    };
    let run = set.start("guide", "wipe").await;
    let waiting = waits(&set, &run).await;
    assert_eq!(waiting["waits_for"], "consent", "{waiting}");
    let approval = waiting["approval"].as_str().unwrap().to_owned();
    let seen = set.world.get(&format!("/api/v1/approvals/{approval}")).await;
    assert_eq!(
        (&seen["target"], &seen["policies"]),
        (&json!("files/wipe"), &json!(["agent guide"])),
        "{seen}"
    );
    set.world.kill_orchestrator();
    set.world.restart().await;
    assert_eq!(set.world.get(&format!("/api/v1/runs/{run}")).await["state"], "awaiting_approval");
    set.world.post(&format!("/api/v1/approvals/{approval}/approve"), json!({})).await;
    let (ended, last) = set.over(&run).await;
    assert_eq!(
        (&ended["state"], &seen["agent_run"]),
        (&json!("succeeded"), &json!(run)),
        "{ended}"
    );
    assert!(last["text"].as_str().unwrap().contains("everything"), "{last}");
    assert_eq!(set.tools.scene.calls.load(Ordering::Acquire), 2);
    let run = set.start("guide", "wipe").await;
    let approval = waits(&set, &run).await["approval"].as_str().unwrap().to_owned();
    set.world
        .post(&format!("/api/v1/approvals/{approval}/deny"), json!({"reason": "not today"}))
        .await;
    let (_, last) = set.over(&run).await;
    assert!(last["text"].as_str().unwrap().contains("not today"), "{last}");
    assert_eq!(set.tools.scene.calls.load(Ordering::Acquire), 2);
    set.world.sound().await;
}

#[tokio::test]
async fn an_agent_asks_its_person_and_waits_for_the_answer() {
    let set = set().await;
    set.define("guide", "script/parrot", "tools: {built_in: [{name: ask_person}]}").await;
    let run = set.start("guide", "whom").await;
    set.world.until(&run, "awaiting_input").await;
    let waits = set.steps(&run).await.last().cloned().unwrap();
    assert_eq!((&waits["waits_for"], &waits["text"]), (&json!("answer"), &json!("Whom?")));
    let (status, _) = set.answer(&run, json!({"call": waits["call"], "again": true})).await;
    assert_eq!(status, 409, "there is nothing to make again");
    let (status, said) = set.answer(&run, json!({"call": waits["call"]})).await;
    assert_eq!((status, &said["fields"][0]["field"]), (422, &json!("text")), "{said}");
    let (status, _) = set.answer(&run, json!({"call": waits["call"], "text": "The mate"})).await;
    assert_eq!(status, 200);
    let (_, last) = set.over(&run).await;
    assert_eq!(last["text"], "It gave back: The mate");
    let (status, _) = set.answer(&run, json!({"call": waits["call"], "text": "Late"})).await;
    assert_eq!(status, 409);
}
