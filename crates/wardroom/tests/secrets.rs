//! Named secrets: kept, used by whom policy names, read by nobody.
#![allow(
    clippy::too_many_lines,
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

use data_encoding::BASE64;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::fs;
use wardroom_core::{Role, digest::sha256_hex};
use world::{PASSWORD, World, wait_for};

const FIRST: &str = "planted-first-7f1c9e";
const SECOND: &str = "planted-second-a80b42";
const DORA: &str = r#"
@id("dora-mast")
permit (principal in Wardroom::Role::"operator", action == Wardroom::Action::"secret.use", resource == Wardroom::Secret::"mast");
"#;

async fn send(
    world: &World,
    token: &str,
    method: Method,
    path: &str,
    body: Value,
) -> (StatusCode, String) {
    let request = world.client.request(method, world.at(path)).bearer_auth(token).json(&body);
    let answer = request.send().await.unwrap();
    (answer.status(), answer.text().await.unwrap())
}

fn keyed(secrets: Value, parameters: Value) -> Value {
    json!({"command": "keyed", "node": "local", "secrets": secrets, "parameters": parameters})
}

async fn printed(world: &World, run: &str) -> String {
    assert_eq!(world.ended(run).await["state"], "succeeded");
    let output = world.get(&format!("/api/v1/runs/{run}/output")).await;
    let bytes = BASE64.decode(output["chunks"][0]["data"].as_str().unwrap().as_bytes()).unwrap();
    String::from_utf8(bytes).unwrap()
}

#[tokio::test]
async fn a_secret_is_used_by_whom_policy_names_in_its_present_version_and_read_by_nobody() {
    let world = World::new().await;
    world.add_account("dora", Role::Operator, PASSWORD).await;
    let dora = world.sign_in_as("dora", PASSWORD).await;
    let admin = world.token.clone();
    let mast = json!({"name": "mast", "about": "of the ship", "rotate_days": 1, "value": FIRST});
    let made = world.post("/api/v1/secrets", mast.clone()).await;
    assert_eq!((&made["version"], &made["due"]), (&json!(1), &json!(false)));
    for (body, field) in [
        (mast, "name"),
        (json!({"name": "No", "value": "x"}), "name"),
        (json!({"name": "keel", "value": ""}), "value"),
        (json!({"name": "keel", "value": "x", "rotate_days": 0}), "rotate_days"),
    ] {
        let (status, said) = send(&world, &admin, Method::POST, "/api/v1/secrets", body).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{said}");
        assert!(said.contains(&format!("\"{field}\"")) && !said.contains(FIRST), "{said}");
    }

    // An operator may run the command and neither see nor use the secret, until policy says so.
    let body = keyed(json!({"key": "mast"}), json!({}));
    let (status, said) = send(&world, &dora, Method::POST, "/api/v1/runs", body.clone()).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{said}");
    let unknown = keyed(json!({"key": "none"}), json!({}));
    let (_, same) = send(&world, &dora, Method::POST, "/api/v1/runs", unknown).await;
    let words = |text: &str| serde_json::from_str::<Value>(text).unwrap()["errors"].clone();
    assert_eq!(words(&said), words(&same), "which secrets there are is not told");
    let policy = world.get("/api/v1/policy").await["text"].as_str().unwrap().to_owned();
    let body_of = json!({"text": format!("{policy}{DORA}"), "note": "", "base": 0});
    let (status, said) = send(&world, &admin, Method::PUT, "/api/v1/policy", body_of).await;
    assert_eq!(status, StatusCode::OK, "{said}");
    let (status, said) = send(&world, &dora, Method::POST, "/api/v1/runs", body.clone()).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{said}");
    let run: Value = serde_json::from_str(&said).unwrap();
    let told = printed(&world, run["id"].as_str().unwrap()).await;
    assert!(told.contains(&sha256_hex(FIRST.as_bytes())), "{told}");
    let (status, _) = send(&world, &dora, Method::GET, "/api/v1/secrets", Value::Null).await;
    assert_eq!(status, StatusCode::FORBIDDEN);

    // Into a parameter that is shown, or on top of a value, it does not go.
    for body in [
        keyed(json!({"plain": "mast", "key": "mast"}), json!({})),
        keyed(json!({"key": "mast"}), json!({"key": "mine"})),
        keyed(json!({"there-is-none": "mast"}), json!({"key": "mine"})),
    ] {
        let (status, said) = send(&world, &dora, Method::POST, "/api/v1/runs", body).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{said}");
    }

    // Renewed, the other value is used; the run of before is repeated with what it had.
    let path = "/api/v1/secrets/mast";
    let (status, said) = send(&world, &admin, Method::PUT, path, json!({"value": SECOND})).await;
    assert_eq!(status, StatusCode::OK, "{said}");
    assert_eq!(serde_json::from_str::<Value>(&said).unwrap()["version"], 2);
    let (_, said) = send(&world, &dora, Method::POST, "/api/v1/runs", body.clone()).await;
    let second: Value = serde_json::from_str(&said).unwrap();
    let told = printed(&world, second["id"].as_str().unwrap()).await;
    assert!(told.contains(&sha256_hex(SECOND.as_bytes())), "{told}");

    // Forgotten, it is nobody's.
    let (status, _) = send(&world, &admin, Method::DELETE, path, Value::Null).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    let (status, _) = send(&world, &dora, Method::POST, "/api/v1/runs", body).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);

    // Neither value is anywhere that somebody reads.
    let everything = [
        world.get("/api/v1/audit/records?limit=200").await.to_string(),
        world.get(&format!("/api/v1/runs/{}", second["id"].as_str().unwrap())).await.to_string(),
        world.logged(),
    ];
    for text in everything {
        assert!(!text.contains("planted-"), "{text}");
    }
    for file in ["wardroom.db", "wardroom.db-wal"] {
        let bytes = fs::read(world.data().join(file)).unwrap_or_default();
        let found = bytes.windows(8).any(|window| window == b"planted-");
        assert!(!found, "{file} keeps a secret in the clear");
    }
    world.sound().await;
}

#[tokio::test]
async fn a_service_uses_a_secret_while_its_author_may_and_shows_it_to_nobody() {
    let world = World::new().await;
    let admin = world.token.clone();
    let boss = world.add_account("boss", Role::Manager, PASSWORD).await;
    let manager = world.sign_in_as("boss", PASSWORD).await;
    world.post("/api/v1/secrets", json!({"name": "mast", "value": FIRST})).await;
    let customer = json!({"name": "Harbour", "email": "harbour@example.org"});
    let customer = world.post("/api/v1/customers", customer).await["id"].clone();
    let secrets = |secrets: Value| json!({"kind": "command", "command": "keyed", "node": "local", "secrets": secrets});
    let service =
        json!({"name": "hoist", "title": "Hoist", "fulfilment": secrets(json!({"key": "mast"}))});
    let service = world.post("/api/v1/services", service).await;
    let path = format!("/api/v1/services/{}", service["id"].as_str().unwrap());
    let patch = async |token: &str, body: Value| -> (StatusCode, String) {
        let request = world.client.patch(world.at(&path)).bearer_auth(token);
        let sent = request.header("if-match", "*").json(&body).send().await.unwrap();
        (sent.status(), sent.text().await.unwrap())
    };
    let publish = json!({"state": "published"});
    let (status, said) = patch(&manager, publish.clone()).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{said}");
    assert!(said.contains("fulfilment.secrets.key"), "{said}");
    for (wrong, field) in [
        (
            json!({"fulfilment": secrets(json!({"plain": "mast", "key": "mast"})), "state": "published"}),
            "plain",
        ),
        (json!({"fulfilment": secrets(json!({"key": "none"})), "state": "published"}), "key"),
        (
            json!({
                "fulfilment": secrets(json!({"key": "mast"})),
                "form": {"type": "object", "properties": {"key": {"type": "string"}}},
            }),
            "key",
        ),
    ] {
        let (status, said) = patch(&admin, wrong).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{said}");
        assert!(said.contains(&format!("fulfilment.secrets.{field}")), "{said}");
    }
    let (status, said) = patch(&admin, publish.clone()).await;
    assert_eq!(status, StatusCode::OK, "{said}");

    let order = json!({"customer": customer, "values": {}});
    let made = world.post(&format!("{path}/order"), order.clone()).await;
    let request = format!("/api/v1/requests/{}", made["id"].as_str().unwrap());
    let done = wait_for("the order", || async {
        let found = world.get(&request).await;
        (found["request"]["state"] == "completed").then_some(found)
    })
    .await;
    let run = done["runs"][0]["id"].as_str().unwrap();
    assert!(printed(&world, run).await.contains(&sha256_hex(FIRST.as_bytes())));
    let shown = world.get(&format!("/api/v1/runs/{run}")).await;
    assert_eq!(shown["parameters"]["key"], "[secret]", "{shown}");
    let records = world.get("/api/v1/audit/records?action=service.update").await;
    assert_eq!(records["items"][0]["record"]["detail"]["secrets"], "key=mast", "{records}");

    // Whoever may not use it any more, has nobody use it for them.
    let policy = world.get("/api/v1/policy").await;
    let allowed = format!(
        "{}\n@id(\"boss\") permit (principal == Wardroom::User::\"{boss}\", action == Wardroom::Action::\"secret.use\", resource);",
        policy["text"].as_str().unwrap()
    );
    let (status, _) = send(
        &world,
        &admin,
        Method::PUT,
        "/api/v1/policy",
        json!({"text": allowed, "base": policy["number"]}),
    )
    .await;
    assert_eq!(status, StatusCode::OK);
    let (status, said) = patch(&manager, json!({"title": "Hoist it"})).await;
    assert_eq!(status, StatusCode::OK, "{said}");
    let base = world.get("/api/v1/policy").await["number"].clone();
    let (status, _) = send(
        &world,
        &admin,
        Method::PUT,
        "/api/v1/policy",
        json!({"text": policy["text"], "base": base}),
    )
    .await;
    assert_eq!(status, StatusCode::OK);
    let (status, said) = send(&world, &admin, Method::POST, &format!("{path}/order"), order).await;
    assert_eq!(status, StatusCode::CONFLICT, "{said}");
    assert!(said.contains("not_ordered") && !said.contains(FIRST), "{said}");
    assert!(!world.logged().contains(FIRST));
    world.sound().await;
}

#[tokio::test]
async fn a_run_with_a_secret_is_repeated_only_by_whom_may_use_it() {
    let mut world = World::new().await;
    world.add_account("dora", Role::Operator, PASSWORD).await;
    let dora = world.sign_in_as("dora", PASSWORD).await;
    let admin = world.token.clone();
    world.post("/api/v1/secrets", json!({"name": "mast", "value": FIRST})).await;
    let policy = world.get("/api/v1/policy").await;
    let text = policy["text"].as_str().unwrap();
    let put = async |world: &World, text: &str| {
        let base = world.get("/api/v1/policy").await["number"].clone();
        let body = json!({"text": text, "note": "", "base": base});
        let (status, said) = send(world, &admin, Method::PUT, "/api/v1/policy", body).await;
        assert_eq!(status, StatusCode::OK, "{said}");
    };
    put(&world, &format!("{text}{DORA}")).await;
    world.kill_node();
    let body = keyed(json!({"key": "mast"}), json!({}));
    let (status, said) = send(&world, &dora, Method::POST, "/api/v1/runs", body).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{said}");
    let run = serde_json::from_str::<Value>(&said).unwrap()["id"].as_str().unwrap().to_owned();
    let path = |act: &str| format!("/api/v1/runs/{run}/{act}");
    let (status, said) = send(&world, &dora, Method::POST, &path("cancel"), Value::Null).await;
    assert!(status.is_success(), "{said}");
    world.until(&run, "cancelled").await;

    put(&world, text).await;
    let (status, said) = send(&world, &dora, Method::POST, &path("replay"), Value::Null).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{said}");
    assert!(said.contains("secrets.key"), "{said}");
    // Repeated by somebody who may, it uses the value that there is now.
    let renew = json!({"value": SECOND});
    let (status, _) = send(&world, &admin, Method::PUT, "/api/v1/secrets/mast", renew).await;
    assert_eq!(status, StatusCode::OK);
    let again = world.post(&path("replay"), Value::Null).await;
    world.start_node();
    let told = printed(&world, again["id"].as_str().unwrap_or_else(|| panic!("{again}"))).await;
    assert!(told.contains(&sha256_hex(SECOND.as_bytes())), "{told}");
    let records = world.get("/api/v1/audit/records?action=run.replay").await;
    assert!(records.to_string().contains("key=mast"), "{records}");
    world.sound().await;
}

#[tokio::test]
async fn a_secret_that_was_typed_is_not_repeated_to_where_it_would_be_shown() {
    let mut world = World::new().await;
    world.kill_node();
    let body = keyed(json!({}), json!({"key": FIRST}));
    let run = world.post("/api/v1/runs", body).await["id"].as_str().unwrap().to_owned();
    world.post(&format!("/api/v1/runs/{run}/cancel"), Value::Null).await;
    world.until(&run, "cancelled").await;
    let list = world.folder.path().join("commands.toml");
    let changed = fs::read_to_string(&list).unwrap().replace(
        "bytes_max = 99, secret = true, environment = \"KEY\"",
        "bytes_max = 99, environment = \"KEY\"",
    );
    fs::write(&list, changed).unwrap();
    world.start_node();
    wait_for("the catalogue", || async {
        let node = world.get("/api/v1/nodes/local").await;
        let commands = node["catalogue"]["commands"].as_array()?.clone();
        let keyed = commands.iter().find(|command| command["name"] == "keyed")?.clone();
        (keyed["parameters"][0]["secret"] != true).then_some(())
    })
    .await;
    let path = format!("/api/v1/runs/{run}/replay");
    let (status, said) = send(&world, &world.token, Method::POST, &path, Value::Null).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{said}");
    assert!(said.contains("parameters.key") && !said.contains(FIRST), "{said}");
}
