//! Accounts as the running program keeps them: asked in, proven by two factors, held by sessions that rotate.
#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    missing_docs,
    reason = "tests"
)]

mod world;

use reqwest::StatusCode;
use serde_json::{Value, json};
use wardroom_core::{Clock as _, Role};
use wardroom_trust::{ambient::SystemClock, totp::Totp};
use world::{PASSWORD, World};

/// A second good password.
const OTHER: &str = "Seven gulls over 9 piers!";

/// Sends a body without a proof of its own, or with this token.
async fn send(world: &World, path: &str, token: Option<&str>, body: Value) -> (StatusCode, Value) {
    let mut request = world.client.post(world.at(path)).json(&body);
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let answer = request.send().await.unwrap();
    (answer.status(), answer.json().await.unwrap_or(Value::Null))
}

async fn whoami(world: &World, token: &str) -> StatusCode {
    let request = world.client.get(world.at("/api/v1/whoami")).bearer_auth(token);
    request.send().await.unwrap().status()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("{name} is missing: {value}"))
}

#[tokio::test]
async fn a_refresh_token_is_good_once_and_a_copy_of_it_ends_the_session() {
    let world = World::new().await;
    world.add_account("ann", Role::Operator, PASSWORD).await;
    let first = world.login("ann", PASSWORD, None).await;
    let refresh = async |token: &str| {
        send(&world, "/api/v1/session/refresh", None, json!({"refresh_token": token})).await
    };
    let (status, second) = refresh(text(&first, "refresh_token")).await;
    assert_eq!(status, 200, "{second}");
    assert_ne!(first["refresh_token"], second["refresh_token"]);
    assert_eq!(first["session"], second["session"], "it is the same session");
    assert_eq!(whoami(&world, text(&second, "access_token")).await, 200);

    let (status, said) = refresh(text(&first, "refresh_token")).await;
    assert_eq!((status.as_u16(), &said["code"]), (401, &json!("unauthenticated")));
    assert_eq!(refresh(text(&second, "refresh_token")).await.0, 401, "the thief's and the owner's");
    assert_eq!(whoami(&world, text(&second, "access_token")).await, 401, "at once");
    let records = world.get("/api/v1/audit/records?action=auth.refresh").await;
    assert_eq!(records["items"][0]["record"]["outcome"], "refused", "{records}");
}

#[tokio::test]
async fn sessions_are_listed_bounded_and_ended_by_their_owner_alone() {
    let world = World::with(&["sessions_max=2".to_owned()]).await;
    for name in ["ann", "bob"] {
        world.add_account(name, Role::Operator, PASSWORD).await;
    }
    let mut tokens = vec![];
    for _ in 0..3 {
        tokens.push(world.sign_in_as("ann", PASSWORD).await);
    }
    assert_eq!(whoami(&world, &tokens[0]).await, 401, "the oldest made room");
    let list = async |token: &str| -> Value {
        let request = world.client.get(world.at("/api/v1/sessions")).bearer_auth(token);
        request.send().await.unwrap().json().await.unwrap()
    };
    let own = list(&tokens[2]).await;
    let own = own["items"].as_array().unwrap();
    assert_eq!(own.len(), 2, "{own:?}");
    let other = own.iter().find(|session| session["current"] == false).unwrap();
    let path = world.at(&format!("/api/v1/sessions/{}", text(other, "id")));
    let stranger = world.sign_in_as("bob", PASSWORD).await;
    let end = async |token: &str| {
        world.client.delete(&path).bearer_auth(token).send().await.unwrap().status()
    };
    assert_eq!(end(&stranger).await, 404, "what is somebody else's is not there");
    assert_eq!(whoami(&world, &tokens[1]).await, 200);
    assert_eq!(end(&tokens[2]).await, 204);
    assert_eq!(whoami(&world, &tokens[1]).await, 401);
}

#[tokio::test]
async fn links_are_good_once_and_old_passwords_do_not_come_back() {
    let world = World::new().await;
    let id = world.add_account("ann", Role::Operator, PASSWORD).await;
    let made = world.post(&format!("/api/v1/users/{id}/link"), json!({})).await;
    let secret = text(&made, "secret");
    let redeem = async |password: &str| {
        send(&world, "/api/v1/links/redeem", None, json!({"secret": secret, "password": password}))
            .await
    };
    for weak in ["short 1 A", "password1234A", "aaaaaaaaaaaaaaaa", "Ann Ann Ann Ann 1"] {
        let (status, said) = redeem(weak).await;
        assert_eq!(status, 422, "{weak}: {said}");
    }
    let (status, said) = redeem(PASSWORD).await;
    assert_eq!(status, 422, "the password that it has: {said}");
    assert_eq!(redeem(OTHER).await.0, 204);
    assert!(redeem("Another 1 of many piers").await.0.is_client_error(), "a link is good once");
    let token = world.sign_in_as("ann", OTHER).await;
    let change = json!({"current": OTHER, "new": PASSWORD});
    let (status, said) = send(&world, "/api/v1/account/password", Some(&token), change).await;
    assert_eq!(status, 422, "one of the last five: {said}");
}

#[tokio::test]
async fn what_is_dangerous_wants_a_fresh_proof_of_both_factors() {
    let world = World::with(&["fresh_proof_minutes=1".to_owned()]).await;
    world.add_account("ann", Role::Operator, PASSWORD).await;
    let token = world.sign_in_as("ann", PASSWORD).await;
    let (_, made) =
        send(&world, "/api/v1/account/factors/totp", Some(&token), json!({"name": "t"})).await;
    let totp = Totp::parse(text(&made, "secret")).unwrap();
    let path = format!("/api/v1/account/factors/{}/confirm", text(&made, "id"));
    let code = totp.code(SystemClock.now());
    let (status, _) = send(&world, &path, Some(&token), json!({"code": code})).await;
    assert_eq!(status, 200);

    // The password alone opens nothing but the question for the second factor.
    let limited = world.login("ann", PASSWORD, None).await;
    assert_eq!(limited["standing"]["needs"], "second_factor", "{limited}");
    let half = text(&limited, "access_token");
    let (status, said) =
        send(&world, "/api/v1/tokens", Some(half), json!({"name": "x", "expires_in": 600})).await;
    assert_eq!((status.as_u16(), &said["code"]), (403, &json!("second_factor_required")));
    // The code that confirmed the factor was used; it is good for nothing more.
    let again = json!({"code": code});
    let (status, _) = send(&world, "/api/v1/session/second-factor", Some(half), again).await;
    assert!(status.is_client_error(), "a code counts once");
    // Nor can one go on guessing: the tenth wrong code is the last for a while.
    for _ in 0..9 {
        let guess = json!({"code": "aaaaa-aaaaa"});
        let (status, _) = send(&world, "/api/v1/session/second-factor", Some(half), guess).await;
        assert_eq!(status, 401);
    }
    let sent = world.client.post(world.at("/api/v1/session/second-factor")).bearer_auth(half);
    let sent = sent.json(&json!({"code": totp.code(SystemClock.now())})).send().await.unwrap();
    assert_eq!(sent.status().as_u16(), 429);
    assert_eq!(sent.headers()["retry-after"], "300");

    // A token without scopes never does what wants a fresh proof, whoever holds it.
    let (_, made) =
        send(&world, "/api/v1/tokens", Some(&world.token), json!({"name": "all"})).await;
    let all = text(&made, "secret");
    let body = json!({"name": "cat", "role": "operator"});
    let (status, said) = send(&world, "/api/v1/users", Some(all), body.clone()).await;
    assert_eq!(status, 403, "{said}");
    let narrow = json!({"name": "narrow", "scopes": ["user.create"]});
    let (_, made) = send(&world, "/api/v1/tokens", Some(&world.token), narrow).await;
    let narrow = text(&made, "secret");
    assert_eq!(send(&world, "/api/v1/users", Some(narrow), body).await.0, 201);
    let (status, _) = send(&world, "/api/v1/join-tokens", Some(narrow), json!({})).await;
    assert_eq!(status, 403, "out of its scopes");
    let tokens = world.get("/api/v1/tokens").await;
    let items = tokens["items"].as_array().unwrap();
    assert!(items.iter().all(|token| token["used_at"].is_string()), "{tokens}");
}

#[tokio::test]
async fn ids_have_names_for_those_who_may_know_them() {
    let world = World::new().await;
    world.until_node("online").await;
    let carla = world.add_account("carla", Role::Customer, PASSWORD).await;
    let me = world.get("/api/v1/whoami").await["id"].as_str().unwrap().to_owned();
    let node = world.get("/api/v1/nodes/local").await["id"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/names?ids={carla},{me},{node},user_none,");
    let names = world.get(&path).await;
    assert_eq!(names, json!({"names": {&carla: "carla", &me: "admin", &node: "local"}}));
    let token = world.sign_in_as("carla", PASSWORD).await;
    let ask = async |path: &str| {
        let answer = world.client.get(world.at(path)).bearer_auth(&token).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    assert_eq!(ask(&path).await, (200, json!({"names": {&carla: "carla"}})));
    // Lists ask for names beside other things: what a token may not know is left out, and that is no refusal.
    let scopes = json!({"name": "nodes", "scopes": ["node.read", "session.end"]});
    let made = world.post("/api/v1/tokens", scopes).await;
    let narrow = made["secret"].as_str().unwrap();
    let asked = world.client.get(world.at(&path)).bearer_auth(narrow).send().await.unwrap();
    assert_eq!(asked.json::<Value>().await.unwrap()["names"][&node], "local");
    let refused = world.get("/api/v1/audit/records?action=user.read&outcome=refused").await;
    assert_eq!(refused["items"], json!([]));
    for taken in ["system", "anonymous", me.as_str()] {
        let body = json!({"name": taken, "role": "operator"});
        let answer = world.client.post(world.at("/api/v1/users")).bearer_auth(&world.token);
        assert_eq!(answer.json(&body).send().await.unwrap().status(), 422, "{taken}");
    }
    let many: Vec<String> = (0..201).map(|n| n.to_string()).collect();
    assert_eq!(ask(&format!("/api/v1/names?ids={}", many.join(","))).await.0, 422);
}
