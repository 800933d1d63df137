//! A person in a browser, and a program that asks them.

use crate::world::{PASSWORD, World};
use data_encoding::BASE64URL_NOPAD;
use reqwest::{Client, Response, StatusCode, Url, header::HeaderMap, redirect::Policy};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use wardroom_core::{Role, digest::sha256};

pub const BACK: &str = "http://127.0.0.1:5100/cb";
pub const VERIFIER: &str = "a-verifier-that-only-the-program-knows-0123456789";

pub type Pairs<'a> = Vec<(&'a str, &'a str)>;

pub fn challenge() -> String {
    BASE64URL_NOPAD.encode(&sha256(&[VERIFIER.as_bytes()]))
}

/// A person in a browser, and a program that asks them.
pub struct Scene {
    pub world: World,
    pub client: Client,
    pub cookie: String,
    pub program: String,
    pub secret: String,
}

impl Scene {
    pub async fn new() -> Self {
        let world = World::new().await;
        world.add_account("dora", Role::Operator, PASSWORD).await;
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
        let mut scene = Self { program, secret, ..Self::of(world) };
        scene.sign_in().await;
        scene
    }

    /// An installation with neither.
    pub fn of(world: World) -> Self {
        let client = Client::builder()
            .danger_accept_invalid_certs(true)
            .redirect(Policy::none())
            .build()
            .unwrap();
        let nothing = String::new;
        Self { world, client, cookie: nothing(), program: nothing(), secret: nothing() }
    }

    /// Goes on as the program that was just made.
    pub fn take(&mut self, made: &Value) {
        self.program = made["client"]["id"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned();
        self.secret = made["secret"].as_str().unwrap().to_owned();
    }

    /// The id of the account of this name.
    pub async fn account(&self, name: &str) -> String {
        let users = self.world.get("/api/v1/users").await;
        let found = users["items"].as_array().unwrap().iter().find(|user| user["name"] == name);
        found.unwrap()["id"].as_str().unwrap().to_owned()
    }

    pub async fn sign_in(&mut self) {
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

    pub fn ask<'a>(&'a self, challenge: &'a str) -> BTreeMap<&'a str, &'a str> {
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

    pub async fn page(&self, path: &str, ask: &BTreeMap<&str, &str>) -> Response {
        let url = Url::parse_with_params(&self.world.at(path), ask).unwrap();
        self.client.get(url).header("cookie", &self.cookie).send().await.unwrap()
    }

    /// What the person's browser brings back to the program after `decision`.
    pub async fn decide(
        &self,
        ask: &BTreeMap<&str, &str>,
        decision: &str,
    ) -> BTreeMap<String, String> {
        let sent = self.answer(ask, decision).await;
        assert_eq!(sent.status(), StatusCode::OK);
        let text = sent.text().await.unwrap();
        let address = between(&text, "content=\"0;url=", "\"").replace("&#38;", "&");
        assert!(address.starts_with(BACK), "{address}");
        brought(&address)
    }

    /// What is said to the person's answer on the page that asks.
    pub async fn answer(&self, ask: &BTreeMap<&str, &str>, decision: &str) -> Response {
        let shown = self.page("/oauth/consent", ask).await;
        assert_eq!(shown.status(), StatusCode::OK);
        let text = shown.text().await.unwrap();
        let hidden =
            |name: &str| between(&text, &format!("name=\"{name}\" value=\""), "\"").to_owned();
        let (csrf, shown, asker) = (hidden("csrf"), hidden("shown"), hidden("asker"));
        let form =
            [("csrf", csrf.as_str()), ("shown", &shown), ("asker", &asker), ("decision", decision)];
        let url = Url::parse_with_params(&self.world.at("/oauth/consent"), ask).unwrap();
        let sent = self.client.post(url).header("cookie", &self.cookie);
        sent.header("origin", &self.world.url).form(&form).send().await.unwrap()
    }

    pub async fn code(&self) -> String {
        let challenge = challenge();
        let brought = self.decide(&self.ask(&challenge), "allow").await;
        assert_eq!(
            (brought["state"].as_str(), brought["iss"].as_str()),
            ("s 1&", &*self.world.url)
        );
        brought["code"].clone()
    }

    pub async fn post(&self, path: &str, form: &Pairs<'_>) -> (StatusCode, HeaderMap, Value) {
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

    pub async fn exchange(&self, code: &str) -> (StatusCode, HeaderMap, Value) {
        let form = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", BACK),
            ("code_verifier", VERIFIER),
        ];
        self.post("/oauth/token", &form).await
    }

    pub async fn granted(&self) -> Value {
        let (status, _, tokens) = self.exchange(&self.code().await).await;
        assert_eq!(status, StatusCode::OK, "{tokens}");
        tokens
    }

    pub async fn refresh(&self, token: &Value, more: &Pairs<'_>) -> (StatusCode, HeaderMap, Value) {
        let token = token["refresh_token"].as_str().unwrap();
        let mut form = vec![("grant_type", "refresh_token"), ("refresh_token", token)];
        form.extend(more);
        self.post("/oauth/token", &form).await
    }

    /// The sessions of an account, on its own page of the API.
    pub async fn sessions(&self, name: &str) -> Vec<Value> {
        let token = self.world.sign_in_as(name, PASSWORD).await;
        let path = self.world.at("/api/v1/sessions");
        let list = self.client.get(path).bearer_auth(token).send().await.unwrap();
        list.json::<Value>().await.unwrap()["items"].as_array().unwrap().clone()
    }

    pub async fn status(&self, tokens: &Value, path: &str) -> StatusCode {
        self.by(tokens, path).await.status()
    }

    pub async fn by(&self, tokens: &Value, path: &str) -> Response {
        let token = tokens["access_token"].as_str().unwrap();
        self.client.get(self.world.at(path)).bearer_auth(token).send().await.unwrap()
    }
}

pub fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let rest = text.split_once(before).unwrap_or_else(|| panic!("{before} in {text}")).1;
    rest.split_once(after).unwrap().0
}

pub fn brought(address: &str) -> BTreeMap<String, String> {
    Url::parse(address).unwrap().query_pairs().into_owned().collect()
}
