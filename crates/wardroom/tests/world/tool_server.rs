//! A tool server of revision 2026-07-28 within the test, which does what the test tells it.

use axum::{Json, Router, extract::State, http::StatusCode, response::IntoResponse, routing::post};
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::net::TcpListener;

/// What the server does and has seen.
#[derive(Default)]
pub struct Scene {
    /// The tools that it lists.
    pub tools: Mutex<Vec<Value>>,
    /// Calls that reached it.
    pub calls: AtomicUsize,
    /// It answers with 503.
    pub broken: AtomicBool,
    /// The `Authorization` that it was last shown.
    pub shown: Mutex<Option<String>>,
    /// The parameters of the last call.
    pub last: Mutex<Value>,
    /// The tools that were called, in order.
    pub names: Mutex<Vec<String>>,
    /// What a tool gives back, whatever it is given.
    pub gives: Mutex<HashMap<String, String>>,
}

/// A running tool server.
pub struct ToolServer {
    pub url: String,
    pub scene: Arc<Scene>,
}

/// A tool that takes a text.
pub fn tool(name: &str, description: &str) -> Value {
    json!({
        "name": name,
        "description": description,
        "inputSchema": {
            "type": "object",
            "properties": {"text": {"type": "string", "maxLength": 100}, "n": {"type": "integer"}},
            "additionalProperties": false,
        },
        "annotations": {"readOnlyHint": name == "echo", "destructiveHint": name == "wipe"},
    })
}

impl ToolServer {
    /// One with the tools `echo`, `wipe`, `slow` and `odd`.
    pub async fn start() -> Self {
        let scene = Arc::new(Scene::default());
        *scene.tools.lock().unwrap() = vec![
            tool("echo", "Gives back what it is given"),
            tool("wipe", "Removes everything"),
            tool("slow", "Takes its time"),
            json!({
                "name": "odd",
                "description": "Does not give what it says",
                "inputSchema": {"type": "object"},
                "outputSchema": {"type": "object", "required": ["sum"]},
            }),
        ];
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/mcp", listener.local_addr().unwrap());
        let app = Router::new().route("/mcp", post(answer)).with_state(Arc::clone(&scene));
        // It goes with the test.
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, scene }
    }
}

async fn answer(
    State(scene): State<Arc<Scene>>,
    headers: axum::http::HeaderMap,
    Json(message): Json<Value>,
) -> axum::response::Response {
    if scene.broken.load(Ordering::Acquire) {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let shown = headers.get("authorization").map(|value| value.to_str().unwrap().to_owned());
    *scene.shown.lock().unwrap() = shown;
    let params = &message["params"];
    let result = match message["method"].as_str().unwrap_or_default() {
        "server/discover" => json!({
            "supportedVersions": ["2026-07-28"],
            "capabilities": {"tools": {}},
            "_meta": {"io.modelcontextprotocol/serverInfo": {"name": "test", "version": "1"}},
        }),
        "tools/list" => json!({"tools": *scene.tools.lock().unwrap()}),
        "tools/call" => {
            scene.calls.fetch_add(1, Ordering::AcqRel);
            *scene.last.lock().unwrap() = params.clone();
            let name = params["name"].as_str().unwrap_or_default().to_owned();
            scene.names.lock().unwrap().push(name);
            match params["name"].as_str().unwrap_or_default() {
                "slow" => {
                    tokio::time::sleep(Duration::from_secs(3600)).await;
                    json!({})
                }
                // Asks something first, as often as it is not told.
                _ if params["arguments"]["text"] == "ask" && params["inputResponses"].is_null() => {
                    let question = json!({"method": "roots/list"});
                    json!({"resultType": "input_required", "requestState": "s", "inputRequests": {"q": question}})
                }
                "odd" => json!({"content": [], "structuredContent": {"total": 1}}),
                name => {
                    let given = scene.gives.lock().unwrap().get(name).cloned();
                    let text = given.unwrap_or_else(|| params["arguments"].to_string());
                    json!({"content": [{"type": "text", "text": text}]})
                }
            }
        }
        other => {
            let error = json!({"code": -32601, "message": format!("no {other}")});
            let body = json!({"jsonrpc": "2.0", "id": message["id"], "error": error});
            return (StatusCode::NOT_FOUND, Json(body)).into_response();
        }
    };
    let mut result = result;
    if result["resultType"].is_null() {
        result["resultType"] = json!("complete");
    }
    Json(json!({"jsonrpc": "2.0", "id": message["id"], "result": result})).into_response()
}
