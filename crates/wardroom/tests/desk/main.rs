//! Customers, services and requests over the real programs: what is ordered is done, and nobody sees another's.
#![allow(
    unreachable_pub,
    clippy::too_many_lines,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    missing_docs,
    reason = "tests"
)]

mod erasure;
mod scene;
#[path = "../world/mod.rs"]
mod world;

use reqwest::StatusCode;
use scene::{ask, customer, echo, member, order, service, until_request};
use serde_json::{Value, json};
use wardroom_core::{Clock as _, Role};
use wardroom_trust::ambient::SystemClock;
use world::{PASSWORD, World, wait_for};

/// Asks as somebody; the status and the answer.
#[tokio::test]
async fn what_a_customer_orders_is_done_under_the_authors_rights() {
    let mut world = World::new().await;
    let harbour = customer(&world, "harbour").await;
    let ada = member(&world, "ada", &harbour).await;
    let berth = service(&world, "berth", echo()).await;

    // The catalogue shows what it is, and not how it is done.
    let (_, catalogue) = ask(&world, &ada, "GET", "/api/v1/services", Value::Null).await;
    assert_eq!(catalogue["items"][0]["title"], "The berth");
    assert_eq!(catalogue["items"][0]["inside"], Value::Null);
    let (status, refused) = order(&world, &ada, &berth, json!({"values": {}})).await;
    assert_eq!(
        (status, &refused["fields"][0]["field"]),
        (StatusCode::UNPROCESSABLE_ENTITY, &json!("values.text"))
    );
    let submit = json!({"command": "echo", "node": "local", "parameters": {"text": "x"}});
    let (status, _) = ask(&world, &ada, "POST", "/api/v1/runs", submit).await;
    assert_eq!(status, StatusCode::NOT_FOUND, "by herself she runs nothing");

    let (status, made) = order(&world, &ada, &berth, json!({"values": {"text": "ahoy"}})).await;
    assert_eq!((status, &made["state"]), (StatusCode::CREATED, &json!("in_progress")), "{made}");
    let id = made["id"].as_str().unwrap().to_owned();
    let done = until_request(&world, &ada, &id, "completed").await;
    let run = done["runs"][0]["id"].as_str().unwrap();
    let (_, output) =
        ask(&world, &ada, "GET", &format!("/api/v1/runs/{run}/output"), Value::Null).await;
    assert_eq!(output["chunks"][0]["data"], "YWhveQo=", "the line ahoy: {output}");

    // A repeated order is the same one.
    let body = json!({"values": {"text": "twice"}});
    let path = format!("/api/v1/services/{berth}/order");
    let mut ids = Vec::new();
    for _ in 0..2 {
        let request = world.client.post(world.at(&path)).bearer_auth(&ada);
        let answer = request.header("idempotency-key", "k1").json(&body).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::CREATED);
        ids.push(answer.json::<Value>().await.unwrap()["id"].clone());
    }
    assert_eq!(ids[0], ids[1]);

    // What is scheduled begins by itself, also after the orchestrator was killed.
    let at = SystemClock.now().plus(std::time::Duration::from_secs(4));
    let body = json!({"values": {"text": "later"}, "scheduled_for": at.to_string()});
    let (status, later) = order(&world, &ada, &berth, body).await;
    assert_eq!((status, &later["state"]), (StatusCode::CREATED, &json!("scheduled")), "{later}");
    world.kill_orchestrator();
    world.restart().await;
    world.until_node("online").await;
    until_request(&world, &ada, later["id"].as_str().unwrap(), "completed").await;

    // Who may do more than they are allowed lends that to nobody: the author's account is closed.
    let boss = world.add_account("boss", Role::Manager, PASSWORD).await;
    let manager = world.sign_in_as("boss", PASSWORD).await;
    let path = format!("/api/v1/services/{berth}");
    let (status, _) = ask(&world, &manager, "PATCH", &path, json!({"title": "Boss’s berth"})).await;
    assert_eq!(status, StatusCode::OK);
    let (status, _) = order(&world, &ada, &berth, json!({"values": {"text": "x"}})).await;
    assert_eq!(status, StatusCode::CREATED);
    world.post(&format!("/api/v1/users/{boss}/disable"), Value::Null).await;
    let (status, refused) = order(&world, &ada, &berth, json!({"values": {"text": "x"}})).await;
    assert_eq!((status, &refused["code"]), (StatusCode::CONFLICT, &json!("not_ordered")));
    world.sound().await;
}

#[tokio::test]
async fn a_command_that_fails_waits_for_a_person_and_limits_hold() {
    let world = World::new().await;
    let harbour = customer(&world, "harbour").await;
    let ada = member(&world, "ada", &harbour).await;
    let fails = json!({
        "form": {},
        "fulfilment": {"kind": "command", "command": "sleep", "node": "local", "fixed": {"seconds": 9}, "deadline_seconds": 1},
        "limits": {"open_max": 1, "per_day_max": 2}
    });
    let broken = service(&world, "broken", fails).await;
    let (status, made) = order(&world, &ada, &broken, json!({})).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    let id = made["id"].as_str().unwrap();
    let path = format!("/api/v1/requests/{id}");
    let seen = wait_for("attention", || async {
        let (_, found) = ask(&world, &world.token, "GET", &path, Value::Null).await;
        (found["request"]["attention"] == true).then_some(found)
    })
    .await;
    assert_eq!(seen["request"]["state"], "in_progress");
    let (_, hers) = ask(&world, &ada, "GET", &path, Value::Null).await;
    assert_eq!(hers["request"]["attention"], false, "that is for those who work on it");
    let (status, full) = order(&world, &ada, &broken, json!({})).await;
    assert_eq!((status, &full["code"]), (StatusCode::CONFLICT, &json!("limit_reached")));
    let (status, _) = ask(&world, &ada, "POST", &format!("{path}/cancel"), Value::Null).await;
    assert_eq!(status, StatusCode::OK);
    let (status, _) = ask(&world, &ada, "POST", &format!("{path}/cancel"), Value::Null).await;
    assert_eq!(status, StatusCode::CONFLICT, "what is closed stays closed");
    let (status, _) = order(&world, &ada, &broken, json!({})).await;
    assert_eq!(status, StatusCode::CREATED);
}

#[tokio::test]
async fn a_service_is_published_only_with_a_form_that_its_command_takes() {
    let world = World::new().await;
    let text = json!({"type": "string", "maxLength": 10});
    let required = json!({"required": ["text"], "properties": {"text": text}});
    let more = json!({"required": ["text"], "properties": {"text": text, "colour": text}});
    for (name, form, fixed, wrong) in [
        ("none", json!({}), json!({}), "echo needs text"),
        ("maybe", json!({"properties": {"text": text}}), json!({}), "echo needs text"),
        ("more", more, json!({}), "echo has no parameter colour"),
        ("given", required, json!({}), ""),
        ("fixed", json!({}), json!({"text": "x"}), ""),
    ] {
        let fulfilment =
            json!({"kind": "command", "command": "echo", "node": "local", "fixed": fixed});
        let body = json!({"name": name, "title": name, "form": form, "fulfilment": fulfilment});
        let made = world.post("/api/v1/services", body).await;
        let path =
            format!("/api/v1/services/{}", made["id"].as_str().unwrap_or_else(|| panic!("{made}")));
        let publish = json!({"state": "published"});
        let (status, said) = ask(&world, &world.token, "PATCH", &path, publish).await;
        if wrong.is_empty() {
            assert_eq!(status, StatusCode::OK, "{name}: {said}");
        } else {
            assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{name}: {said}");
            let reason = said["fields"][0]["reason"].as_str().unwrap();
            assert!(reason.starts_with(wrong), "{name}: {reason}");
        }
    }
}

/// a customer of one company gets 404 for every object of another, and no list tells of it.
#[tokio::test]
async fn nothing_of_one_customer_is_there_for_another() {
    let world = World::new().await;
    let (harbour, quay) = (customer(&world, "harbour").await, customer(&world, "quay").await);
    let (ada, eve) = (member(&world, "ada", &harbour).await, member(&world, "eve", &quay).await);
    let own = json!({"audience": [harbour], "fulfilment": {"kind": "command", "command": "echo", "node": "local"}});
    let berth = service(&world, "berth", own).await;
    let (status, made) = order(&world, &ada, &berth, json!({"values": {"text": "mine"}})).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    let id = made["id"].as_str().unwrap();
    let done = until_request(&world, &ada, id, "completed").await;
    let run = done["runs"][0]["id"].as_str().unwrap();
    let upload = format!("/api/v1/requests/{id}/attachments?name=plan.txt");
    let request = world.client.post(world.at(&upload)).bearer_auth(&ada).body("secret plan");
    let file: Value = request.send().await.unwrap().json().await.unwrap();
    let file = file["id"].as_str().unwrap_or_else(|| panic!("{file}"));
    let one = format!("/api/v1/requests/{id}/attachments/{file}");
    let content = world.client.get(world.at(&one)).bearer_auth(&ada).send().await.unwrap();
    let kept = content.headers()["content-disposition"].to_str().unwrap().to_owned();
    assert!(kept.starts_with("attachment; filename*=UTF-8''plan.txt"), "{kept}");
    assert_eq!(content.text().await.unwrap(), "secret plan");

    let note = json!({"text": "x"});
    for (method, path, body) in [
        ("GET", format!("/api/v1/customers/{harbour}"), Value::Null),
        ("PATCH", format!("/api/v1/customers/{harbour}"), json!({"name": "x"})),
        ("PUT", format!("/api/v1/customers/{harbour}/operators"), json!({"operators": []})),
        ("DELETE", format!("/api/v1/customers/{harbour}"), Value::Null),
        ("GET", format!("/api/v1/services/{berth}"), Value::Null),
        ("GET", "/api/v1/services/berth".to_owned(), Value::Null),
        ("PATCH", format!("/api/v1/services/{berth}"), json!({"title": "x"})),
        ("POST", format!("/api/v1/services/{berth}/order"), json!({"values": {"text": "x"}})),
        ("GET", format!("/api/v1/requests/{id}"), Value::Null),
        ("PATCH", format!("/api/v1/requests/{id}"), json!({"priority": "low"})),
        ("POST", format!("/api/v1/requests/{id}/cancel"), Value::Null),
        ("POST", format!("/api/v1/requests/{id}/notes"), note),
        ("POST", upload.clone(), Value::Null),
        ("GET", one.clone(), Value::Null),
        ("DELETE", one.clone(), Value::Null),
        ("GET", format!("/api/v1/runs/{run}"), Value::Null),
        ("GET", format!("/api/v1/runs/{run}/output"), Value::Null),
        ("POST", format!("/api/v1/runs/{run}/cancel"), Value::Null),
        ("POST", format!("/api/v1/runs/{run}/replay"), Value::Null),
        ("GET", "/api/v1/nodes/local".to_owned(), Value::Null),
    ] {
        let (status, answer) = ask(&world, &eve, method, &path, body.clone()).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{method} {path}: {answer}");
        // And it answers as what does not exist: with the same words.
        let none = path.replace(id, "request_00000000000000000000000000000000");
        let (status, nothing) = ask(&world, &eve, method, &none, body).await;
        assert_eq!(
            (status, &nothing["detail"], &nothing["code"]),
            (StatusCode::NOT_FOUND, &answer["detail"], &answer["code"]),
            "{method} {none}"
        );
    }
    for page in [
        format!("/requests/{id}"),
        format!("/requests/{id}/attachments/{file}"),
        "/services/berth".to_owned(),
        format!("/customers/{harbour}"),
        format!("/runs/{run}"),
    ] {
        let answer = world.client.get(world.at(&page)).bearer_auth(&eve).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{page}");
    }
    for list in ["requests", "services", "runs"] {
        for query in ["", "?limit=1", &format!("?customer={harbour}")] {
            let path = format!("/api/v1/{list}{query}");
            let (status, found) = ask(&world, &eve, "GET", &path, Value::Null).await;
            if status == StatusCode::OK {
                assert_eq!(found["items"], json!([]), "{path}");
            }
        }
    }
    let (status, _) = ask(&world, &eve, "GET", "/api/v1/customers", Value::Null).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    // Nor can she order in another's name.
    let open = service(&world, "open", json!({})).await;
    let body = json!({"customer": harbour, "values": {"text": "x"}});
    let (status, _) = order(&world, &eve, &open, body).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let (status, _) = order(&world, &eve, &open, json!({"values": {"text": "x"}})).await;
    assert_eq!(status, StatusCode::CREATED);
}

#[tokio::test]
async fn operators_work_on_what_is_theirs_and_customers_read_what_is_for_them() {
    let world = World::new().await;
    let (harbour, quay) = (customer(&world, "harbour").await, customer(&world, "quay").await);
    let ada = member(&world, "ada", &harbour).await;
    world.add_account("olga", Role::Operator, PASSWORD).await;
    world.add_account("otto", Role::Operator, PASSWORD).await;
    let (olga, otto) =
        (world.sign_in_as("olga", PASSWORD).await, world.sign_in_as("otto", PASSWORD).await);
    let path = format!("/api/v1/customers/{harbour}/operators");
    let (status, _) = ask(&world, &world.token, "PUT", &path, json!({"operators": ["olga"]})).await;
    assert_eq!(status, StatusCode::OK);
    let (status, wrong) =
        ask(&world, &world.token, "PUT", &path, json!({"operators": ["olga", "ada"]})).await;
    assert_eq!(
        status,
        StatusCode::UNPROCESSABLE_ENTITY,
        "a customer's account works here? {wrong}"
    );

    let names = |found: &Value| -> Vec<String> {
        let items = found["items"].as_array().unwrap().iter();
        items.map(|one| one["name"].as_str().unwrap().to_owned()).collect()
    };
    let (_, hers) = ask(&world, &olga, "GET", "/api/v1/customers", Value::Null).await;
    assert_eq!(names(&hers), ["harbour"]);
    let (_, his) = ask(&world, &otto, "GET", "/api/v1/customers", Value::Null).await;
    assert_eq!(names(&his), Vec::<String>::new());
    let found = world.get("/api/v1/customers?text=HARB%20example").await;
    assert_eq!(names(&found), ["harbour"]);
    assert_eq!(names(&world.get("/api/v1/customers?text=%2B4930").await).len(), 2);
    let (status, _) =
        ask(&world, &otto, "GET", &format!("/api/v1/customers/{quay}"), Value::Null).await;
    assert_eq!(status, StatusCode::NOT_FOUND);

    let manual = service(&world, "manual", json!({})).await;
    let body = json!({"values": {"text": "please"}, "priority": "high"});
    let (_, made) = order(&world, &ada, &manual, body).await;
    let id = made["id"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/requests/{id}");
    let (status, _) = ask(&world, &otto, "GET", &path, Value::Null).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let (_, queue) = ask(&world, &olga, "GET", "/api/v1/requests?state=open", Value::Null).await;
    assert_eq!(queue["items"][0]["customer_name"], "harbour");
    let (_, none) = ask(&world, &otto, "GET", "/api/v1/requests?state=open", Value::Null).await;
    assert_eq!(none["items"], json!([]));

    let body =
        json!({"state": "in_progress", "assignee": "otto", "due_at": "2031-01-01T00:00:00Z"});
    let (status, taken) = ask(&world, &olga, "PATCH", &path, body).await;
    assert_eq!((status, &taken["state"]), (StatusCode::OK, &json!("in_progress")), "{taken}");
    let (status, _) = ask(&world, &otto, "GET", &path, Value::Null).await;
    assert_eq!(status, StatusCode::OK, "it is assigned to him now");
    for (text, internal) in [("we look into it", false), ("the old crane again", true)] {
        let body = json!({"text": text, "internal": internal});
        let (status, _) = ask(&world, &otto, "POST", &format!("{path}/notes"), body).await;
        assert_eq!(status, StatusCode::NO_CONTENT);
    }
    let body = json!({"text": "x", "internal": true});
    let (status, _) = ask(&world, &ada, "POST", &format!("{path}/notes"), body).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let (_, staff) = ask(&world, &olga, "GET", &path, Value::Null).await;
    assert_eq!(staff["notes"].as_array().unwrap().len(), 2);
    let (_, hers) = ask(&world, &ada, "GET", &path, Value::Null).await;
    let notes = hers["notes"].as_array().unwrap();
    assert_eq!(notes.len(), 1);
    assert_eq!(
        (&notes[0]["text"], &notes[0]["staff"], &notes[0]["author_name"]),
        (&json!("we look into it"), &json!(true), &Value::Null)
    );
    assert_eq!(hers["request"]["assignee"], Value::Null);
    let (status, _) = ask(&world, &ada, "PATCH", &path, json!({"priority": "urgent"})).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let (status, done) = ask(&world, &otto, "PATCH", &path, json!({"state": "completed"})).await;
    assert_eq!((status, &done["state"]), (StatusCode::OK, &json!("completed")), "{done}");

    // What is attached is what its content says, within its bounds.
    let attach = async |name: &str, content: Vec<u8>| {
        let coded: String = name.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let upload = format!("{path}/attachments?name={coded}");
        let request = world.client.post(world.at(&upload)).bearer_auth(&ada).body(content);
        // The connection may close before a body is sent that is too long.
        request.send().await.map_or(StatusCode::PAYLOAD_TOO_LARGE, |answer| answer.status())
    };
    assert_eq!(attach("a.txt", b"plain".to_vec()).await, StatusCode::CREATED);
    for name in ["../a", "a/b", ".env", "a\u{202e}b"] {
        assert_eq!(attach(name, b"x".to_vec()).await, StatusCode::UNPROCESSABLE_ENTITY, "{name}");
    }
    for content in [&b"\x7fELF\x02\x01\x01"[..], b"#!/bin/sh", b"<html>", b""] {
        let status = attach("a.txt", content.to_vec()).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{content:?}");
    }
    let long = vec![b'a'; 10 * 1024 * 1024 + 1];
    assert_eq!(attach("long.txt", long).await, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(attach("large.txt", vec![b'a'; 10 * 1024 * 1024]).await, StatusCode::CREATED);

    // Kept filters are one's own.
    let view = json!({"list": "requests", "name": "mine", "query": "assignee=me&state=open"});
    let (status, kept) = ask(&world, &olga, "PUT", "/api/v1/views", view).await;
    assert_eq!(status, StatusCode::OK, "{kept}");
    let (_, views) = ask(&world, &otto, "GET", "/api/v1/views", Value::Null).await;
    assert_eq!(views["items"], json!([]));
    let path = format!("/api/v1/views/{}", kept["id"].as_str().unwrap());
    assert_eq!(ask(&world, &otto, "DELETE", &path, Value::Null).await.0, StatusCode::NOT_FOUND);
    assert_eq!(ask(&world, &olga, "DELETE", &path, Value::Null).await.0, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn what_waits_for_its_time_is_done_only_by_what_is_published_then() {
    let world = World::new().await;
    let harbour = customer(&world, "harbour").await;
    let berth = service(&world, "berth", echo()).await;
    let at = SystemClock.now().plus(std::time::Duration::from_secs(3));
    let body =
        json!({"customer": harbour, "values": {"text": "later"}, "scheduled_for": at.to_string()});
    let (status, made) = order(&world, &world.token, &berth, body).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    // A token that may only write services makes of it what it may not run.
    let narrow = json!({"name": "narrow", "scopes": ["service.update"]});
    let narrow = world.post("/api/v1/tokens", narrow).await;
    let narrow = narrow["secret"].as_str().unwrap();
    let path = format!("/api/v1/services/{berth}");
    let other = json!({"kind": "command", "command": "whoami", "node": "local"});
    let change = json!({"state": "draft", "form": {"type": "object", "properties": {}}, "fulfilment": other});
    let (status, said) = ask(&world, narrow, "PATCH", &path, change).await;
    assert_eq!(status, StatusCode::OK, "{said}");
    let id = made["id"].as_str().unwrap();
    let back = wait_for("the request to be put back", || async {
        let found = world.get(&format!("/api/v1/requests/{id}")).await;
        (found["request"]["attention"] == true).then_some(found)
    })
    .await;
    assert_eq!((&back["request"]["state"], &back["runs"]), (&json!("pending"), &json!([])));
    let (status, _) = ask(&world, narrow, "PATCH", &path, json!({"state": "published"})).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "nor does it publish");
    world.sound().await;
}
