//! Runs as they go on: what is told to whoever follows one, over lost connections.

use super::{
    Set, set,
    world::{model_provider::Next, wait_for},
};
use serde_json::{Value, json};
use std::time::Duration;

/// An event: its name, its id, what it says.
type Told = (String, Option<u32>, Value);

/// Somebody who follows a run.
struct Ear {
    response: reqwest::Response,
    text: String,
}

impl Ear {
    async fn open(set: &Set, run: &str, last: Option<u32>) -> Self {
        let path = format!("/api/v1/runs/{run}/stream");
        let mut get = set.world.client.get(set.world.at(&path)).bearer_auth(&set.world.token);
        if let Some(last) = last {
            get = get.header("Last-Event-ID", last.to_string());
        }
        let response = get.send().await.unwrap();
        assert_eq!(response.status(), 200);
        Self { response, text: String::new() }
    }

    /// The next event; nothing at the end.
    async fn next(&mut self) -> Option<Told> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let lines: Vec<(String, String)> = event
                    .lines()
                    .filter_map(|line| line.split_once(": "))
                    .map(|(field, value)| (field.to_owned(), value.to_owned()))
                    .collect();
                self.text = rest.to_owned();
                let field = |name: &str| {
                    lines.iter().find(|(field, _)| field == name).map(|(_, value)| value.clone())
                };
                if let (Some(name), Some(data)) = (field("event"), field("data")) {
                    let id = field("id").map(|id| id.parse().unwrap());
                    return Some((name, id, serde_json::from_str(&data).unwrap()));
                }
                continue;
            }
            let chunk = tokio::time::timeout(Duration::from_secs(20), self.response.chunk());
            let chunk = chunk.await.expect("nothing is told").unwrap()?;
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    /// Listens until `text` is heard of what is being said; the steps that came before.
    async fn hears(&mut self, said: &mut String, text: &str) -> Vec<u32> {
        let mut steps = vec![];
        while *said != text {
            let (name, id, told) = self.next().await.unwrap();
            match name.as_str() {
                "step" => steps.push(id.unwrap()),
                "saying" => {
                    if told["whole"].as_bool().unwrap() {
                        said.clear();
                    }
                    said.push_str(told["text"].as_str().unwrap());
                }
                _ => panic!("{name}: {told}"),
            }
        }
        steps
    }
}

#[tokio::test]
async fn whoever_follows_a_run_hears_all_of_it_once_however_often_they_come_back() {
    let set = set().await;
    set.define("guide", "near/small", "").await;
    set.provider.next(&[Next::Speaks(&["Good ", "morning, ", "captain ⚓", "!"])]);
    let run = set.start("guide", "Hello?").await;
    let words = &set.provider.seen.words;
    words.add_permits(2);
    let (mut ear, mut said) = (Ear::open(&set, &run, None).await, String::new());
    let first = ear.hears(&mut said, "Good morning, ").await;
    assert_eq!(first, [0, 1], "what happened before is told first");
    words.add_permits(1);
    ear.hears(&mut said, "Good morning, captain ⚓").await;

    // The connection is lost. What is being said is told anew, and nothing else.
    drop(ear);
    let (mut ear, mut again) = (Ear::open(&set, &run, Some(1)).await, String::new());
    let more = ear.hears(&mut again, "Good morning, captain ⚓").await;
    assert!(more.is_empty(), "{more:?}");
    words.add_permits(2);
    let (mut steps, mut ended) = (vec![], false);
    while let Some((name, id, told)) = ear.next().await {
        match name.as_str() {
            "step" => steps.push((id.unwrap(), told["kind"].as_str().unwrap().to_owned())),
            "saying" => again.push_str(told["text"].as_str().unwrap()),
            "end" => ended = true,
            _ => panic!("{name}: {told}"),
        }
    }
    assert_eq!(steps, [(2, "answered".to_owned()), (3, "ended".to_owned())]);
    assert!(ended && "Good morning, captain ⚓!".starts_with(&again), "{again}");

    // Whoever knows all of it is told that it is over; whoever comes late hears it from the beginning.
    let mut ear = Ear::open(&set, &run, Some(3)).await;
    assert_eq!(ear.next().await.unwrap().0, "end");
    assert_eq!(ear.next().await, None);
    let mut ear = Ear::open(&set, &run, None).await;
    let mut all = vec![];
    while let Some((name, id, _)) = ear.next().await {
        assert!(name == "step" || name == "end");
        all.extend(id);
    }
    assert_eq!(all, [0, 1, 2, 3]);
    let path = format!("/api/v1/runs/{run}/stream");
    let get = set.world.client.get(set.world.at(&path)).bearer_auth(&set.world.token);
    let wrong = get.header("Last-Event-ID", "x").send().await.unwrap();
    assert_eq!(wrong.status(), 422);
}

#[tokio::test]
async fn what_was_half_said_before_a_kill_is_not_told_again() {
    let mut set = set().await;
    set.define("guide", "near/small", "").await;
    set.provider.next(&[Next::Speaks(&["Half", "never"]), Next::Speaks(&["Whole"])]);
    let run = set.start("guide", "Hello?").await;
    set.provider.seen.words.add_permits(1);
    let (mut ear, mut said) = (Ear::open(&set, &run, None).await, String::new());
    ear.hears(&mut said, "Half").await;
    drop(ear);
    set.world.kill_orchestrator();
    set.world.restart().await;
    let asked = || async { (set.provider.questions() == 2).then_some(()) };
    wait_for("the second question", asked).await;
    set.provider.seen.words.add_permits(3);
    let (ended, last) = set.over(&run).await;
    assert_eq!((&ended["state"], &last["text"]), (&"succeeded".into(), &"Whole".into()));
    let mut ear = Ear::open(&set, &run, None).await;
    while let Some((_, _, told)) = ear.next().await {
        assert!(!told.to_string().contains("Half"), "{told}");
    }
}

#[tokio::test]
async fn the_end_is_told_once() {
    let set = set().await;
    set.define("guide", "near/small", "retry: {attempts_max: 1}").await;
    set.provider.next(&[Next::Fails(400, json!({"error": {"message": "no such thing"}}))]);
    let run = set.start("guide", "Hello?").await;
    let (_, last) = set.over(&run).await;
    assert_eq!(last["ended"], "failed", "{last}");
    let path = format!("/api/v1/runs/{run}/steps?after={}", last["seq"]);
    let page = set.world.get(&path).await;
    assert_eq!((&page["items"], &page["complete"]), (&json!([]), &json!(true)), "{page}");
}

#[tokio::test]
async fn who_stops_listening_takes_no_place() {
    let set = set().await;
    set.define("guide", "near/small", "").await;
    set.provider.next(&[Next::Speaks(&["Unheard"])]);
    let run = set.start("guide", "Hello?").await;
    // More than there are places for.
    for _ in 0..600 {
        drop(Ear::open(&set, &run, None).await);
    }
}
