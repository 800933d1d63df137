//! Customers, their people, and services that they order.

use crate::world::{PASSWORD, World, wait_for};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use wardroom_core::Role;

pub async fn ask(
    world: &World,
    token: &str,
    method: &str,
    path: &str,
    body: Value,
) -> (StatusCode, Value) {
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    let mut request = world.client.request(method, world.at(path)).bearer_auth(token);
    request = request.header("if-match", "*");
    if body != Value::Null {
        request = request.json(&body);
    }
    let answer = request.send().await.unwrap();
    (answer.status(), answer.json().await.unwrap_or(Value::Null))
}

pub async fn customer(world: &World, name: &str) -> String {
    let body =
        json!({"name": name, "email": format!("desk@{name}.example"), "phone": "+4930123456"});
    let made = world.post("/api/v1/customers", body).await;
    made["id"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned()
}

/// An account of a customer; its token.
pub async fn member(world: &World, name: &str, customer: &str) -> String {
    let id = world.add_account(name, Role::Customer, PASSWORD).await;
    let path = format!("/api/v1/users/{id}");
    let body = json!({"customer": customer});
    let (status, changed) = ask(world, &world.token, "PATCH", &path, body).await;
    assert_eq!(status, StatusCode::OK, "{changed}");
    world.sign_in_as(name, PASSWORD).await
}

/// A published service; its id.
pub async fn service(world: &World, name: &str, more: Value) -> String {
    let mut body = json!({
        "name": name,
        "title": format!("The {name}"),
        "form": {"required": ["text"], "properties": {"text": {"type": "string", "maxLength": 100}}}
    });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let made = world.post("/api/v1/services", body).await;
    let id = made["id"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned();
    let path = format!("/api/v1/services/{id}");
    let (status, published) =
        ask(world, &world.token, "PATCH", &path, json!({"state": "published"})).await;
    assert_eq!(status, StatusCode::OK, "{published}");
    id
}

pub fn echo() -> Value {
    json!({"fulfilment": {"kind": "command", "command": "echo", "node": "local"}})
}

pub async fn order(world: &World, token: &str, service: &str, body: Value) -> (StatusCode, Value) {
    ask(world, token, "POST", &format!("/api/v1/services/{service}/order"), body).await
}

pub async fn until_request(world: &World, token: &str, id: &str, state: &str) -> Value {
    wait_for(state, || async {
        let (_, found) =
            ask(world, token, "GET", &format!("/api/v1/requests/{id}"), Value::Null).await;
        (found["request"]["state"] == state).then_some(found)
    })
    .await
}
