//! Where a run stops, and what it does not do by itself.

use super::{
    TOOLS, set,
    world::{model_provider::Next, wait_for},
};
use serde_json::json;
use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

#[tokio::test]
async fn a_run_stops_within_a_second_whatever_it_does() {
    let set = set().await;
    set.define("guide", "script/parrot", TOOLS).await;
    set.define("far", "near/small", "").await;
    set.provider.next(&[Next::Hangs]);
    let run = set.start("far", "Hi").await;
    wait_for("the question", || async { (set.provider.questions() == 1).then_some(()) }).await;
    let stop = async |run: &str| {
        let begun = Instant::now();
        set.world.post(&format!("/api/v1/runs/{run}/cancel"), json!({})).await;
        let (ended, _) = set.over(run).await;
        assert_eq!(ended["state"], "cancelled", "{ended}");
        let took = begun.elapsed();
        assert!(took < Duration::from_millis(1500), "{took:?}");
    };
    stop(&run).await;
    let left = &set.provider.seen.left;
    wait_for("the provider to hear of it", || async {
        (left.load(Ordering::Acquire) == 1).then_some(())
    })
    .await;
    let run = set.start("guide", "slowly").await;
    let calls = &set.tools.scene.calls;
    wait_for("the call", || async { (calls.load(Ordering::Acquire) == 1).then_some(()) }).await;
    stop(&run).await;
    wait_for("the call's end", || async {
        let call = set.world.get("/api/v1/tool-calls?limit=1").await;
        (call["items"][0]["state"] == "cancelled").then_some(())
    })
    .await;
    // Its time is over, whatever it does.
    set.define("brief", "script/parrot", &format!("{TOOLS}\nlimits: {{seconds_max: 1}}")).await;
    let run = set.start("brief", "slowly").await;
    let (ended, _) = set.over(&run).await;
    assert_eq!(
        (&ended["state"], &ended["outcome"]["kind"]),
        (&json!("timed_out"), &json!("deadline_passed"))
    );
    set.world.sound().await;
}

#[tokio::test]
async fn a_run_stops_at_its_limits() {
    let set = set().await;
    let limited = async |name: &str, limits: &str, prompt: &str| {
        set.define(name, "script/parrot", &format!("{TOOLS}\nlimits: {{{limits}}}")).await;
        let run = set.start(name, prompt).await;
        let (ended, last) = set.over(&run).await;
        assert_eq!(
            (&ended["state"], &last["ended"]),
            (&json!("failed"), &json!("limit")),
            "{ended}"
        );
        last["failure"].as_str().unwrap().to_owned()
    };
    assert_eq!(limited("steps", "steps_max: 3", "circles").await, "steps");
    assert_eq!(limited("calls", "tool_calls_max: 2", "circles").await, "tool_calls");
    assert_eq!(limited("circles", "repeats_max: 2", "circles").await, "repeats");
    assert_eq!(limited("tokens", "tokens_max: 100", "circles").await, "tokens");
    assert_eq!(limited("cost", "cost_usd_max: 0.0001", "circles").await, "cost");
}

#[tokio::test]
async fn what_a_stranger_wrote_and_what_is_private_leave_together_only_with_consent() {
    let set = set().await;
    let tools = "tools: {servers: [{tool: files/echo, does: [reads_private]}, {tool: files/wipe}]}";
    set.define("guide", "script/parrot", tools).await;
    let run = set.start("guide", "leak").await;
    set.world.until(&run, "awaiting_approval").await;
    assert_eq!(set.tools.scene.calls.load(Ordering::Acquire), 1, "it was not sent");
    let waiting = set.steps(&run).await.last().cloned().unwrap();
    let approval = waiting["approval"].as_str().unwrap().to_owned();
    let seen = set.world.get(&format!("/api/v1/approvals/{approval}")).await;
    assert_eq!(seen["policies"], json!(["agents-leak-nothing"]), "{seen}");
    set.world.post(&format!("/api/v1/approvals/{approval}/deny"), json!({})).await;
    let (ended, _) = set.over(&run).await;
    assert_eq!(ended["state"], "succeeded");
    assert_eq!(set.tools.scene.calls.load(Ordering::Acquire), 1);
    // What a run waited for is nothing to decide any more when it is over.
    let run = set.start("guide", "leak").await;
    set.world.until(&run, "awaiting_approval").await;
    set.world.post(&format!("/api/v1/runs/{run}/cancel"), json!({})).await;
    wait_for("the approval to be taken back", || async {
        let open = set.world.get("/api/v1/approvals?state=waiting").await;
        (open["items"] == json!([])).then_some(())
    })
    .await;
    // The same without anything private goes by itself.
    set.define("open", "script/parrot", TOOLS).await;
    let run = set.start("open", "leak").await;
    assert_eq!(set.world.ended(&run).await["state"], "succeeded");
    assert_eq!(set.tools.scene.calls.load(Ordering::Acquire), 4);
}

#[tokio::test]
async fn agents_that_fail_or_go_in_circles_are_told_of() {
    let set = set().await;
    let alerts = async |rule: &str, subject: &str| {
        let all = set.world.get("/api/v1/security/alerts").await;
        let all = all["items"].as_array().unwrap().clone();
        all.into_iter().find(|alert| alert["rule"] == rule && alert["subject"] == subject)
    };
    set.define("dizzy", "script/parrot", &format!("{TOOLS}\nlimits: {{repeats_max: 2}}")).await;
    let run = set.start("dizzy", "circles").await;
    set.over(&run).await;
    let told = wait_for("the alert", || alerts("agent_loop", "dizzy")).await;
    assert!(told["detail"].as_str().unwrap().contains(&run), "{told}");
    // A few that fail are everyday life.
    set.define("weak", "near/small", "retry: {attempts_max: 1}").await;
    let fails = |count| vec![Next::Fails(400, json!({})); count];
    set.provider.next(&fails(5));
    for n in 1..=5 {
        let run = set.start("weak", "Hi").await;
        assert_eq!(set.over(&run).await.0["state"], "failed");
        if n == 4 {
            let run = set.start("dizzy", "circles").await;
            set.over(&run).await;
            let again = async || {
                let told = alerts("agent_loop", "dizzy").await?;
                (told["count"].as_u64() >= Some(2)).then_some(())
            };
            wait_for("the log to be read", again).await;
            assert_eq!(alerts("agent_failures", "weak").await, None);
        }
    }
    let told = wait_for("the alert", || alerts("agent_failures", "weak")).await;
    assert!(told["detail"].as_str().unwrap().starts_with("5 of the last 5: "), "{told}");
    // That a model would not say something is not a command that was refused.
    assert_eq!(alerts("refused_command", "weak").await, None);
}
