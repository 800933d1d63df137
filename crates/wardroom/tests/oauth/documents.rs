//! Programs that nobody registered: each is what its own document says, where settings believe it.

use crate::{
    scene::{BACK, Scene, VERIFIER, between, challenge},
    world::{PASSWORD, World},
};
use axum::{
    Router,
    extract::State,
    http::{HeaderMap, Uri},
    routing::get,
};
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};
use tokio::net::TcpListener;
use wardroom_core::{Role, oauth::DOCUMENTS_OF_ONE_MAX};

/// A site with a program's document, which may change, and how often it was read.
#[derive(Clone, Default)]
struct Site {
    document: Arc<Mutex<Value>>,
    reads: Arc<AtomicUsize>,
}

impl Site {
    /// Opens it; gives its origin.
    async fn open(&self) -> String {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", socket.local_addr().unwrap());
        let told = async |State(site): State<Self>| {
            site.reads.fetch_add(1, Ordering::Relaxed);
            axum::Json(site.document.lock().unwrap().clone())
        };
        // As many programs as somebody likes, each at an address of its own.
        let many = async |headers: HeaderMap, uri: Uri| {
            let host = headers["host"].to_str().unwrap();
            axum::Json(document(&format!("http://{host}{}", uri.path())))
        };
        let routes = Router::new().route("/client.json", get(told)).route("/many/{n}", get(many));
        let routes = routes.with_state(self.clone());
        tokio::spawn(async move { axum::serve(socket, routes).await });
        origin
    }

    fn say(&self, document: Value) {
        *self.document.lock().unwrap() = document;
    }

    fn reads(&self) -> usize {
        self.reads.load(Ordering::Relaxed)
    }
}

fn document(id: &str) -> Value {
    json!({
        "client_id": id, "client_name": "Editor", "redirect_uris": ["http://127.0.0.1/cb"],
        "token_endpoint_auth_method": "none", "grant_types": ["authorization_code"],
    })
}

/// A person, and a program that names itself by its document at a site that is believed.
async fn scene(site: &Site) -> (Scene, String) {
    let origin = site.open().await;
    let id = format!("{origin}/client.json");
    site.say(document(&id));
    let world = World::with(&[
        "outbound_allow=127.0.0.0/8".to_owned(),
        format!("oauth_client_documents={origin}"),
    ])
    .await;
    world.add_account("dora", Role::Operator, PASSWORD).await;
    let mut scene = Scene::of(world);
    scene.program.clone_from(&id);
    scene.sign_in().await;
    (scene, id)
}

/// Sends a form to the token endpoint as a program that keeps no secret.
async fn token(scene: &Scene, client: &str, form: &[(&str, &str)]) -> (StatusCode, Value) {
    let mut form = form.to_vec();
    form.push(("client_id", client));
    let sent = scene.client.post(scene.world.at("/oauth/token")).form(&form).send().await.unwrap();
    (sent.status(), sent.json().await.unwrap())
}

async fn exchange(scene: &Scene, client: &str, code: &str) -> (StatusCode, Value) {
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", BACK),
        ("code_verifier", VERIFIER),
    ];
    token(scene, client, &form).await
}

#[tokio::test]
async fn a_program_is_granted_tools_as_what_its_document_says() {
    let site = Site::default();
    let (scene, id) = scene(&site).await;
    let said = scene.world.get("/.well-known/oauth-authorization-server").await;
    assert_eq!(said["client_id_metadata_document_supported"], true);
    let challenge = challenge();
    let resource = format!("{}/mcp", scene.world.url);
    let mut ask = scene.ask(&challenge);
    ask.insert("scope", "mcp.connect tool.call");
    ask.insert("resource", &resource);
    // Whoever is not signed in makes the server ask nobody.
    let first = scene.page("/oauth/authorize", &ask).await.text().await.unwrap();
    assert!(between(&first, "content=\"0;url=", "\"").starts_with("/oauth/consent?"), "{first}");
    assert_eq!(site.reads(), 0);
    let shown = scene.page("/oauth/consent", &ask).await.text().await.unwrap();
    assert!(shown.contains("Let Editor act") && shown.contains(&id), "{shown}");
    assert_eq!(site.reads(), 1);
    let listed = scene.world.get("/api/v1/oauth/clients").await;
    assert_eq!(listed["items"], json!([]), "what is only asked is not kept");

    let code = scene.decide(&ask, "allow").await["code"].clone();
    let (status, tokens) = exchange(&scene, &id, &code).await;
    assert_eq!((status, &tokens["scope"]), (StatusCode::OK, &json!("mcp.connect tool.call")));
    let access = tokens["access_token"].as_str().unwrap();
    let (status, answered) = scene.world.mcp(access, "/mcp", "tools/list", json!({})).await;
    assert_eq!(status, 200, "{answered}");
    let listed = scene.world.get("/api/v1/oauth/clients").await["items"].clone();
    assert_eq!((&listed[0]["document"], &listed[0]["name"]), (&json!(id), &json!("Editor")));
    let granted = scene.world.records("grant.create").await;
    assert_eq!(granted[0]["detail"]["document"], id, "{granted:?}");

    // It says something else of itself later: it is the same program.
    let mut other = document(&id);
    other["client_name"] = json!("Editor 2");
    site.say(other);
    let code = scene.decide(&ask, "allow").await["code"].clone();
    let again = scene.world.get("/api/v1/oauth/clients").await["items"].clone();
    assert_eq!(again.as_array().unwrap().len(), 1, "{again}");
    assert_eq!((&again[0]["id"], &again[0]["name"]), (&listed[0]["id"], &json!("Editor 2")));
    // By the id under which it is kept it is nobody.
    let kept = again[0]["id"].as_str().unwrap();
    assert_eq!(exchange(&scene, kept, &code).await.0, StatusCode::UNAUTHORIZED);
    let mut by_id = ask.clone();
    by_id.insert("client_id", kept);
    assert_eq!(scene.page("/oauth/consent", &by_id).await.status(), StatusCode::BAD_REQUEST);
    assert_eq!(exchange(&scene, &id, &code).await.0, StatusCode::OK);
    // Forgotten, all that it was granted ends.
    let forget = scene.client.delete(scene.world.at(&format!("/api/v1/oauth/clients/{kept}")));
    let gone = forget.bearer_auth(&scene.world.token).send().await.unwrap();
    assert_eq!(gone.status(), StatusCode::NO_CONTENT);
    let (status, _) = scene.world.mcp(access, "/mcp", "tools/list", json!({})).await;
    assert_eq!(status, 401);
}

#[tokio::test]
async fn what_is_not_believed_is_granted_nothing() {
    let site = Site::default();
    let (scene, id) = scene(&site).await;
    let challenge = challenge();
    let mut ask = scene.ask(&challenge);
    ask.insert("scope", "tool.call");
    let refused = async |ask: &std::collections::BTreeMap<&str, &str>, why: &str| {
        let page = scene.page("/oauth/consent", ask).await;
        let status = page.status();
        let text = page.text().await.unwrap();
        assert_eq!(status, StatusCode::BAD_REQUEST, "{text}");
        assert!(text.contains(why), "{why}: {text}");
    };
    let change = |name: &str, value: Value| {
        let mut changed = document(&id);
        changed[name] = value;
        site.say(changed);
    };
    change("client_id", json!("https://another.example/client.json"));
    refused(&ask, "not its own address").await;
    change("client_secret", json!("for everybody to read"));
    refused(&ask, "client_secret").await;
    change("token_endpoint_auth_method", json!("private_key_jwt"));
    refused(&ask, "must be none").await;
    change("redirect_uris", json!(["http://elsewhere.example/cb"]));
    refused(&ask, "redirect_uris").await;
    change("redirect_uris", json!(["http://127.0.0.1/other"]));
    refused(&ask, "not registered for it").await;
    change("client_name", json!("x".repeat(20_000)));
    refused(&ask, "too long").await;
    site.say(document(&id));
    let reads = site.reads();
    let elsewhere = "https://elsewhere.example/client.json";
    let spelled = id.replace("/client.json", "/./client.json");
    for named in [elsewhere, spelled.as_str()] {
        let mut ask = ask.clone();
        ask.insert("client_id", named);
        refused(&ask, "Nothing was granted").await;
    }
    assert_eq!(site.reads(), reads, "nothing is asked of whom nobody believes");
    // Beyond tools it asks in vain; nobody's browser is led to an address that nobody looked at.
    ask.insert("scope", "run.list");
    refused(&ask, "the client may not ask for run.list").await;
    ask.insert("scope", "tool.call");
    ask.remove("redirect_uri");
    refused(&ask, "its document has to name the address, and the program too").await;
    assert_eq!(scene.world.get("/api/v1/oauth/clients").await["items"], json!([]));
    let (status, said) = exchange(&scene, &id, "wrc_nothing").await;
    assert_eq!((status, &said["error"]), (StatusCode::UNAUTHORIZED, &json!("invalid_client")));
}

#[tokio::test]
async fn what_a_program_says_between_page_and_answer_counts_for_nothing() {
    let site = Site::default();
    let (scene, id) = scene(&site).await;
    let challenge = challenge();
    let mut ask = scene.ask(&challenge);
    ask.insert("scope", "tool.call");
    let shown = scene.page("/oauth/consent", &ask).await.text().await.unwrap();
    let hidden =
        |name: &str| between(&shown, &format!("name=\"{name}\" value=\""), "\"").to_owned();
    let (csrf, scopes, asker) = (hidden("csrf"), hidden("shown"), hidden("asker"));
    let mut other = document(&id);
    other["client_name"] = json!("Another");
    site.say(other);
    let form =
        [("csrf", csrf.as_str()), ("shown", &scopes), ("asker", &asker), ("decision", "allow")];
    let url = reqwest::Url::parse_with_params(&scene.world.at("/oauth/consent"), &ask).unwrap();
    let sent = scene.client.post(url).header("cookie", &scene.cookie);
    let sent = sent.header("origin", &scene.world.url).form(&form).send().await.unwrap();
    assert_eq!(sent.status(), StatusCode::BAD_REQUEST);
    assert!(sent.text().await.unwrap().contains("something else of itself now"));
    assert_eq!(scene.world.get("/api/v1/oauth/clients").await["items"], json!([]));
}

#[tokio::test]
async fn nobody_fills_the_table_of_programs() {
    let (scene, id) = scene(&Site::default()).await;
    let challenge = challenge();
    let site = id.strip_suffix("/client.json").unwrap();
    let many: Vec<String> =
        (0..=DOCUMENTS_OF_ONE_MAX).map(|n| format!("{site}/many/{n}")).collect();
    let mut ask = scene.ask(&challenge);
    ask.insert("scope", "tool.call");
    let (last, first) = many.split_last().unwrap();
    for named in first {
        ask.insert("client_id", named);
        scene.decide(&ask, "allow").await;
    }
    ask.insert("client_id", last);
    let refused = scene.answer(&ask, "allow").await;
    assert!(refused.status().is_client_error(), "{}", refused.status());
    let text = refused.text().await.unwrap();
    assert!(text.contains("ou were the first to grant something to 20 programs"), "{text}");
    // Those that are known are granted more.
    ask.insert("client_id", &many[0]);
    scene.decide(&ask, "allow").await;
    let listed = scene.world.get("/api/v1/oauth/clients").await;
    assert_eq!(listed["items"].as_array().unwrap().len(), DOCUMENTS_OF_ONE_MAX);
}

#[tokio::test]
async fn a_site_that_is_not_believed_any_more_renews_nothing_and_gives_back() {
    let site = Site::default();
    let (mut scene, id) = scene(&site).await;
    let challenge = challenge();
    let mut ask = scene.ask(&challenge);
    ask.insert("scope", "tool.call");
    let code = scene.decide(&ask, "allow").await["code"].clone();
    let (_, tokens) = exchange(&scene, &id, &code).await;
    scene.world.kill_orchestrator();
    scene.world.args.retain(|arg| !arg.starts_with("oauth_client_documents"));
    scene.world.args.push("oauth_client_documents=https://elsewhere.example".to_owned());
    scene.world.restart().await;
    let refresh = tokens["refresh_token"].as_str().unwrap();
    let form = [("grant_type", "refresh_token"), ("refresh_token", refresh)];
    let (status, said) = token(&scene, &id, &form).await;
    assert_eq!(
        (status, &said["error"]),
        (StatusCode::BAD_REQUEST, &json!("unauthorized_client")),
        "{said}"
    );
    let form = [("client_id", id.as_str()), ("token", refresh)];
    let back = scene.client.post(scene.world.at("/oauth/revoke")).form(&form).send().await.unwrap();
    assert_eq!(back.status(), StatusCode::OK);
    let listed = scene.world.get("/api/v1/oauth/clients").await;
    assert_eq!(listed["items"].as_array().unwrap().len(), 1, "{listed}");
    assert!(scene.sessions("dora").await.iter().all(|session| session["client"] != "Editor"));
}
