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

mod world;

use data_encoding::BASE64URL_NOPAD;
use reqwest::{Client, Method, Response, StatusCode, Url, header::HeaderMap, redirect::Policy};
use serde_json::{Value, json};
use std::{collections::BTreeMap, fs};
use wardroom_core::{Role, digest::sha256};
use world::{PASSWORD, World};

const BACK: &str = "http://127.0.0.1:5100/cb";
const VERIFIER: &str = "a-verifier-that-only-the-program-knows-0123456789";

type Pairs<'a> = Vec<(&'a str, &'a str)>;

fn challenge() -> String {
    BASE64URL_NOPAD.encode(&sha256(&[VERIFIER.as_bytes()]))
}

/// A person in a browser, and a program that asks them.
struct Scene {
    world: World,
    client: Client,
    cookie: String,
    program: String,
    secret: String,
}

impl Scene {
    async fn new() -> Self {
        let world = World::new().await;
        world.add_account("dora", Role::Operator, PASSWORD).await;
        let client = Client::builder()
            .danger_accept_invalid_certs(true)
            .redirect(Policy::none())
            .build()
            .unwrap();
        let made = world
            .post(
                "/api/v1/oauth/clients",
                json!({
                    "name": "Chart Room", "confidential": true, "redirect_uris": ["http://127.0.0.1/cb"],
                    "scopes": ["run.list", "run.read", "user.read", "policy.read"],
                }),
            )
            .await;
        let program = made["client"]["id"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned();
        let secret = made["secret"].as_str().unwrap().to_owned();
        let mut scene = Self { world, client, cookie: String::new(), program, secret };
        scene.sign_in().await;
        scene
    }

    /// Goes on as the program that was just made.
    fn take(&mut self, made: &Value) {
        self.program = made["client"]["id"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned();
        self.secret = made["secret"].as_str().unwrap().to_owned();
    }

    /// The id of the account of this name.
    async fn account(&self, name: &str) -> String {
        let users = self.world.get("/api/v1/users").await;
        let found = users["items"].as_array().unwrap().iter().find(|user| user["name"] == name);
        found.unwrap()["id"].as_str().unwrap().to_owned()
    }

    async fn sign_in(&mut self) {
        let sent = self
            .client
            .post(self.world.at("/sign-in"))
            .header("origin", &self.world.url)
            .form(&[("name", "dora"), ("password", PASSWORD)])
            .send()
            .await
            .unwrap();
        let cookie = sent.headers()["set-cookie"].to_str().unwrap().to_owned();
        self.cookie = cookie.split(';').next().unwrap().to_owned();
    }

    fn ask<'a>(&'a self, challenge: &'a str) -> BTreeMap<&'a str, &'a str> {
        BTreeMap::from([
            ("response_type", "code"),
            ("client_id", &self.program),
            ("redirect_uri", BACK),
            ("state", "s 1&"),
            ("scope", "run.list run.read"),
            ("code_challenge", challenge),
            ("code_challenge_method", "S256"),
        ])
    }

    async fn page(&self, path: &str, ask: &BTreeMap<&str, &str>) -> Response {
        let url = Url::parse_with_params(&self.world.at(path), ask).unwrap();
        self.client.get(url).header("cookie", &self.cookie).send().await.unwrap()
    }

    /// What the person's browser brings back to the program after `decision`.
    async fn decide(&self, ask: &BTreeMap<&str, &str>, decision: &str) -> BTreeMap<String, String> {
        let shown = self.page("/oauth/consent", ask).await;
        assert_eq!(shown.status(), StatusCode::OK);
        let text = shown.text().await.unwrap();
        let hidden =
            |name: &str| between(&text, &format!("name=\"{name}\" value=\""), "\"").to_owned();
        let (csrf, shown) = (hidden("csrf"), hidden("shown"));
        let form = [("csrf", csrf.as_str()), ("shown", &shown), ("decision", decision)];
        let url = Url::parse_with_params(&self.world.at("/oauth/consent"), ask).unwrap();
        let sent = self
            .client
            .post(url)
            .header("cookie", &self.cookie)
            .header("origin", &self.world.url)
            .form(&form)
            .send()
            .await
            .unwrap();
        assert_eq!(sent.status(), StatusCode::OK);
        let text = sent.text().await.unwrap();
        let address = between(&text, "content=\"0;url=", "\"").replace("&#38;", "&");
        assert!(address.starts_with(BACK), "{address}");
        brought(&address)
    }

    async fn code(&self) -> String {
        let challenge = challenge();
        let brought = self.decide(&self.ask(&challenge), "allow").await;
        assert_eq!(
            (brought["state"].as_str(), brought["iss"].as_str()),
            ("s 1&", &*self.world.url)
        );
        brought["code"].clone()
    }

    async fn post(&self, path: &str, form: &Pairs<'_>) -> (StatusCode, HeaderMap, Value) {
        let sent = self
            .client
            .post(self.world.at(path))
            .basic_auth(&self.program, Some(&self.secret))
            .form(form)
            .send()
            .await
            .unwrap();
        let (status, headers) = (sent.status(), sent.headers().clone());
        let text = sent.text().await.unwrap();
        (status, headers, serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    async fn exchange(&self, code: &str) -> (StatusCode, HeaderMap, Value) {
        let form = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", BACK),
            ("code_verifier", VERIFIER),
        ];
        self.post("/oauth/token", &form).await
    }

    async fn granted(&self) -> Value {
        let (status, _, tokens) = self.exchange(&self.code().await).await;
        assert_eq!(status, StatusCode::OK, "{tokens}");
        tokens
    }

    async fn refresh(&self, token: &Value, more: &Pairs<'_>) -> (StatusCode, HeaderMap, Value) {
        let token = token["refresh_token"].as_str().unwrap();
        let mut form = vec![("grant_type", "refresh_token"), ("refresh_token", token)];
        form.extend(more);
        self.post("/oauth/token", &form).await
    }

    async fn status(&self, tokens: &Value, path: &str) -> StatusCode {
        self.by(tokens, path).await.status()
    }

    async fn by(&self, tokens: &Value, path: &str) -> Response {
        let token = tokens["access_token"].as_str().unwrap();
        self.client.get(self.world.at(path)).bearer_auth(token).send().await.unwrap()
    }
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let rest = text.split_once(before).unwrap_or_else(|| panic!("{before} in {text}")).1;
    rest.split_once(after).unwrap().0
}

fn brought(address: &str) -> BTreeMap<String, String> {
    Url::parse(address).unwrap().query_pairs().into_owned().collect()
}

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
    let sessions = world_sessions(&scene, "dora").await;
    assert!(
        sessions.iter().any(|session| session["client"] == "Chart Room"
            && session["scopes"] == json!(["run.list", "run.read"])),
        "{sessions:?}"
    );
}

/// The sessions of an account, on its own page of the API.
async fn world_sessions(scene: &Scene, name: &str) -> Vec<Value> {
    let token = scene.world.sign_in_as(name, PASSWORD).await;
    let path = scene.world.at("/api/v1/sessions");
    let list = scene.client.get(path).bearer_auth(token).send().await.unwrap();
    list.json::<Value>().await.unwrap()["items"].as_array().unwrap().clone()
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
async fn a_program_proves_which_one_it_is_and_acts_alone_as_one_account() {
    let mut scene = Scene::new().await;
    let alone = vec![("grant_type", "client_credentials")];
    let (status, _, said) = scene.post("/oauth/token", &alone).await;
    assert_eq!((status, &said["error"]), (StatusCode::BAD_REQUEST, &json!("unauthorized_client")));
    let dora = world_sessions(&scene, "dora").await;
    assert!(dora.iter().all(|session| session["client"].is_null()));
    let id = scene.account("dora").await;
    let robot =
        json!({"name": "Robot", "confidential": true, "scopes": ["run.list"], "acts_as": id});
    let made = scene.world.post("/api/v1/oauth/clients", robot).await;
    scene.take(&made);
    let (status, _, tokens) = scene.post("/oauth/token", &alone).await;
    assert_eq!((status, &tokens["refresh_token"]), (StatusCode::OK, &Value::Null), "{tokens}");
    assert_eq!(scene.status(&tokens, "/api/v1/runs").await, StatusCode::OK);
    assert_eq!(scene.status(&tokens, "/api/v1/nodes").await, StatusCode::FORBIDDEN);
    for _ in 0..105 {
        assert_eq!(scene.post("/oauth/token", &alone).await.0, StatusCode::OK);
    }
    let open = world_sessions(&scene, "dora").await;
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
