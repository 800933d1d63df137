//! Programs that act alone, as one account.

use crate::{scene::Scene, world::PASSWORD};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use wardroom_core::Role;

#[tokio::test]
async fn what_is_done_by_a_program_is_told_from_what_its_person_did() {
    let scene = Scene::new().await;
    let id = scene.account("admin").await;
    let scopes = ["service.create", "service.update", "service.read", "run.list", "request.list"];
    let made = json!({"name": "Hand", "confidential": true, "scopes": scopes, "acts_as": id});
    let made = scene.world.post("/api/v1/oauth/clients", made).await;
    let (program, secret) = (&made["client"]["id"], &made["secret"]);
    let sent = scene.client.post(scene.world.at("/oauth/token"));
    let sent = sent.basic_auth(program.as_str().unwrap(), secret.as_str());
    let sent = sent.form(&[("grant_type", "client_credentials")]).send().await.unwrap();
    let tokens: Value = sent.json().await.unwrap();
    let token = tokens["access_token"].as_str().unwrap_or_else(|| panic!("{tokens}"));
    let send = |method: Method, path: &str, body: Value| {
        let request = scene.client.request(method, scene.world.at(path)).bearer_auth(token);
        request.header("if-match", "*").json(&body).send()
    };
    let service = json!({
        "name": "berth", "title": "Berth",
        "fulfilment": {"kind": "command", "command": "ping", "node": "local"},
    });
    let service = send(Method::POST, "/api/v1/services", service).await.unwrap();
    let service: Value = service.json().await.unwrap();
    let path = format!(
        "/api/v1/services/{}",
        service["id"].as_str().unwrap_or_else(|| panic!("{service}"))
    );
    let published = send(Method::PATCH, &path, json!({"state": "published"})).await.unwrap();
    assert_eq!(published.status(), StatusCode::FORBIDDEN, "it may run nothing, now or later");
    let records = scene.world.get("/api/v1/audit/records?action=service.create").await;
    assert_eq!(records["items"][0]["record"]["detail"]["client"], *program);
}

#[tokio::test]
async fn a_program_proves_which_one_it_is_and_acts_alone_as_one_account() {
    let mut scene = Scene::new().await;
    let alone = vec![("grant_type", "client_credentials")];
    let (status, _, said) = scene.post("/oauth/token", &alone).await;
    assert_eq!((status, &said["error"]), (StatusCode::BAD_REQUEST, &json!("unauthorized_client")));
    let dora = scene.sessions("dora").await;
    assert!(dora.iter().all(|session| session["client"].is_null()));
    let robot =
        json!({"name": "Robot", "confidential": true, "scopes": ["run.list"], "acts_as": "dora"});
    let made = scene.world.post("/api/v1/oauth/clients", robot).await;
    assert_eq!(made["client"]["acts_as"], scene.account("dora").await, "{made}");
    scene.take(&made);
    let (status, _, tokens) = scene.post("/oauth/token", &alone).await;
    assert_eq!((status, &tokens["refresh_token"]), (StatusCode::OK, &Value::Null), "{tokens}");
    assert_eq!(scene.status(&tokens, "/api/v1/runs").await, StatusCode::OK);
    assert_eq!(scene.status(&tokens, "/api/v1/nodes").await, StatusCode::FORBIDDEN);
    for _ in 0..105 {
        assert_eq!(scene.post("/oauth/token", &alone).await.0, StatusCode::OK);
    }
    let open = scene.sessions("dora").await;
    assert_eq!(open.iter().filter(|session| session["client"] == "Robot").count(), 100);
    assert_eq!(scene.status(&tokens, "/api/v1/runs").await, StatusCode::UNAUTHORIZED, "the oldest");

    let (_, _, tokens) = scene.post("/oauth/token", &alone).await;
    let renewed = format!("/api/v1/oauth/clients/{}/secret", scene.program);
    let renewed = scene.world.post(&renewed, Value::Null).await;
    let (status, headers, said) = scene.post("/oauth/token", &alone).await;
    assert_eq!((status, &said["error"]), (StatusCode::UNAUTHORIZED, &json!("invalid_client")));
    assert!(headers["www-authenticate"].to_str().unwrap().starts_with("Basic"));
    let unsigned = scene.client.post(scene.world.at("/oauth/token"));
    let named = [("grant_type", "client_credentials"), ("client_id", &scene.program)];
    assert_eq!(unsigned.form(&named).send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    assert_eq!(scene.status(&tokens, "/api/v1/runs").await, StatusCode::OK, "it goes on");
    scene.secret = renewed["secret"].as_str().unwrap_or_else(|| panic!("{renewed}")).to_owned();
    assert_eq!(scene.post("/oauth/token", &alone).await.0, StatusCode::OK);
    let twice = vec![("grant_type", "client_credentials"), ("grant_type", "x")];
    assert_eq!(scene.post("/oauth/token", &twice).await.2["error"], "invalid_request");
    let odd = vec![("grant_type", "password")];
    assert_eq!(scene.post("/oauth/token", &odd).await.2["error"], "unsupported_grant_type");

    let gone = scene.world.at(&format!("/api/v1/oauth/clients/{}", scene.program));
    let gone = scene.client.delete(gone).bearer_auth(&scene.world.token).send().await.unwrap();
    assert_eq!(gone.status(), StatusCode::NO_CONTENT);
    assert_eq!(scene.status(&tokens, "/api/v1/runs").await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_program_is_no_way_to_an_account_that_one_has_no_hold_of() {
    let mut scene = Scene::new().await;
    let id = scene.account("dora").await;
    let robot =
        json!({"name": "Robot", "confidential": true, "scopes": ["run.list"], "acts_as": id});
    let made = scene.world.post("/api/v1/oauth/clients", robot).await;
    scene.take(&made);
    let alone = vec![("grant_type", "client_credentials")];
    let (_, _, tokens) = scene.post("/oauth/token", &alone).await;
    assert_eq!(scene.status(&tokens, "/api/v1/runs").await, StatusCode::OK);
    // Who takes care of clients, and of no accounts, gets no hold of one by a client's secret.
    let mia = scene.world.add_account("mia", Role::Manager, PASSWORD).await;
    let policy = scene.world.get("/api/v1/policy").await;
    let text = format!(
        "{}\n@id(\"mia\") permit (principal == Wardroom::User::\"{mia}\", action in [Wardroom::Action::\"oauth_client.create\", Wardroom::Action::\"oauth_client.renew\"], resource);",
        policy["text"].as_str().unwrap()
    );
    let change = json!({"text": text, "base": policy["number"]});
    let put = scene.client.put(scene.world.at("/api/v1/policy")).bearer_auth(&scene.world.token);
    assert_eq!(put.json(&change).send().await.unwrap().status(), StatusCode::OK);
    let mia = scene.world.sign_in_as("mia", PASSWORD).await;
    for (path, body) in [
        (format!("/api/v1/oauth/clients/{}/secret", scene.program), Value::Null),
        (
            "/api/v1/oauth/clients".to_owned(),
            json!({"name": "R", "confidential": true, "scopes": ["run.list"], "acts_as": id}),
        ),
    ] {
        let sent = scene.client.post(scene.world.at(&path)).bearer_auth(&mia).json(&body);
        assert_eq!(sent.send().await.unwrap().status(), StatusCode::FORBIDDEN, "{path}");
    }

    // An account that has something to do first acts through nobody else either.
    let role = scene.client.patch(scene.world.at(&format!("/api/v1/users/{id}")));
    let role = role.bearer_auth(&scene.world.token).header("if-match", "*");
    assert_eq!(role.json(&json!({"role": "admin"})).send().await.unwrap().status(), StatusCode::OK);
    let (status, _, said) = scene.post("/oauth/token", &alone).await;
    assert_eq!((status, &said["error"]), (StatusCode::BAD_REQUEST, &json!("unauthorized_client")));
    assert_eq!(
        scene.status(&tokens, "/api/v1/runs").await,
        StatusCode::UNAUTHORIZED,
        "another role"
    );
}

#[tokio::test]
async fn whom_a_program_may_act_as_tells_no_names() {
    let scene = Scene::new().await;
    let scopes = json!({"name": "maker", "scopes": ["oauth_client.create"]});
    let made = scene.world.post("/api/v1/tokens", scopes).await;
    let token = made["secret"].as_str().unwrap();
    let mut said = vec![];
    for name in ["dora", "nobody-of-that-name"] {
        let body =
            json!({"name": "R", "confidential": true, "scopes": ["run.list"], "acts_as": name});
        let asked = scene.client.post(scene.world.at("/api/v1/oauth/clients")).bearer_auth(token);
        let answer = asked.json(&body).send().await.unwrap();
        said.push((answer.status(), answer.json::<Value>().await.unwrap()["detail"].clone()));
    }
    assert_eq!(said[0], said[1]);
    assert_eq!(said[0].0, StatusCode::FORBIDDEN);
}
