//! Tokens for tool servers: the gateway's own, and those of people who connected their accounts. Nobody's is shown for
//! somebody else.
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

mod place;
#[path = "../world/mod.rs"]
mod world;

use place::Place;
use reqwest::{Client, Method, StatusCode, Url, redirect::Policy};
use serde_json::{Value, json};
use wardroom_core::Role;
use world::{PASSWORD, World, wait_for};

/// An installation with a tool server at which each caller has their own account; `dora` may use its tools.
struct Scene {
    world: World,
    place: Place,
    /// It follows no redirection.
    browser: Client,
    dora: String,
}

impl Scene {
    async fn new() -> Self {
        let world = World::with(&["outbound_allow=127.0.0.0/8".to_owned()]).await;
        let place = Place::start().await;
        let builder = Client::builder().danger_accept_invalid_certs(true).redirect(Policy::none());
        let browser = builder.build().unwrap();
        world.add_account("dora", Role::Operator, PASSWORD).await;
        let dora = world.sign_in_as("dora", PASSWORD).await;
        let scene = Self { world, place, browser, dora };
        scene.register(json!({"kind": "account"})).await;
        scene
    }

    async fn register(&self, shown: Value) {
        let way = json!({"kind": "http", "url": self.place.url});
        let body = json!({"name": "own", "way": way, "shown": shown});
        self.world.post("/api/v1/tool-servers", body).await;
    }

    async fn ask(&self, method: Method, path: &str, token: &str) -> (StatusCode, Value) {
        let request = self.browser.request(method, self.world.at(path)).bearer_auth(token);
        let answer = request.json(&json!({})).send().await.unwrap();
        let status = answer.status();
        (status, serde_json::from_str(&answer.text().await.unwrap()).unwrap_or_default())
    }

    /// Where whoever has `token` is sent to.
    async fn begin(&self, token: &str) -> Url {
        let path = "/api/v1/account/tool-servers/own/connect";
        let (status, begun) = self.ask(Method::POST, path, token).await;
        assert_eq!(status, StatusCode::OK, "{begun}");
        Url::parse(begun["url"].as_str().unwrap()).unwrap()
    }

    /// What the authorization server sends `login` back with: the path and its query.
    async fn authorize(&self, mut way: Url, login: &str) -> String {
        way.query_pairs_mut().append_pair("login", login);
        let answer = self.browser.get(way).send().await.unwrap();
        let back = answer.headers()["location"].to_str().unwrap().to_owned();
        let back = Url::parse(&back).unwrap();
        assert_eq!(back.path(), "/tool-accounts/callback/own");
        format!("/tool-accounts/own/finish?{}", back.query().unwrap())
    }

    async fn connect(&self, token: &str, login: &str) {
        let back = self.authorize(self.begin(token).await, login).await;
        let (status, _) = self.ask(Method::GET, &back, token).await;
        assert_eq!(status, StatusCode::SEE_OTHER);
    }

    async fn call(&self, token: &str, tool: &str) -> Value {
        let params = json!({"name": tool, "arguments": {}});
        self.world.mcp(token, "/mcp/own", "tools/call", params).await.1
    }

    async fn who(&self, token: &str) -> String {
        let answered = self.call(token, "whoami").await;
        let who = answered["result"]["content"][0]["text"].as_str();
        who.unwrap_or_else(|| panic!("{answered}")).to_owned()
    }

    /// The registrar's account, with which the server is looked at, and its tools accepted.
    async fn accepted(&self) {
        self.connect(&self.world.token, "admin").await;
        self.world.accept_tools("own").await;
    }
}

async fn world_secret(world: &World) {
    world.post("/api/v1/secrets", json!({"name": "gate.key", "value": "s3cret"})).await;
}

fn message(answered: &Value) -> &str {
    answered["error"]["message"].as_str().unwrap_or_else(|| panic!("{answered}"))
}

#[tokio::test]
async fn each_caller_is_shown_with_their_own_account_and_with_no_other() {
    let scene = Scene::new().await;
    let looked = scene.world.post("/api/v1/tool-servers/own/test", Value::Null).await;
    let problem = looked["health"]["problem"].as_str().unwrap();
    assert!(problem.contains("not connected your account"), "{problem}");
    scene.accepted().await;
    // Somebody who has not connected theirs is told where to, and nobody else's is used.
    let said = scene.call(&scene.dora, "whoami").await;
    assert!(message(&said).contains("/tool-accounts"), "{said}");
    assert_eq!(scene.place.known().calls, Vec::<String>::new());
    let can = json!({"elicitation": {"url": {}}});
    let params = json!({"name": "whoami", "arguments": {}});
    let sent = scene.world.mcp_as(&scene.dora, "/mcp/own", "tools/call", params, &can).await.1;
    let asked = &sent["result"]["inputRequests"]["account"]["params"];
    assert_eq!(sent["result"]["resultType"], "input_required", "{sent}");
    assert!(asked["url"].as_str().unwrap().ends_with("/tool-accounts"), "{sent}");
    let mut again =
        json!({"name": "whoami", "arguments": {}, "requestState": sent["result"]["requestState"]});
    again["inputResponses"] = json!({"account": {"action": "accept"}});
    scene.connect(&scene.dora, "dora").await;
    let gone_on = scene.world.mcp_as(&scene.dora, "/mcp/own", "tools/call", again, &can).await.1;
    assert_eq!(gone_on["result"]["content"][0]["text"], "dora", "{gone_on}");
    assert_eq!(scene.who(&scene.dora).await, "dora");
    assert_eq!(scene.who(&scene.world.token).await, "admin");
    // What is read and listed is one's own as well.
    for (token, own) in [(&scene.dora, "own://dora"), (&scene.world.token, "own://admin")] {
        let listed = scene.world.mcp(token, "/mcp", "resources/list", json!({})).await.1;
        assert_eq!(listed["result"]["resources"][0]["uri"], own, "{listed}");
    }
    let listed = scene.ask(Method::GET, "/api/v1/account/tool-servers", &scene.dora).await.1;
    assert_eq!(listed["items"][0]["connected"], true, "{listed}");
    assert_eq!(listed["items"][0]["issuer"], json!(scene.place.known().issuer));
    let connected = scene.world.records("tool_account.connect").await;
    assert_eq!(connected.len(), 2);
    let about = scene.place.known().registered.clone();
    assert_eq!(about[0]["client_name"], "Wardroom (own)", "the gateway introduces itself");
    let document =
        scene.browser.get(scene.world.at("/oauth/gateway-client/own")).send().await.unwrap();
    let document: Value = document.json().await.unwrap();
    assert_eq!(document["client_id"], scene.world.at("/oauth/gateway-client/own"));
    assert_eq!(document["redirect_uris"], about[0]["redirect_uris"]);
    let tokens: Vec<String> = scene.place.known().tokens.keys().cloned().collect();
    let log = scene.world.text("/api/v1/audit/records?limit=100").await;
    assert!(!tokens.iter().any(|token| log.contains(token.as_str())), "a token stands in the log");
    let forms = scene.place.known().forms.clone();
    assert!(forms.iter().all(|form| form["resource"] == scene.place.url), "{forms:?}");
    // Let go of, it is used no more.
    let path = "/api/v1/account/tool-servers/own";
    assert_eq!(scene.ask(Method::DELETE, path, &scene.dora).await.0, StatusCode::NO_CONTENT);
    assert_eq!(scene.ask(Method::DELETE, path, &scene.dora).await.0, StatusCode::NOT_FOUND);
    assert!(message(&scene.call(&scene.dora, "whoami").await).contains("not connected"));
    assert_eq!(scene.who(&scene.world.token).await, "admin");
    scene.world.sound().await;
}

#[tokio::test]
async fn an_answer_is_good_for_whoever_asked_and_once() {
    let scene = Scene::new().await;
    scene.accepted().await;
    // Somebody is sent another's way, or another's answer is brought to them.
    let back = scene.authorize(scene.begin(&scene.world.token).await, "mallory").await;
    let (status, _) = scene.ask(Method::GET, &back, &scene.dora).await;
    assert_eq!(status, StatusCode::BAD_GATEWAY);
    let answer = scene.authorize(scene.begin(&scene.dora).await, "dora").await;
    for (from, to) in [
        ("iss=http", "iss=https"),
        ("code=code", "code=other"),
        ("state=", "state=x"),
        ("own/finish", "other/finish"),
    ] {
        let altered = answer.replacen(from, to, 1);
        assert_ne!(altered, answer);
        let (status, _) = scene.ask(Method::GET, &altered, &scene.dora).await;
        assert_eq!(status, StatusCode::BAD_GATEWAY, "{altered}");
    }
    let unnamed = answer.split("&iss=").next().unwrap();
    assert_eq!(scene.ask(Method::GET, unnamed, &scene.dora).await.0, StatusCode::BAD_GATEWAY);
    assert_eq!(scene.ask(Method::GET, &answer, &scene.dora).await.0, StatusCode::SEE_OTHER);
    assert_eq!(scene.ask(Method::GET, &answer, &scene.dora).await.0, StatusCode::BAD_GATEWAY);
    assert_eq!(scene.who(&scene.dora).await, "dora");
    assert_eq!(scene.who(&scene.world.token).await, "admin");
    // The way back is a page that leads on within the site: the session's cookie is not sent from elsewhere.
    let page = scene
        .browser
        .get(scene.world.at("/tool-accounts/callback/own?code=1&state=%22%3E%3Cscript%3E"));
    let page = page.send().await.unwrap().text().await.unwrap();
    assert!(page.contains("0;url=/tool-accounts/own/finish?code=1"), "{page}");
    assert!(!page.contains("<script>"), "{page}");
}

#[tokio::test]
async fn tokens_are_renewed_once_and_what_is_lost_is_connected_anew() {
    let scene = Scene::new().await;
    scene.place.known().life = 0;
    scene.accepted().await;
    scene.connect(&scene.dora, "dora").await;
    // Each is over when it comes: it is renewed, by one of those who want it at the same time.
    let calls = (0..8).map(|_| scene.who(&scene.dora));
    let who = futures_util::future::join_all(calls).await;
    assert!(who.iter().all(|who| who == "dora"), "{who:?}");
    scene.place.known().life = 3600;
    let refreshed = |scene: &Scene| {
        let known = scene.place.known();
        known.forms.iter().filter(|form| form["grant_type"] == "refresh_token").count()
    };
    let before = refreshed(&scene);
    let calls = (0..8).map(|_| scene.who(&scene.dora));
    futures_util::future::join_all(calls).await;
    assert_eq!(refreshed(&scene), before + 1, "one renews it for all");
    assert_eq!(scene.who(&scene.dora).await, "dora");
    // Taken back before its end: the server says so, and another is asked for.
    scene.place.known().tokens.clear();
    assert_eq!(scene.who(&scene.dora).await, "dora");
    // For more than it was given for it is connected anew, and asked for that.
    let said = scene.call(&scene.dora, "change").await;
    assert!(message(&said).contains("for more than"), "{said}");
    let way = scene.begin(&scene.dora).await;
    let scope = way.query_pairs().find(|(name, _)| name == "scope").unwrap().1.into_owned();
    assert_eq!(scope, "read write");
    scene.connect(&scene.dora, "dora").await;
    let changed = scene.call(&scene.dora, "change").await;
    assert_eq!(changed["result"]["content"][0]["text"], "dora", "{changed}");
    // The authorization server knows nothing of it any more.
    scene.connect(&scene.dora, "dora").await;
    scene.place.known().forget();
    let said = scene.call(&scene.dora, "whoami").await;
    assert!(message(&said).contains("not connected any more"), "{said}");
    let lost = scene.world.records("tool_account.lost").await;
    assert_eq!((lost.len(), &lost[0]["outcome"]), (1, &json!("failed")), "{lost:?}");
    // What is refused to one says nothing of the server, however often.
    scene.connect(&scene.dora, "dora").await;
    scene.connect(&scene.world.token, "admin").await;
    scene.place.known().banned = Some("dora".to_owned());
    for _ in 0..10 {
        let said = scene.call(&scene.dora, "whoami").await;
        assert!(message(&said).contains("does not take your account"), "{said}");
    }
    assert_eq!(scene.who(&scene.world.token).await, "admin");
    // Nor does it cost anybody's account that the client is not known for a while.
    scene.place.known().banned = None;
    scene.place.known().closed = true;
    scene.place.known().tokens.clear();
    let said = scene.call(&scene.dora, "whoami").await;
    assert!(message(&said).contains("invalid_client"), "{said}");
    scene.place.known().closed = false;
    assert_eq!(scene.who(&scene.dora).await, "dora");
    let server = scene.world.get("/api/v1/tool-servers/own").await;
    assert_eq!(server["health"]["breaker"], "closed");
}

#[tokio::test]
async fn tokens_go_nowhere_but_where_their_holder_sent_them() {
    let scene = Scene::new().await;
    scene.accepted().await;
    assert_eq!(scene.who(&scene.world.token).await, "admin");
    let other = Place::start().await;
    let change = async |body: Value| {
        let request = scene.browser.patch(scene.world.at("/api/v1/tool-servers/own"));
        let request = request.bearer_auth(&scene.world.token).header("if-match", "*");
        let answer = request.json(&body).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{}", answer.text().await.unwrap());
    };
    change(json!({"way": {"kind": "http", "url": other.url}})).await;
    let looked = scene.world.post("/api/v1/tool-servers/own/test", Value::Null).await;
    let problem = looked["health"]["problem"].as_str().unwrap();
    assert!(problem.contains("was changed since you connected"), "{problem}");
    assert!(other.known().calls.is_empty());
    change(json!({"way": {"kind": "http", "url": scene.place.url}})).await;
    assert_eq!(scene.who(&scene.world.token).await, "admin");
    let client = json!({"issuer": scene.place.known().issuer, "id": "another"});
    change(json!({"shown": {"kind": "account", "client": client}})).await;
    assert!(message(&scene.call(&scene.world.token, "whoami").await).contains("was changed since"));
    change(json!({"shown": {"kind": "account"}})).await;
    assert_eq!(scene.who(&scene.world.token).await, "admin");
    // Neither a code nor a secret goes to an issuer that was exchanged for another meanwhile.
    let begun = scene.begin(&scene.world.token).await;
    world_secret(&scene.world).await;
    let client = json!({"issuer": scene.place.known().issuer, "id": "gate", "secret": "gate.key"});
    change(json!({"shown": {"kind": "account", "client": client}})).await;
    let forms = scene.place.known().forms.len();
    let back = scene.authorize(begun, "admin").await;
    let (status, _) = scene.ask(Method::GET, &back, &scene.world.token).await;
    assert_eq!((status, scene.place.known().forms.len()), (StatusCode::BAD_GATEWAY, forms));
    change(json!({"shown": {"kind": "account"}})).await;
    // A token that was given for everything is not given for this: somebody connects who just proved who they are.
    let unscoped = scene.world.post("/api/v1/tokens", json!({"name": "robot"})).await;
    let path = "/api/v1/account/tool-servers/own/connect";
    let (status, _) = scene.ask(Method::POST, path, unscoped["secret"].as_str().unwrap()).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    // One that calls itself by another's name is given nothing.
    scene.place.known().lies = Some(other.url.clone());
    change(json!({"about": "lies"})).await;
    let (status, problem) = scene.ask(Method::POST, path, &scene.world.token).await;
    assert_eq!(
        (status, problem["code"].as_str()),
        (StatusCode::BAD_GATEWAY, Some("authorization_failed"))
    );
    assert!(problem["detail"].as_str().unwrap().contains("another server"), "{problem}");
    // Nobody connects at what they may not use.
    scene.world.add_account("carla", Role::Customer, PASSWORD).await;
    let carla = scene.world.sign_in_as("carla", PASSWORD).await;
    assert_eq!(scene.ask(Method::POST, path, &carla).await.0, StatusCode::NOT_FOUND);
    let listed = scene.ask(Method::GET, "/api/v1/account/tool-servers", &carla).await.1;
    assert_eq!(listed["items"], json!([]));
}

#[tokio::test]
async fn the_gateways_own_token_is_asked_for_with_a_named_secret() {
    let world = World::with(&["outbound_allow=127.0.0.0/8".to_owned()]).await;
    let place = Place::start().await;
    let secret = |value: &str| json!({"name": "gate.key", "value": value});
    world.post("/api/v1/secrets", secret("wrong")).await;
    let client = json!({"issuer": place.known().issuer, "id": "gate", "secret": "gate.key"});
    let way = json!({"kind": "http", "url": place.url});
    let shown = json!({"kind": "client", "client": client});
    world.post("/api/v1/tool-servers", json!({"name": "own", "way": way, "shown": shown})).await;
    let looked = world.post("/api/v1/tool-servers/own/test", Value::Null).await;
    let problem = looked["health"]["problem"].as_str().unwrap();
    assert!(problem.contains("invalid_client"), "{problem}");
    let renewed = json!({"value": "s3cret"});
    let put = world.client.put(world.at("/api/v1/secrets/gate.key")).bearer_auth(&world.token);
    assert!(put.json(&renewed).send().await.unwrap().status().is_success());
    world.accept_tools("own").await;
    let call = async |tool: &str| {
        let params = json!({"name": tool, "arguments": {}});
        world.mcp(&world.token, "/mcp/own", "tools/call", params).await.1
    };
    assert_eq!(call("whoami").await["result"]["content"][0]["text"], "the gateway");
    // It wants more than it said: that is asked for.
    assert_eq!(call("change").await["result"]["content"][0]["text"], "the gateway");
    let given = place.known().forms.len();
    assert_eq!(call("change").await["result"]["content"][0]["text"], "the gateway");
    assert_eq!(place.known().forms.len(), given, "a token that is good is used again");
    place.known().tokens.clear();
    assert_eq!(call("whoami").await["result"]["content"][0]["text"], "the gateway");
    wait_for("the calls in the book", || async {
        let calls = world.get("/api/v1/tool-calls").await;
        let done = |call: &Value| call["state"] == "succeeded";
        (calls["items"].as_array().unwrap().iter().filter(|call| done(call)).count() == 4)
            .then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_tool_server_leads_nowhere_but_where_it_may() {
    let scene = Scene::new().await;
    let elsewhere = scene.place.known().issuer.replace("127.0.0.1", "127.0.0.9");
    assert!(elsewhere.contains("127.0.0.9"), "{elsewhere}");
    scene.place.known().issuer = elsewhere;
    let begin = async || {
        let path = "/api/v1/account/tool-servers/own/connect";
        scene.ask(Method::POST, path, &scene.dora).await.1.to_string()
    };
    // Settings open that network to what people name, and to nothing that a tool server names.
    let said = begin().await;
    assert!(said.contains("127.0.0.9"), "{said}");
    assert!(said.contains("not https") || said.contains("not public"), "{said}");
    let patch = async |egress: Value| {
        let way = json!({"kind": "http", "url": scene.place.url, "egress": egress});
        let patch = scene.browser.patch(scene.world.at("/api/v1/tool-servers/own"));
        let patch = patch.bearer_auth(&scene.world.token).header("if-match", "*");
        let answer = patch.json(&json!({"way": way})).send().await.unwrap();
        (answer.status(), answer.text().await.unwrap())
    };
    assert_eq!(patch(json!(["auth.example"])).await.0, StatusCode::OK);
    let said = begin().await;
    assert!(said.contains("127.0.0.9 is none of the hosts"), "{said}");
    // Its registrar named the host: it is asked, and is not there.
    assert_eq!(patch(json!(["127.0.0.9"])).await.0, StatusCode::OK);
    let said = begin().await;
    assert!(!said.contains("none of the hosts") && !said.contains("not public"), "{said}");
    for wrong in ["auth.example:8443", "https://auth.example", "AUTH.example", "*", ""] {
        let (status, said) = patch(json!([wrong])).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{wrong}");
        assert!(said.contains("egress"), "{said}");
    }
    let shown = scene.world.get("/api/v1/tool-servers/own").await;
    assert_eq!(shown["way"]["egress"], json!(["127.0.0.9"]));
    let records = scene.world.records("tool_server.update").await;
    assert_eq!(records[0]["detail"]["egress"], "127.0.0.9", "{records:?}");
}
