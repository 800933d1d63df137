//! Programs of others: what they are granted, by whom, for how long, and what they can't make of it.
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

mod alone;
mod documents;
mod scene;
#[path = "../world/mod.rs"]
mod world;

use reqwest::{Method, StatusCode, Url};
use scene::{BACK, Scene, VERIFIER, between, brought, challenge};
use serde_json::{Value, json};
use std::fs;
use world::PASSWORD;

#[tokio::test]
async fn a_program_is_granted_what_somebody_allows_and_no_more() {
    let scene = Scene::new().await;
    let challenge = challenge();
    let mut ask = scene.ask(&challenge);
    let first = scene.page("/oauth/authorize", &ask).await;
    assert_eq!(first.status(), StatusCode::OK);
    let text = first.text().await.unwrap();
    assert!(between(&text, "content=\"0;url=", "\"").starts_with("/oauth/consent?"), "{text}");
    // An operator may not read the policy: it is neither shown nor granted.
    ask.insert("scope", "run.list policy.read");
    let shown = scene.page("/oauth/consent", &ask).await.text().await.unwrap();
    assert!(shown.contains("Chart Room") && shown.contains("run.list"), "{shown}");
    assert!(!shown.contains("mono\">policy.read"), "{shown}");
    let brought = scene.decide(&ask, "allow").await;
    let (status, headers, tokens) = scene.exchange(&brought["code"]).await;
    assert_eq!((status, &tokens["scope"]), (StatusCode::OK, &json!("run.list")), "{tokens}");
    assert_eq!(headers["cache-control"], "no-store");

    let tokens = scene.granted().await;
    assert_eq!(tokens["token_type"], "Bearer");
    assert_eq!(scene.status(&tokens, "/api/v1/runs").await, StatusCode::OK);
    let beyond = scene.by(&tokens, "/api/v1/whoami").await;
    assert_eq!(beyond.status(), StatusCode::FORBIDDEN);
    let way = beyond.headers()["www-authenticate"].to_str().unwrap().to_owned();
    assert!(way.contains("error=\"insufficient_scope\", scope=\"user.read\""), "{way}");
    let away = scene.by(&tokens, "/runs").await;
    assert_eq!(away.status(), StatusCode::SEE_OTHER, "it is good for the API alone");
    let sessions = scene.sessions("dora").await;
    assert!(
        sessions.iter().any(|session| session["client"] == "Chart Room"
            && session["scopes"] == json!(["run.list", "run.read"])),
        "{sessions:?}"
    );
}

#[tokio::test]
async fn a_code_is_good_once_for_who_asked_and_while_the_browsers_session_lasts() {
    let mut scene = Scene::new().await;
    let code = scene.code().await;
    let wrong = |name: &'static str, value: &'static str| {
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code.as_str()),
            ("redirect_uri", BACK),
            ("code_verifier", VERIFIER),
        ];
        form.retain(|(known, _)| *known != name);
        form.push((name, value));
        form
    };
    for form in [
        wrong("code_verifier", "another-verifier-of-the-right-length-0123456789"),
        wrong("redirect_uri", "http://127.0.0.1:5101/cb"),
        wrong("code", "wrc_nothing"),
    ] {
        let (status, _, said) = scene.post("/oauth/token", &form).await;
        assert_eq!((status, &said["error"]), (StatusCode::BAD_REQUEST, &json!("invalid_grant")));
    }
    let other = scene
        .world
        .post(
            "/api/v1/oauth/clients",
            json!({"name": "Other", "redirect_uris": [BACK], "scopes": ["run.list"]}),
        )
        .await;
    assert_eq!(other["secret"], Value::Null);
    let id = other["client"]["id"].as_str().unwrap();
    let mut form = wrong("client_id", "");
    form.pop();
    form.push(("client_id", id));
    let sent = scene.client.post(scene.world.at("/oauth/token")).form(&form).send().await.unwrap();
    assert_eq!(sent.status(), StatusCode::BAD_REQUEST, "another program's code");

    let (status, _, tokens) = scene.exchange(&code).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(scene.status(&tokens, "/api/v1/runs").await, StatusCode::OK);
    let (status, _, said) = scene.exchange(&code).await;
    assert_eq!((status, &said["error"]), (StatusCode::BAD_REQUEST, &json!("invalid_grant")));
    assert_eq!(scene.status(&tokens, "/api/v1/runs").await, StatusCode::UNAUTHORIZED, "copied");

    let code = scene.code().await;
    let page = scene.client.get(scene.world.at("/account")).header("cookie", &scene.cookie);
    let text = page.send().await.unwrap().text().await.unwrap();
    let csrf = between(&text, "name=\"csrf\" value=\"", "\"").to_owned();
    let out = scene
        .client
        .post(scene.world.at("/account/sign-out"))
        .header("cookie", &scene.cookie)
        .header("origin", &scene.world.url)
        .form(&[("csrf", csrf.as_str())])
        .send()
        .await
        .unwrap();
    assert_eq!(out.status(), StatusCode::SEE_OTHER);
    assert_eq!(scene.exchange(&code).await.0, StatusCode::BAD_REQUEST, "signed out meanwhile");
    scene.sign_in().await;

    let bytes = fs::read(scene.world.data().join("wardroom.db")).unwrap();
    let tokens = scene.granted().await;
    for secret in [&code, &scene.secret, tokens["refresh_token"].as_str().unwrap()] {
        assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()));
        assert!(!scene.world.logged().contains(secret));
    }
}

#[tokio::test]
async fn a_code_that_two_use_at_the_same_moment_opens_nothing_that_lasts() {
    let scene = Scene::new().await;
    for _ in 0..3 {
        let code = scene.code().await;
        let (one, two) = tokio::join!(scene.exchange(&code), scene.exchange(&code));
        assert!(!(one.0.is_success() && two.0.is_success()), "{one:?} {two:?}");
        for (_, _, tokens) in [one, two].iter().filter(|(status, _, _)| status.is_success()) {
            let seen = scene.status(tokens, "/api/v1/runs").await;
            assert_eq!(seen, StatusCode::UNAUTHORIZED, "copied, at the same moment");
        }
    }
}

#[tokio::test]
async fn what_is_asked_out_of_form_goes_back_to_the_program_or_nowhere() {
    let scene = Scene::new().await;
    let challenge = challenge();
    let with = |name: &'static str, value: &'static str| {
        let mut ask = scene.ask(&challenge);
        ask.insert(name, value);
        ask
    };
    for (name, value, error) in [
        ("response_type", "token", "unsupported_response_type"),
        ("code_challenge", "short", "invalid_request"),
        ("code_challenge_method", "plain", "invalid_request"),
        ("scope", "run.submit", "invalid_scope"),
        ("scope", "token.create", "invalid_scope"),
        ("resource", "https://elsewhere.example", "invalid_target"),
    ] {
        let answer = scene.page("/oauth/authorize", &with(name, value)).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{name}");
        let address = answer.headers()["location"].to_str().unwrap().to_owned();
        let told = brought(&address);
        assert!(address.starts_with(BACK), "{address}");
        assert_eq!((told["error"].as_str(), told["state"].as_str()), (error, "s 1&"), "{name}");
    }
    for (name, value) in [
        ("redirect_uri", "https://evil.example/cb"),
        ("redirect_uri", "http://127.0.0.1:5100/other"),
        ("redirect_uri", "javascript:alert(1)"),
        ("client_id", "client_00000000000000000000000000000000"),
        ("client_id", "x"),
    ] {
        for path in ["/oauth/authorize", "/oauth/consent"] {
            let answer = scene.page(path, &with(name, value)).await;
            assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{path} {name}={value}");
            assert!(!answer.headers().contains_key("location"));
        }
    }
    let refused = scene.decide(&scene.ask(&challenge), "deny").await;
    assert_eq!(refused["error"], "access_denied");
    assert!(!refused.contains_key("code"));
    let nothing = with("scope", "policy.read");
    let answer = scene.page("/oauth/consent", &nothing).await;
    let told = brought(answer.headers()["location"].to_str().unwrap());
    assert_eq!(told["error"], "access_denied", "nothing of it may be granted by an operator");

    // No token grants, only a person in a browser who proved lately who they are.
    let token = scene.world.sign_in_as("dora", PASSWORD).await;
    let url = Url::parse_with_params(&scene.world.at("/oauth/consent"), scene.ask(&challenge));
    let by_token = scene.client.get(url.unwrap()).bearer_auth(token).send().await.unwrap();
    assert_eq!(by_token.status(), StatusCode::FORBIDDEN);
    let nobody = scene.client.get(scene.world.at("/oauth/consent?client_id=x")).send().await;
    let address = nobody.unwrap().headers()["location"].to_str().unwrap().to_owned();
    assert_eq!(address, "/sign-in?next=%2Foauth%2Fconsent%3Fclient_id%3Dx");
    let url = Url::parse_with_params(&scene.world.at("/oauth/consent"), scene.ask(&challenge));
    let forged = scene.client.post(url.unwrap());
    let forged = forged.header("cookie", &scene.cookie).header("origin", "https://evil.example");
    let form = [("decision", "allow"), ("shown", "run.list")];
    assert_eq!(forged.form(&form).send().await.unwrap().status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_page_of_another_site_makes_no_visitor_fail() {
    let scene = Scene::new().await;
    for (method, path) in
        [(Method::POST, "/oauth/token"), (Method::GET, "/sign-in/oidc/callback?code=x")]
    {
        let request = scene.client.request(method, scene.world.at(path));
        let request = request.header("sec-fetch-site", "cross-site");
        let request = request.header("sec-fetch-mode", "no-cors").header("sec-fetch-dest", "image");
        let sent = request.form(&[("grant_type", "x"), ("client_id", "x")]).send().await.unwrap();
        assert_eq!(sent.status(), StatusCode::FORBIDDEN, "{path}");
    }
    let led = scene.client.get(scene.world.at("/sign-in")).header("sec-fetch-site", "cross-site");
    let led = led.header("sec-fetch-mode", "navigate").header("sec-fetch-dest", "document");
    assert_eq!(led.send().await.unwrap().status(), StatusCode::OK, "a link leads here");
    let refused = scene.world.get("/api/v1/audit/records?action=auth.client").await;
    assert_eq!(refused["items"], json!([]), "nothing that counts against an address");
}

#[tokio::test]
async fn refresh_tokens_are_good_once_for_no_more_and_for_nobody_else() {
    let scene = Scene::new().await;
    let first = scene.granted().await;
    let (status, _, said) = scene.refresh(&first, &vec![("scope", "run.list user.read")]).await;
    assert_eq!((status, &said["error"]), (StatusCode::BAD_REQUEST, &json!("invalid_scope")));
    let (status, _, said) = scene.refresh(&first, &vec![]).await;
    assert_eq!(status, StatusCode::OK, "what was refused has spent nothing: {said}");
    let first = scene.granted().await;
    let (status, _, second) = scene.refresh(&first, &vec![("scope", "run.list")]).await;
    assert_eq!((status, &second["scope"]), (StatusCode::OK, &json!("run.list")), "{second}");
    assert_eq!(scene.status(&second, "/api/v1/runs").await, StatusCode::OK);
    let run = "/api/v1/runs/run_00000000000000000000000000000000";
    assert_eq!(scene.status(&second, run).await, StatusCode::FORBIDDEN, "narrower");
    let (_, _, third) = scene.refresh(&second, &vec![]).await;
    assert_eq!(third["scope"], "run.list run.read", "the grant itself is what it was");
    let own = json!({"refresh_token": third["refresh_token"]});
    assert_eq!(scene.world.post("/api/v1/session/refresh", own).await["code"], "unauthenticated");
    assert_eq!(scene.refresh(&first, &vec![]).await.0, StatusCode::BAD_REQUEST, "spent");
    assert_eq!(scene.status(&third, "/api/v1/runs").await, StatusCode::UNAUTHORIZED, "copied");

    let mine = scene.world.login("dora", PASSWORD, None).await;
    let spent = json!({"refresh_token": mine["refresh_token"]});
    let mine_now = scene.world.post("/api/v1/session/refresh", spent).await;
    assert_eq!(scene.refresh(&mine, &vec![]).await.0, StatusCode::BAD_REQUEST);
    let still = scene.status(&mine_now, "/api/v1/whoami").await;
    assert_eq!(still, StatusCode::OK, "a program that shows it has never held it");
    let mine = mine_now;
    let (status, _, _) = scene.refresh(&mine, &vec![]).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "a person's own is no program's");
    assert_eq!(scene.status(&mine, "/api/v1/whoami").await, StatusCode::OK, "and does not end");

    let given = scene.granted().await;
    for token in ["nonsense", mine["refresh_token"].as_str().unwrap()] {
        let (status, _, _) = scene.post("/oauth/revoke", &vec![("token", token)]).await;
        assert_eq!(status, StatusCode::OK);
    }
    assert_eq!(scene.status(&mine, "/api/v1/whoami").await, StatusCode::OK);
    let token = given["access_token"].as_str().unwrap();
    assert_eq!(scene.status(&given, "/api/v1/runs").await, StatusCode::OK);
    let (status, _, _) = scene.post("/oauth/revoke", &vec![("token", token)]).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(scene.status(&given, "/api/v1/runs").await, StatusCode::UNAUTHORIZED);
    assert_eq!(scene.refresh(&given, &vec![]).await.0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn what_programs_look_up_names_the_doors_that_there_are() {
    let scene = Scene::new().await;
    let told = scene.world.get("/.well-known/oauth-authorization-server").await;
    assert_eq!(told["issuer"], scene.world.url.as_str());
    assert_eq!(told["code_challenge_methods_supported"], json!(["S256"]));
    let scopes = told["scopes_supported"].as_array().unwrap();
    assert!(scopes.contains(&json!("run.list")) && !scopes.contains(&json!("token.create")));
    let refused = scene.client.get(scene.world.at("/api/v1/runs")).send().await.unwrap();
    let way = refused.headers()["www-authenticate"].to_str().unwrap().to_owned();
    let place = between(&way, "resource_metadata=\"", "\"").to_owned();
    let told: Value = scene.client.get(place).send().await.unwrap().json().await.unwrap();
    assert_eq!(told["resource"], format!("{}/api", scene.world.url));
    assert_eq!(told["authorization_servers"], json!([scene.world.url]));
    let challenge = challenge();
    let here = format!("{}/api", scene.world.url);
    let mut ask = scene.ask(&challenge);
    ask.insert("resource", &here);
    assert!(scene.decide(&ask, "allow").await.contains_key("code"));
}
