//! A tool server that takes tokens, and the authorization server that gives them, within the test.

use axum::{
    Form, Json, Router,
    extract::{Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};
use tokio::net::TcpListener;
use wardroom_core::digest::sha256;

type Pairs = BTreeMap<String, String>;

/// A code that was given, and what it was given for.
#[derive(Clone)]
struct Code {
    who: String,
    scope: String,
    asked: Pairs,
}

/// What both servers know.
#[derive(Default)]
pub struct Known {
    pub resource: String,
    pub issuer: String,
    /// Who each token is of, and what for.
    pub tokens: BTreeMap<String, (String, String)>,
    refresh: BTreeMap<String, (String, String)>,
    codes: BTreeMap<String, Code>,
    /// Every form that came to the token endpoint.
    pub forms: Vec<Pairs>,
    /// Every call that was let in: whose.
    pub calls: Vec<String>,
    /// What clients said of themselves.
    pub registered: Vec<Value>,
    /// In seconds; tokens that live for no time are renewed with each use.
    pub life: i64,
    /// Whom the tool server lets do nothing.
    pub banned: Option<String>,
    /// Whether the authorization server knows no client.
    pub closed: bool,
    /// What the tool server calls itself, where it lies.
    pub lies: Option<String>,
    counted: u32,
}

impl Known {
    /// Forgets every token.
    pub fn forget(&mut self) {
        self.tokens.clear();
        self.refresh.clear();
    }

    fn next(&mut self, what: &str) -> String {
        self.counted += 1;
        format!("{what}-{}", self.counted)
    }

    fn give(&mut self, who: &str, scope: &str) -> Value {
        let (token, refresh) = (self.next("access"), self.next("refresh"));
        let owned = (who.to_owned(), scope.to_owned());
        self.tokens.insert(token.clone(), owned.clone());
        self.refresh.insert(refresh.clone(), owned);
        json!({"access_token": token, "token_type": "Bearer", "expires_in": self.life, "refresh_token": refresh, "scope": scope})
    }
}

pub type Shared = Arc<Mutex<Known>>;

/// Both servers.
pub struct Place {
    pub url: String,
    pub known: Shared,
}

impl Place {
    pub async fn start() -> Self {
        let tools = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", tools.local_addr().unwrap());
        let known = Known {
            resource: format!("{origin}/mcp"),
            issuer: format!("http://{}/realm", issuer.local_addr().unwrap()),
            life: 3600,
            ..Known::default()
        };
        let known: Shared = Arc::new(Mutex::new(known));
        let own = Router::new()
            .route("/mcp", post(answer))
            .route("/about", get(resource))
            .with_state(Arc::clone(&known));
        let giving = Router::new()
            .route("/.well-known/oauth-authorization-server/realm", get(metadata))
            .route("/realm/authorize", get(authorize))
            .route("/realm/token", post(token))
            .route("/realm/register", post(register))
            .with_state(Arc::clone(&known));
        // They go with the test.
        tokio::spawn(async move { axum::serve(tools, own).await.unwrap() });
        tokio::spawn(async move { axum::serve(issuer, giving).await.unwrap() });
        Self { url: format!("{origin}/mcp"), known }
    }

    pub fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap()
    }
}

async fn resource(State(known): State<Shared>) -> Json<Value> {
    let known = known.lock().unwrap();
    let own = known.lies.clone().unwrap_or_else(|| known.resource.clone());
    Json(
        json!({"resource": own, "authorization_servers": [known.issuer], "scopes_supported": ["read", "write"]}),
    )
}

async fn metadata(State(known): State<Shared>) -> Json<Value> {
    let issuer = known.lock().unwrap().issuer.clone();
    Json(json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "registration_endpoint": format!("{issuer}/register"),
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "none"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
    }))
}

async fn register(State(known): State<Shared>, Json(about): Json<Value>) -> Json<Value> {
    let mut known = known.lock().unwrap();
    known.registered.push(about);
    let id = known.next("client");
    Json(json!({"client_id": id, "token_endpoint_auth_method": "none"}))
}

/// Lets in whoever says that they are `login`, without asking.
async fn authorize(State(known): State<Shared>, Query(asked): Query<Pairs>) -> Redirect {
    let mut known = known.lock().unwrap();
    let code = known.next("code");
    let who = asked["login"].clone();
    let scope = asked.get("scope").cloned().unwrap_or_default();
    let back = reqwest::Url::parse_with_params(
        &asked["redirect_uri"],
        [("code", &code), ("state", &asked["state"]), ("iss", &known.issuer)],
    );
    known.codes.insert(code, Code { who, scope, asked });
    Redirect::to(back.unwrap().as_str())
}

async fn token(
    State(known): State<Shared>,
    headers: HeaderMap,
    Form(form): Form<Pairs>,
) -> Response {
    let mut known = known.lock().unwrap();
    let refused =
        |code: &str| (StatusCode::BAD_REQUEST, Json(json!({"error": code}))).into_response();
    let mut form = form;
    if let Some(basic) = headers.get(header::AUTHORIZATION) {
        form.insert("basic".to_owned(), basic.to_str().unwrap().to_owned());
    }
    known.forms.push(form.clone());
    if known.closed {
        return refused("invalid_client");
    }
    if form.get("resource") != Some(&known.resource) {
        return refused("invalid_target");
    }
    match form["grant_type"].as_str() {
        "authorization_code" => {
            let Some(code) = known.codes.remove(&form["code"]) else {
                return refused("invalid_grant");
            };
            let challenge = BASE64URL_NOPAD.encode(&sha256(&[form["code_verifier"].as_bytes()]));
            let same = |name: &str| code.asked[name] == form[name];
            if challenge != code.asked["code_challenge"]
                || !same("redirect_uri")
                || !same("client_id")
            {
                return refused("invalid_grant");
            }
            Json(known.give(&code.who, &code.scope)).into_response()
        }
        "refresh_token" => match known.refresh.remove(&form["refresh_token"]) {
            Some((who, scope)) => Json(known.give(&who, &scope)).into_response(),
            None => refused("invalid_grant"),
        },
        "client_credentials" => {
            // gate:s3cret
            if form.get("basic").map(String::as_str) != Some("Basic Z2F0ZTpzM2NyZXQ=") {
                return refused("invalid_client");
            }
            let scope = form.get("scope").cloned().unwrap_or_default();
            Json(known.give("the gateway", &scope)).into_response()
        }
        _ => refused("unsupported_grant_type"),
    }
}

fn refusal(known: &Known, status: StatusCode, more: &str) -> Response {
    let about = format!("{}/about", known.resource.trim_end_matches("/mcp"));
    let value = format!("Bearer realm=\"tools\", resource_metadata=\"{about}\"{more}");
    (status, [(header::WWW_AUTHENTICATE, value)]).into_response()
}

async fn answer(
    State(known): State<Shared>,
    headers: HeaderMap,
    Json(message): Json<Value>,
) -> Response {
    let mut known = known.lock().unwrap();
    let shown = headers.get("authorization").and_then(|value| value.to_str().ok());
    let shown = shown.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
    let Some((who, scope)) = known.tokens.get(shown).cloned() else {
        return refusal(&known, StatusCode::UNAUTHORIZED, ", scope=\"read\"");
    };
    if known.banned.as_ref() == Some(&who) {
        return refusal(&known, StatusCode::FORBIDDEN, "");
    }
    let tool = |name: &str| json!({"name": name, "description": "Says who asks", "inputSchema": {"type": "object"}});
    let params = &message["params"];
    let result = match message["method"].as_str().unwrap_or_default() {
        "server/discover" => json!({
            "supportedVersions": ["2026-07-28"],
            "capabilities": {"tools": {}, "resources": {"subscribe": true}},
        }),
        "tools/list" => json!({"tools": [tool("whoami"), tool("change")]}),
        "resources/list" => json!({"resources": [{"uri": format!("own://{who}"), "name": who}]}),
        "tools/call" => {
            let writes = scope.split(' ').any(|scope| scope == "write");
            if params["name"] == "change" && !writes {
                let more = ", error=\"insufficient_scope\", scope=\"write\"";
                return refusal(&known, StatusCode::FORBIDDEN, more);
            }
            known.calls.push(who.clone());
            json!({"content": [{"type": "text", "text": who}]})
        }
        other => json!({"unknown": other}),
    };
    let mut result = result;
    result["resultType"] = json!("complete");
    Json(json!({"jsonrpc": "2.0", "id": message["id"], "result": result})).into_response()
}
