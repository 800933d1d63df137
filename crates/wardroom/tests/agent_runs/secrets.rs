//! Secrets that are kept here are for no model: none is told one, and none says one.

use super::{Set, set, world::model_provider::Thought};
use data_encoding::BASE64;
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::atomic::Ordering;

const SECRET: &str = "correct-horse-battery-9";
const TOOLS: &str =
    "tools: {servers: [{tool: files/*}], built_in: [{name: memory_write}]}\nmemory: {}";

async fn secret_set() -> Set {
    let set = set().await;
    let body = json!({"name": "db", "about": "", "value": SECRET});
    let (status, made) = set.send_as(&set.world.token, Method::POST, "/api/v1/secrets", body).await;
    assert_eq!(status, 201, "{made}");
    set.define("guide", "near/small", TOOLS).await;
    set
}

fn results(question: &Value) -> usize {
    let messages = question["messages"].as_array().unwrap().iter();
    messages.filter(|message| message["role"] == "tool").count()
}

#[tokio::test]
async fn no_model_is_told_a_secret() {
    let set = secret_set().await;
    let found =
        format!("password={SECRET}; basic={}", BASE64.encode(format!("u:{SECRET}").as_bytes()));
    set.tools.scene.gives.lock().unwrap().insert("echo".to_owned(), found);
    set.provider.thinks(|question| match results(question) {
        0 => Thought::Calls(vec![("files__echo", json!({}))]),
        _ => Thought::Says("Done".to_owned()),
    });
    let run = set.start("guide", &format!("Is it {SECRET}?")).await;
    let (ended, _) = set.over(&run).await;
    assert_eq!(ended["state"], "succeeded");
    let asked = set.provider.seen.asked.lock().unwrap().clone();
    assert_eq!(asked.len(), 2);
    for (_, question) in &asked {
        assert!(!question.to_string().contains(SECRET), "{question}");
        assert!(question.to_string().contains("Is it [secret]?"), "{question}");
    }
    let told = asked[1].1["messages"].as_array().unwrap().last().unwrap()["content"].to_string();
    assert!(told.contains("password=[secret]; basic="), "{told}");
    assert_eq!(told.matches("[secret]").count(), 2, "{told}");
    // Nor does it stand in the run's steps.
    let steps = set.steps(&run).await;
    let returned = steps.iter().find(|step| step["kind"] == "returned").unwrap();
    assert!(!returned.to_string().contains(SECRET), "{returned}");

    // Neither by the doors that speak as providers do.
    let body = json!({"model": "near/small", "messages": [{"role": "user", "content": format!("Is it {SECRET}?")}]});
    let (status, said) =
        set.send_as(&set.world.token, Method::POST, "/v1/chat/completions", body).await;
    assert_eq!(status, 200, "{said}");
    let (_, question) = set.provider.seen.asked.lock().unwrap().last().cloned().unwrap();
    assert_eq!(question["messages"][0]["content"][0]["text"], "Is it [secret]?", "{question}");
}

#[tokio::test]
async fn an_answer_with_a_secret_in_it_is_none() {
    let set = secret_set().await;
    let refused = async |run: &str| {
        let (ended, last) = set.over(run).await;
        assert_eq!(ended["state"], "failed", "{last}");
        assert_eq!(
            (&last["ended"], &last["failure"]),
            (&json!("failed"), &json!("refused")),
            "{last}"
        );
        assert!(last["text"].as_str().unwrap().contains("would have carried a secret"), "{last}");
        let steps = set.steps(run).await;
        assert!(!json!(steps).to_string().contains(SECRET), "{steps:?}");
    };
    // Put together by the model, out of what nobody told it whole.
    set.provider.thinks(|_| Thought::Says(format!("It is {SECRET}!")));
    refused(&set.start("guide", "Tell").await).await;
    for tool in ["files__echo", "memory_write"] {
        let arguments =
            json!({"text": BASE64.encode(format!("it is {SECRET}!").as_bytes()), "key": "k"});
        set.provider.thinks(move |_| Thought::Calls(vec![(tool, arguments.clone())]));
        refused(&set.start("guide", "Send").await).await;
    }
    assert_eq!(set.tools.scene.calls.load(Ordering::Acquire), 0, "nothing went out");
    set.provider.thinks(|_| Thought::Says(format!("It is {SECRET}!")));
    let body = json!({"model": "near/small", "messages": [{"role": "user", "content": "Tell"}]});
    let (status, said) =
        set.send_as(&set.world.token, Method::POST, "/v1/chat/completions", body).await;
    assert!(status >= 400 && !said.to_string().contains(SECRET), "{status} {said}");
}
