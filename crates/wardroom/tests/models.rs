//! Language models as the running program asks them: the doors for programs of others, budgets, and what is on record.
#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::too_many_lines,
    missing_docs,
    reason = "tests"
)]

mod world;

use reqwest::Method;
use serde_json::{Value, json};
use std::{fs, sync::atomic::Ordering};
use wardroom_core::Role;
use world::{
    PASSWORD, World,
    model_provider::{ModelProvider, Next},
    wait_for,
};

const KEY: &str = "sk-harbour-4711-lantern";

/// An installation with a provider of each kind, and routes.
async fn world(provider: &ModelProvider) -> (World, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("models.toml");
    let url = &provider.url;
    fs::write(folder.path().join("key"), format!("{KEY}\n")).unwrap();
    fs::write(
        folder.path().join("script.yaml"),
        "answers:\n  - {said: tool, results: 0, calls: [{tool: tides, arguments: {place: here}}]}\n  - {text: \"You said {{said}}\"}\n",
    )
    .unwrap();
    let price = "[[provider.price]]\nmodel = \"*\"\ninput = 1.0\noutput = 10.0\n";
    let text = format!(
        "prices = \"test\"\n\
         [[provider]]\nname = \"script\"\nkind = \"scripted\"\nscript = \"script.yaml\"\nmodels = [\"parrot\"]\n{price}\
         [[provider]]\nname = \"near\"\nkind = \"compatible\"\nurl = \"{url}/v1\"\nkey_file = \"key\"\nmodels = [\"small\"]\n{price}\
         [[provider]]\nname = \"claude\"\nkind = \"anthropic\"\nurl = \"{url}\"\nkey_secret = \"claude\"\n{price}\
         [[provider]]\nname = \"amazon\"\nkind = \"bedrock\"\nregion = \"eu-1\"\nurl = \"{url}\"\nkey_file = \"key\"\n{price}\
         [[provider]]\nname = \"gone\"\nkind = \"compatible\"\nurl = \"http://127.0.0.1:9/v1\"\n{price}\
         [[route]]\nname = \"fast\"\nmodels = [\"gone/small\", \"near/small\"]\n"
    );
    fs::write(&path, text).unwrap();
    let settings =
        [format!("models_file={}", path.display()), "outbound_allow=127.0.0.0/8".to_owned()];
    let world = World::with(&settings).await;
    (world, folder)
}

/// An API token of the administrator's that may do all that this needs.
async fn key(world: &World) -> String {
    let scopes = [
        "model.use",
        "model.list",
        "model_call.list",
        "model_call.read",
        "budget.list",
        "budget.create",
        "budget.update",
        "budget.remove",
    ];
    let body = json!({"name": "program", "scopes": scopes});
    let made = world.post("/api/v1/tokens", body).await;
    made["secret"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned()
}

async fn send(
    world: &World,
    key: &str,
    method: Method,
    path: &str,
    body: Value,
) -> (u16, Value, String) {
    let request = world.client.request(method, world.at(path)).bearer_auth(key).json(&body);
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    let text = answer.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or_default(), text)
}

fn chat(model: &str, text: &str) -> Value {
    json!({"model": model, "max_tokens": 100, "messages": [{"role": "user", "content": text}]})
}

async fn ask(world: &World, key: &str, body: Value) -> (u16, Value, String) {
    send(world, key, Method::POST, "/v1/chat/completions", body).await
}

/// The newest question on record, once it has ended.
async fn ended(world: &World) -> Value {
    wait_for("the question's end", || async {
        let found = world.get("/api/v1/model-calls?limit=1").await;
        let call = found["items"][0].clone();
        (call["state"] != "running" && call.is_object()).then_some(call)
    })
    .await
}

/// The pieces of a streamed answer.
fn pieces(text: &str) -> Vec<Value> {
    let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
    data.filter_map(|data| serde_json::from_str(data).ok()).collect()
}

#[tokio::test]
async fn programs_ask_in_the_words_that_they_know_and_what_it_took_is_on_record() {
    let provider = ModelProvider::start().await;
    let (world, _folder) = world(&provider).await;
    let key = key(&world).await;
    let (status, whole, _) = ask(&world, &key, chat("near/small", "Hi")).await;
    assert_eq!(
        (status, &whole["choices"][0]["message"]["content"]),
        (200, &json!("Hello")),
        "{whole}"
    );
    assert_eq!(
        (&whole["model"], &whole["object"]),
        (&json!("near/small"), &json!("chat.completion"))
    );
    assert_eq!(whole["usage"]["total_tokens"], 10);
    let call = ended(&world).await;
    assert_eq!((&call["model"], &call["state"]), (&json!("near/small"), &json!("answered")));
    assert_eq!((&call["input_tokens"], &call["output_tokens"]), (&json!(7), &json!(3)));
    assert_eq!(call["cost_usd"], 0.000_037);
    assert_eq!(
        (&call["door"], &call["prices"], &call["estimated"]),
        (&json!("models"), &json!("test"), &json!(false))
    );
    assert!(call["token"].is_string() && call["first_ms"].as_f64().unwrap() > 0.0, "{call}");
    let (shown, asked) = provider.seen.asked.lock().unwrap()[0].clone();
    assert_eq!((shown, &asked["model"]), (format!("Bearer {KEY}"), &json!("small")));
    let counted = provider.seen.counted.lock().unwrap().clone();
    assert_eq!(
        counted.get(call["id"].as_str().unwrap()),
        Some(&(7, 3)),
        "the question's id is its key"
    );

    // Piece by piece, with its use.
    let mut body = chat("small", "Hi");
    body["stream"] = json!(true);
    body["stream_options"] = json!({"include_usage": true});
    let (status, _, text) = ask(&world, &key, body).await;
    let found = pieces(&text);
    assert_eq!((status, text.trim_end().ends_with("data: [DONE]")), (200, true), "{text}");
    assert_eq!(found[0]["choices"][0]["delta"], json!({"role": "assistant", "content": "Hello"}));
    assert_eq!(found.last().unwrap()["usage"]["prompt_tokens"], 7);

    // Tools, by a script.
    let tool = json!([{"type": "function", "function": {"name": "tides", "parameters": {"type": "object"}}}]);
    let mut body = chat("script/parrot", "a tool");
    body["tools"] = tool;
    let (_, whole, _) = ask(&world, &key, body.clone()).await;
    let message = &whole["choices"][0]["message"];
    assert_eq!(
        message["tool_calls"][0]["function"],
        json!({"name": "tides", "arguments": "{\"place\":\"here\"}"})
    );
    assert_eq!(whole["choices"][0]["finish_reason"], "tool_calls");
    body["messages"].as_array_mut().unwrap().extend([
        message.clone(),
        json!({"role": "tool", "tool_call_id": message["tool_calls"][0]["id"], "content": "High"}),
    ]);
    let (_, whole, _) = ask(&world, &key, body).await;
    assert_eq!(whole["choices"][0]["message"]["content"], "You said a tool", "{whole}");

    // The other way of asking, with a key in its own header.
    world.post("/api/v1/secrets", json!({"name": "claude", "value": "other-key"})).await;
    let request = world.client.post(world.at("/v1/messages")).header("x-api-key", &key);
    let answer = request.json(&chat("claude/opus", "Hi")).send().await.unwrap();
    let whole: Value = answer.json().await.unwrap();
    assert_eq!(whole["content"], json!([{"type": "text", "text": "Hello"}]), "{whole}");
    assert_eq!(
        (&whole["stop_reason"], &whole["usage"]["input_tokens"]),
        (&json!("end_turn"), &json!(7))
    );
    assert_eq!(provider.seen.asked.lock().unwrap().last().unwrap().0, "other-key");
    let mut body = chat("amazon/us.maker.model-v1:0", "Hi");
    body["stream"] = json!(true);
    let (_, _, text) = send(&world, &key, Method::POST, "/v1/messages", body).await;
    let kinds: Vec<_> =
        pieces(&text).iter().map(|piece| piece["type"].as_str().unwrap().to_owned()).collect();
    assert_eq!(
        kinds,
        [
            "message_start",
            "content_block_start",
            "content_block_delta",
            "content_block_stop",
            "message_delta",
            "message_stop"
        ]
    );
    let (_, listed, _) = send(&world, &key, Method::GET, "/v1/models", Value::Null).await;
    let names: Vec<_> =
        listed["data"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect();
    assert_eq!(names, ["fast", "near/small", "script/parrot"]);
    let (_, one, _) = send(&world, &key, Method::GET, "/v1/models/near/small", Value::Null).await;
    assert_eq!((&one["id"], &one["owned_by"]), (&json!("near/small"), &json!("near")));

    ended(&world).await;
    let records = world.get("/api/v1/audit/records?action=model.use&limit=100").await;
    assert_eq!(records["items"].as_array().unwrap().len(), 6, "one for each question");
    let usage = world.get("/api/v1/model-usage?by=day").await;
    assert_eq!(usage["items"][0]["calls"], 6, "{usage}");
    // The key of a provider is nowhere.
    for text in [world.logged(), records.to_string(), world.text("/api/v1/models").await] {
        assert!(!text.contains(KEY) && !text.contains("other-key"), "{text}");
    }
    world.sound().await;
}

#[tokio::test]
async fn who_can_not_answer_is_asked_again_and_then_the_next_one_is() {
    let provider = ModelProvider::start().await;
    let (world, _folder) = world(&provider).await;
    let key = key(&world).await;
    let busy = Next::Fails(503, json!({"error": {"message": "later"}}));
    provider.next(&[busy.clone(), Next::Says("There")]);
    let (status, whole, _) = ask(&world, &key, chat("near/small", "Hi")).await;
    assert_eq!((status, &whole["choices"][0]["message"]["content"]), (200, &json!("There")));
    let calls = world.get("/api/v1/model-calls").await;
    assert_eq!(calls["items"][1]["state"], "unavailable", "each attempt is on record");
    assert_eq!(calls["items"][1]["cost_usd"], 0.0, "one that said no took nothing");

    // One that breaks off begins anew, where nothing of it was passed on.
    provider.next(&[Next::Breaks, Next::Says("There")]);
    let (status, whole, _) = ask(&world, &key, chat("near/small", "Hi")).await;
    assert_eq!((status, &whole["choices"][0]["message"]["content"]), (200, &json!("There")));

    // A route goes on to who is there.
    let (status, whole, _) = ask(&world, &key, chat("fast", "Hi")).await;
    assert_eq!((status, &whole["model"]), (200, &json!("near/small")), "{whole}");

    // What is the question's own fault is told at once.
    let before = provider.questions();
    for (failure, status, code) in [
        (
            Next::Fails(
                400,
                json!({"error": {"message": "too long", "code": "context_length_exceeded"}}),
            ),
            400,
            "context_length_exceeded",
        ),
        (Next::Fails(400, json!({"error": {"message": "no such thing"}})), 400, "model_refused"),
        (
            Next::Fails(404, json!({"error": {"message": "no model", "code": "model_not_found"}})),
            404,
            "model_not_found",
        ),
    ] {
        provider.next(&[failure]);
        let (told, said, _) = ask(&world, &key, chat("near/small", "Hi")).await;
        assert_eq!((told, &said["error"]["code"]), (status, &json!(code)), "{said}");
    }
    assert_eq!(provider.questions(), before + 3);
    // What is between the orchestrator and its provider is not for whoever asks.
    provider.next(&[Next::Fails(401, json!({"error": {"message": "key sk-h… is wrong"}}))]);
    let (status, said, text) = ask(&world, &key, chat("near/small", "Hi")).await;
    assert_eq!((status, &said["error"]["code"]), (503, &json!("model_unavailable")));
    assert!(!text.contains("sk-h"), "{text}");
    let (status, said, _) =
        send(&world, &key, Method::POST, "/v1/messages", chat("gone/small", "Hi")).await;
    assert_eq!((status, &said["error"]["type"]), (503, &json!("overloaded_error")), "{said}");

    // Nor is the key, whatever a provider says where.
    for status in [400, 403, 429, 500] {
        let said = format!("bad header Authorization: Bearer {KEY} or {KEY}");
        let echo = Next::Fails(status, json!({"error": {"message": said}}));
        provider.next(&[echo.clone(), echo.clone(), echo]);
        let (_, _, text) = ask(&world, &key, chat("near/small", "Hi")).await;
        assert!(!text.contains(KEY), "{status}: {text}");
    }
    assert!(!world.text("/api/v1/models").await.contains(KEY) && !world.logged().contains(KEY));
    // Whoever asks for what there is not keeps nobody else from asking.
    let none = Next::Fails(404, json!({"error": {"message": "none", "code": "model_not_found"}}));
    for _ in 0..6 {
        provider.next(std::slice::from_ref(&none));
        assert_eq!(ask(&world, &key, chat("near/none", "Hi")).await.0, 404);
    }
    assert_eq!(ask(&world, &key, chat("near/small", "Hi")).await.0, 200);

    // One that fails again and again is left alone.
    for _ in 0..2 {
        ask(&world, &key, chat("gone/small", "Hi")).await;
    }
    let models = world.get("/api/v1/models").await;
    let gone =
        models["providers"].as_array().unwrap().iter().find(|one| one["name"] == "gone").unwrap();
    assert_eq!(
        (&gone["breaker"], &gone["last_failure"]["kind"]),
        (&json!("open"), &json!("unavailable"))
    );
    let (status, _, text) = ask(&world, &key, chat("gone/small", "Hi")).await;
    assert!(status == 503 && text.contains("left alone"), "{text}");
}

#[tokio::test]
async fn answers_that_break_off_or_are_not_wanted_any_more_are_told_and_counted() {
    let provider = ModelProvider::start().await;
    let (mut world, _folder) = world(&provider).await;
    let key = key(&world).await;
    for (path, broken) in
        [("/v1/chat/completions", "\"code\":\"model_failed\""), ("/v1/messages", "event: error")]
    {
        for model in ["near/small", "amazon/us.maker.model-v1:0"] {
            provider.next(&[Next::Breaks]);
            let mut body = chat(model, "Hi");
            body["stream"] = json!(true);
            let (status, _, text) = send(&world, &key, Method::POST, path, body).await;
            assert_eq!(status, 200);
            assert!(text.contains("Hel") && text.contains(broken), "{path} {model}: {text}");
            assert!(!text.contains("[DONE]") && !text.contains("message_stop"), "{text}");
            let call = ended(&world).await;
            assert_eq!((&call["state"], &call["estimated"]), (&json!("broken"), &json!(true)));
            assert!(call["cost_usd"].as_f64().unwrap() > 0.0, "what could be seen of it counts");
        }
    }
    // Whoever asked goes away: the provider hears of it at once.
    provider.next(&[Next::Hangs]);
    let mut body = chat("near/small", "Hi");
    body["stream"] = json!(true);
    let request = world.client.post(world.at("/v1/chat/completions")).bearer_auth(&key).json(&body);
    let mut answer = request.send().await.unwrap();
    answer.chunk().await.unwrap().unwrap();
    assert_eq!(provider.seen.left.load(Ordering::Acquire), 0);
    drop(answer);
    let left = &provider.seen.left;
    wait_for("the provider to hear of it", || async {
        (left.load(Ordering::Acquire) == 1).then_some(())
    })
    .await;
    let call = ended(&world).await;
    assert_eq!((&call["state"], &call["estimated"]), (&json!("cancelled"), &json!(true)));

    // Kill -9 while it is answered: what nobody knows counts for all that was put aside.
    world
        .post(
            "/api/v1/budgets",
            json!({"scope": "everything", "period": "day", "tokens_max": 100_000}),
        )
        .await;
    provider.next(&[Next::Hangs]);
    let request = world.client.post(world.at("/v1/chat/completions")).bearer_auth(&key).json(&body);
    let mut answer = request.send().await.unwrap();
    answer.chunk().await.unwrap().unwrap();
    let held =
        world.get("/api/v1/budgets").await["items"][0]["used"][0]["tokens_held"].as_u64().unwrap();
    assert!(held > 100, "{held}");
    world.kill_orchestrator();
    world.restart().await;
    let call = ended(&world).await;
    assert_eq!((&call["state"], &call["estimated"]), (&json!("broken"), &json!(true)));
    let used = world.get("/api/v1/budgets").await["items"][0]["used"][0].clone();
    assert_eq!((&used["tokens"], &used["tokens_held"]), (&json!(held), &json!(0)), "{used}");
    world.sound().await;
}

#[tokio::test]
async fn budgets_hold_questions_back_before_they_are_asked() {
    let provider = ModelProvider::start().await;
    let (world, _folder) = world(&provider).await;
    let key = key(&world).await;
    let make = async |body: Value| {
        let (status, made, _) = send(&world, &key, Method::POST, "/api/v1/budgets", body).await;
        (status, made)
    };
    let (status, made) = make(json!({"scope": "token", "period": "day", "cost_usd_max": 0.0021, "about": "small", "alert_percent": 50})).await;
    assert_eq!(status, 201, "{made}");
    // A hundred tokens out and a few in: two questions at most are put aside at once, and what they really take is less.
    let (status, _, _) = ask(&world, &key, chat("near/small", "Hi")).await;
    assert_eq!(status, 200);
    ended(&world).await;
    let before = provider.questions();
    let mut long = chat("near/small", "Hi");
    long["max_tokens"] = json!(1000);
    let (status, said, _) = ask(&world, &key, long.clone()).await;
    assert_eq!((status, &said["error"]["type"]), (402, &json!("insufficient_quota")), "{said}");
    assert!(said["error"]["message"].as_str().unwrap().contains("small"), "{said}");
    let (status, said, _) = send(&world, &key, Method::POST, "/v1/messages", long).await;
    assert_eq!((status, &said["error"]["type"]), (402, &json!("billing_error")), "{said}");
    assert_eq!(provider.questions(), before, "nothing was asked");
    let records = world.records("model.use").await;
    assert_eq!(records[0]["outcome"], "refused", "{}", records[0]);
    let id = made["id"].as_str().unwrap();
    let (_, budgets, _) = send(&world, &key, Method::GET, "/api/v1/budgets", Value::Null).await;
    let used = &budgets["items"][0]["used"][0];
    assert_eq!((&used["cost_usd"], &used["tokens_held"]), (&json!(0.000_037), &json!(0)), "{used}");
    // It nears its end: somebody is told, once.
    let lower = json!({"cost_usd_max": 0.00005, "alert_percent": 50});
    let (status, changed, _) =
        send(&world, &key, Method::PUT, &format!("/api/v1/budgets/{id}"), lower).await;
    assert_eq!((status, &changed["used"][0]["percent"]), (200, &json!(74)), "{changed}");
    let alert = wait_for("an alert", || async {
        let alerts = world.get("/api/v1/security/alerts").await;
        let found =
            alerts["items"].as_array().unwrap().iter().find(|one| one["rule"] == "spending");
        found.cloned()
    })
    .await;
    assert_eq!(alert["count"], 1, "{alert}");
    for (wrong, field) in [
        (json!({"scope": "user", "period": "day"}), "cost_usd_max"),
        (json!({"scope": "nobody", "period": "day", "tokens_max": 1}), "scope"),
        (json!({"scope": "user", "period": "year", "tokens_max": 1}), "period"),
        (json!({"scope": "user", "period": "day", "cost_usd_max": -1.0}), "cost_usd_max"),
        (
            json!({"scope": "everything", "subject": "x", "period": "day", "tokens_max": 1}),
            "subject",
        ),
        (json!({"scope": "user", "subject": "ann", "period": "day", "tokens_max": 1}), "subject"),
        (json!({"scope": "provider", "subject": "x", "period": "day", "tokens_max": 1}), "subject"),
    ] {
        let (status, said) = make(wrong).await;
        assert_eq!((status, &said["fields"][0]["field"]), (422, &json!(field)), "{said}");
    }
    let (status, _, _) =
        send(&world, &key, Method::DELETE, &format!("/api/v1/budgets/{id}"), Value::Null).await;
    assert_eq!(status, 204);
    let (status, _, _) = ask(&world, &key, chat("near/small", "Hi")).await;
    assert_eq!(status, 200);
    // What no answer can take is no use that was told: it counts for what was put aside.
    provider.next(&[Next::Tells(u64::MAX)]);
    assert_eq!(ask(&world, &key, chat("near/small", "Hi")).await.0, 200);
    let call = ended(&world).await;
    assert_eq!(call["estimated"], json!(true));
    assert!(call["input_tokens"].as_u64().unwrap() < 1000, "{call}");
    for action in ["budget.create", "budget.update", "budget.remove"] {
        assert_eq!(world.records(action).await.len(), 1, "{action}");
    }
}

#[tokio::test]
async fn only_those_whom_policy_allows_it_ask_and_each_reads_their_own() {
    let provider = ModelProvider::start().await;
    let (world, _folder) = world(&provider).await;
    world.add_account("olga", Role::Operator, PASSWORD).await;
    let olga = world.sign_in_as("olga", PASSWORD).await;
    let ask_as = async |who: &str, model: &str| ask(&world, who, chat(model, "Hi")).await;
    let (status, said, _) = ask_as("wrt_nonsense", "near/small").await;
    assert_eq!((status, &said["error"]["code"]), (401, &json!("invalid_api_key")), "{said}");
    // What one may not use is answered as what there is not: whoever may list models sees those.
    let (denied, said, _) = ask_as(&olga, "near/small").await;
    let (none, other, _) = ask_as(&olga, "near/other").await;
    assert_eq!((denied, none), (403, 403), "{said} {other}");
    assert_eq!(said["error"]["code"], other["error"]["code"]);
    world.add_policy("@id(\"near\") permit (principal in Wardroom::Role::\"operator\", action == Wardroom::Action::\"model.use\", resource in Wardroom::ModelProvider::\"near\");").await;
    assert_eq!(ask_as(&olga, "near/small").await.0, 200);
    assert_eq!(ask_as(&olga, "script/parrot").await.0, 403);
    let (_, listed, _) = send(&world, &olga, Method::GET, "/v1/models", Value::Null).await;
    assert_eq!(listed["data"].as_array().unwrap().len(), 1, "{listed}");
    assert_eq!(ask_as(&world.token, "script/parrot").await.0, 200);
    ended(&world).await;
    let (_, own, _) = send(&world, &olga, Method::GET, "/api/v1/model-calls", Value::Null).await;
    assert_eq!(own["items"].as_array().unwrap().len(), 1, "{own}");
    let all = world.get("/api/v1/model-calls").await;
    let others = all["items"][0]["id"].as_str().unwrap();
    let (status, _, _) =
        send(&world, &olga, Method::GET, &format!("/api/v1/model-calls/{others}"), Value::Null)
            .await;
    assert_eq!(status, 404);
    let (_, usage, _) =
        send(&world, &olga, Method::GET, "/api/v1/model-usage?by=user", Value::Null).await;
    assert_eq!(usage["items"].as_array().unwrap().len(), 1, "{usage}");
    let (status, _, _) = send(&world, &olga, Method::GET, "/api/v1/budgets", Value::Null).await;
    assert_eq!(status, 403);
    // A token that was made for something else is good for nothing here.
    let made =
        world.post("/api/v1/tokens", json!({"name": "narrow", "scopes": ["run.read"]})).await;
    let (status, said, _) = ask_as(made["secret"].as_str().unwrap(), "near/small").await;
    assert_eq!((status, &said["error"]["type"]), (403, &json!("permission_error")), "{said}");
}
