//! The doors: who gets in, what every answer carries, what is too much.
#![allow(
    clippy::too_many_lines,
    clippy::cloned_ref_to_slice_refs,
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

use reqwest::{Method, StatusCode};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use wardroom_trust::{ambient::SystemRng, secret::ApiSecret};
use world::{PASSWORD, World};

const HEADERS: [&str; 6] = [
    "strict-transport-security",
    "content-security-policy",
    "x-content-type-options",
    "x-frame-options",
    "referrer-policy",
    "permissions-policy",
];

#[tokio::test]
async fn no_secured_route_answers_without_credentials() {
    let world = World::new().await;
    let document = world.get("/api/openapi.json").await;
    let unknown = ApiSecret::generate(&SystemRng);
    let mut tried = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            if operation["security"] == json!([{}]) {
                continue;
            }
            let path = path.replace("{id}", "x").replace("{index}", "0");
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            for token in [None, Some(unknown.expose().expose_secret()), Some("nonsense")] {
                let mut request =
                    world.client.request(method.clone(), world.at(&path)).json(&json!({}));
                if let Some(token) = token {
                    request = request.bearer_auth(token);
                }
                let answer = request.send().await.unwrap();
                assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{method} {path}");
            }
            tried += 1;
        }
    }
    assert!(tried > 25, "only {tried} routes are documented");
}

#[tokio::test]
async fn every_answer_carries_the_security_headers_and_errors_are_problems() {
    let world = World::new().await;
    for path in
        ["/health/live", "/api/v1/whoami", "/api/v1/nothing", "/api/openapi.json", "/sign-in"]
    {
        let answer = world.client.get(world.at(path)).send().await.unwrap();
        for header in HEADERS {
            assert!(answer.headers().contains_key(header), "{path} lacks {header}");
        }
        let csp = answer.headers()["content-security-policy"].to_str().unwrap();
        assert!(csp.starts_with("default-src 'none'") && !csp.contains("unsafe"), "{csp}");
    }
    let problem = world.client.get(world.at("/api/v1/whoami")).send().await.unwrap();
    assert_eq!(problem.headers()["content-type"], "application/problem+json");
    let problem: Value = problem.json().await.unwrap();
    assert!(
        problem["code"] == "unauthenticated"
            && problem["request_id"].as_str().unwrap().starts_with("req_")
    );
}

#[tokio::test]
async fn a_wrong_host_a_large_body_and_bad_json_are_refused_before_anything_else() {
    let world = World::new().await;
    let wrong = world
        .client
        .get(world.at("/api/v1/whoami"))
        .header("host", "evil.example")
        .send()
        .await
        .unwrap();
    assert_eq!(wrong.status(), StatusCode::MISDIRECTED_REQUEST);
    // The answer may come while the body is still on its way: then the connection ends under the sender.
    let large = world
        .client
        .post(world.at("/api/v1/login"))
        .header("content-type", "application/json")
        .body("x".repeat(300_000))
        .send()
        .await;
    if let Ok(large) = large {
        assert_eq!(large.status(), StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(large.headers()["connection"], "close");
    }
    for body in [
        "",
        "{",
        "[]",
        "{\"name\":1}",
        "{\"name\":\"a\",\"password\":\"b\",\"client\":\"c\",\"x\":1}",
    ] {
        let answer = world
            .client
            .post(world.at("/api/v1/login"))
            .header("content-type", "application/json")
            .body(body)
            .send()
            .await
            .unwrap();
        assert!(answer.status().is_client_error(), "{body:?}: {}", answer.status());
        assert!(answer.json::<Value>().await.unwrap()["code"].is_string(), "{body:?}");
    }
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_name_get_the_same_answer() {
    let world = World::new().await;
    let mut answers = Vec::new();
    for name in ["admin", "nobody"] {
        let body = json!({"name": name, "password": "wrong wrong wrong", "client": "t"});
        let answer = world.client.post(world.at("/api/v1/login")).json(&body).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
        let mut problem: Value = answer.json().await.unwrap();
        problem["request_id"] = Value::Null;
        answers.push(problem);
    }
    assert_eq!(answers[0], answers[1]);
    let records = world.get("/api/v1/audit/records?action=auth.sign_in&outcome=refused").await;
    assert_eq!(records["items"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_browser_request_from_elsewhere_changes_nothing() {
    let world = World::new().await;
    world.add_account("carla", wardroom_core::Role::Customer, world::PASSWORD).await;
    let sign_in = |origin: String| {
        let form = [("name", "carla"), ("password", world::PASSWORD)];
        let body: String = form.iter().map(|(k, v)| format!("{k}={v}&")).collect();
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .tls_backend_preconfigured(
                wardroom_trust::tls::client_config(
                    &std::fs::read(world.data().join("authority.pem")).unwrap(),
                )
                .unwrap(),
            )
            .build()
            .unwrap();
        client
            .post(world.at("/sign-in"))
            .header("origin", origin)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body.trim_end_matches('&').to_owned())
            .send()
    };
    assert_eq!(
        sign_in("https://evil.example".into()).await.unwrap().status(),
        StatusCode::FORBIDDEN
    );
    let answer = sign_in(world.url.clone()).await.unwrap();
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    let cookie = answer.headers()["set-cookie"].to_str().unwrap().to_owned();
    for part in ["__Host-wardroom=", "Secure", "HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    let cookie = cookie.split(';').next().unwrap().to_owned();
    let read = world
        .client
        .get(world.at("/api/v1/whoami"))
        .header("cookie", &cookie)
        .send()
        .await
        .unwrap();
    assert_eq!(read.status(), StatusCode::OK);
    for origin in ["https://evil.example", &world.url] {
        let body = json!({"everywhere": true});
        let answer = world
            .client
            .post(world.at("/api/v1/logout"))
            .header("cookie", &cookie)
            .header("origin", origin)
            .json(&body)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "without its token, from {origin}");
    }
}

#[tokio::test]
async fn a_signed_out_token_is_worth_nothing() {
    let world = World::new().await;
    let answer = world
        .client
        .post(world.at("/api/v1/logout"))
        .bearer_auth(&world.token)
        .json(&json!({"everywhere": true}))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    assert_eq!(world.get("/api/v1/whoami").await["code"], "unauthenticated");
}

/// What a body can be that no route expects.
fn mutations(sound: &Value) -> Vec<Vec<u8>> {
    let text = sound.to_string();
    let mut found: Vec<Vec<u8>> =
        (0..text.len()).step_by(7).map(|end| text[..end].into()).collect();
    found.extend([
        vec![0xff, 0xfe, 0x00],
        b"\"\\ud800\"".to_vec(),
        "[".repeat(100_000).into_bytes(),
        "{\"a\":".repeat(20_000).into_bytes(),
        format!("{text}{text}").into_bytes(),
        format!("{{\"__proto__\":{text}}}").into_bytes(),
        text.replace('{', "{\"\\u0000\":1,").into_bytes(),
    ]);
    let strange = [
        json!(null),
        json!(-1),
        json!(1e308),
        json!(u64::MAX),
        json!(""),
        json!("\u{0}\u{202e}".repeat(500)),
        json!("a".repeat(100_000)),
        json!([]),
        json!([[[[{}]]]]),
        json!({"a": {"b": []}}),
        json!(true),
    ];
    let names = sound.as_object().map(|fields| fields.keys().cloned().collect::<Vec<_>>());
    for name in names.unwrap_or_default() {
        for value in &strange {
            let mut changed = sound.clone();
            changed[&name] = value.clone();
            found.push(changed.to_string().into_bytes());
        }
    }
    found
}

#[tokio::test]
async fn no_body_and_no_query_breaks_a_route() {
    let world = World::new().await;
    let submission = json!({
        "command": "echo", "node": "local", "labels": "a=b", "all": true, "parameters": {"text": "x"},
        "priority": 3, "attempts_max": 2, "backoff_ms": 10, "deadline_seconds": 60,
    });
    let routes = [
        (
            Method::POST,
            "/api/v1/login",
            json!({"name": "a", "password": "b", "client": "c", "code": "d"}),
        ),
        (Method::POST, "/api/v1/runs", submission),
        (
            Method::POST,
            "/api/v1/tokens",
            json!({"name": "a", "expires_in": 60, "scopes": ["run.list"]}),
        ),
        (
            Method::POST,
            "/api/v1/users",
            json!({"name": "a", "role": "operator", "email": "a@b.c", "display_name": "A"}),
        ),
        (
            Method::PATCH,
            "/api/v1/users/admin",
            json!({"display_name": "A", "email": "a@b.c", "role": "admin"}),
        ),
        (Method::PATCH, "/api/v1/account", json!({"display_name": "A", "email": "a@b.c"})),
        (Method::POST, "/api/v1/account/password", json!({"current": "a", "new": "b"})),
        (Method::POST, "/api/v1/account/factors/totp", json!({"name": "a"})),
        (
            Method::POST,
            "/api/v1/account/factors/passkey/finish",
            json!({"state": "a", "answer": {}, "name": "a"}),
        ),
        (Method::POST, "/api/v1/session/prove", json!({"password": "a", "code": "b"})),
        (Method::POST, "/api/v1/session/second-factor", json!({"code": "b"})),
        (Method::POST, "/api/v1/session/refresh", json!({"refresh_token": "wrf_x"})),
        (Method::POST, "/api/v1/links/redeem", json!({"secret": "wrp_x", "password": "b"})),
        (
            Method::POST,
            "/api/v1/login/passkey/finish",
            json!({"state": "a", "answer": {"rawId": "x"}}),
        ),
        (Method::POST, "/api/v1/join-tokens", json!({"labels": {}, "expires_in": 60})),
        (Method::PATCH, "/api/v1/nodes/local", json!({"labels": {"a": "b"}})),
        (
            Method::POST,
            "/api/v1/policy/explain",
            json!({"action": "run.read", "role": "admin", "resource": "x"}),
        ),
        (
            Method::POST,
            "/node/v1/enrol",
            json!({"token": "wrj_x", "name": "n", "public_key": "x", "signature": "x"}),
        ),
        (Method::POST, "/node/v1/challenge", json!({"node": "node_x"})),
        (
            Method::POST,
            "/node/v1/token",
            json!({"node": "node_x", "challenge": "x", "signature": "x"}),
        ),
    ];
    for (method, path, sound) in routes {
        for body in mutations(&sound) {
            let shown = String::from_utf8_lossy(&body).chars().take(200).collect::<String>();
            let answer = world
                .client
                .request(method.clone(), world.at(path))
                .bearer_auth(&world.token)
                .header("content-type", "application/json")
                .header("if-match", "*")
                .body(body)
                .send()
                .await
                .unwrap();
            assert!(answer.status().as_u16() < 500, "{path}: {} to {shown}", answer.status());
        }
    }
    for path in [
        "/api/v1/runs",
        "/api/v1/nodes",
        "/api/v1/audit/records",
        "/api/v1/tokens",
        "/api/v1/users",
        "/runs",
        "/audit",
    ] {
        for query in [
            "limit=0",
            "limit=-1",
            "limit=99999999999999999999",
            "after=%00",
            "after=%ff",
            "state=x",
            "a=1&a=2",
            "%",
            "limit=1&limit=2",
        ] {
            let answer = world
                .client
                .get(format!("{}?{query}", world.at(path)))
                .bearer_auth(&world.token)
                .send()
                .await
                .unwrap();
            assert!(answer.status().as_u16() < 500, "{path}?{query}: {}", answer.status());
        }
    }
    world.sound().await;
}

#[tokio::test]
async fn a_page_beyond_its_bounds_is_refused_rather_than_cut() {
    let world = World::new().await;
    for path in ["/api/v1/runs", "/api/v1/users", "/api/v1/audit/records", "/api/v1/customers"] {
        for (limit, status) in [
            ("0", StatusCode::UNPROCESSABLE_ENTITY),
            ("201", StatusCode::UNPROCESSABLE_ENTITY),
            ("1", StatusCode::OK),
            ("200", StatusCode::OK),
        ] {
            let url = world.at(&format!("{path}?limit={limit}"));
            let answer = world.client.get(url).bearer_auth(&world.token).send().await.unwrap();
            assert_eq!(answer.status(), status, "{path}?limit={limit}");
        }
    }
}

#[tokio::test]
async fn a_list_is_no_object_even_where_its_values_would_fit() {
    let world = World::new().await;
    let object = json!({"name": "admin", "password": PASSWORD, "client": "c"});
    for (body, status) in [
        (object, StatusCode::CREATED),
        (json!(["admin", PASSWORD, "c"]), StatusCode::UNPROCESSABLE_ENTITY),
    ] {
        let answer = world.client.post(world.at("/api/v1/login")).json(&body).send().await.unwrap();
        assert_eq!(answer.status(), status, "{body}");
    }
}
