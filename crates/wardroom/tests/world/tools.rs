//! Tool servers of an installation, and clients of its gateway.

use super::{World, tool_server::ToolServer, wait_for};
use serde_json::{Value, json};
use std::fs;

impl World {
    /// An installation with one tool server as `name`, all of whose tools are accepted.
    pub async fn with_tools(name: &str) -> (Self, ToolServer) {
        let world = Self::with(&["outbound_allow=127.0.0.0/8".to_owned()]).await;
        let server = ToolServer::start().await;
        world.add_tools(name, &server.url).await;
        (world, server)
    }

    /// Registers a tool server as `name` and accepts its tools.
    pub async fn add_tools(&self, name: &str, url: &str) {
        let way = json!({"kind": "http", "url": url});
        self.post("/api/v1/tool-servers", json!({"name": name, "way": way})).await;
        self.accept_tools(name).await;
    }

    /// Accepts all tools of a server as they are described now.
    pub async fn accept_tools(&self, name: &str) {
        let looked = self.post(&format!("/api/v1/tool-servers/{name}/test"), Value::Null).await;
        assert_eq!(looked["health"]["state"], "ready", "{looked}");
        let tools = self.get(&format!("/api/v1/tool-servers/{name}/tools")).await;
        for tool in tools["items"].as_array().expect("a list") {
            let body = json!({"tool": tool["name"], "digest": tool["digest"]});
            self.post(&format!("/api/v1/tool-servers/{name}/tools/accept"), body).await;
        }
    }

    /// Opens a session of revision 2025-11-25 with the gateway; its id.
    pub async fn open_session(&self, token: &str, path: &str) -> String {
        let params = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}});
        let open = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params});
        let request = self.client.post(self.at(path)).bearer_auth(token).json(&open);
        let answer = request.send().await.expect("an answer");
        let id = answer.headers().get("mcp-session-id").expect("a session").to_str();
        id.expect("a text").to_owned()
    }

    /// Sends a message of revision 2026-07-28 to the gateway: the status and what is answered.
    pub async fn mcp(&self, token: &str, path: &str, method: &str, params: Value) -> (u16, Value) {
        self.mcp_as(token, path, method, params, &json!({})).await
    }

    /// The same as a client that can do something.
    pub async fn mcp_as(
        &self,
        token: &str,
        path: &str,
        method: &str,
        mut params: Value,
        capabilities: &Value,
    ) -> (u16, Value) {
        params["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!("2026-07-28");
        params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = capabilities.clone();
        let mut request = self
            .client
            .post(self.at(path))
            .bearer_auth(token)
            .header("accept", "application/json, text/event-stream")
            .header("mcp-protocol-version", "2026-07-28")
            .header("mcp-method", method);
        if let Some(name) = params["name"].as_str().or(params["uri"].as_str()) {
            request = request.header("mcp-name", name);
        }
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let answer = request.json(&body).send().await.expect("an answer");
        let status = answer.status().as_u16();
        (status, serde_json::from_str(&answer.text().await.expect("a text")).unwrap_or_default())
    }

    /// Adds to the node's allow-list, and waits until it is published.
    pub async fn add_to_list(&self, added: &str, name: &str) {
        let list = self.folder.path().join("commands.toml");
        let text = fs::read_to_string(&list).expect("the allow-list");
        fs::write(&list, format!("{text}\n{added}")).expect("the allow-list");
        wait_for("the list", || async {
            let node = self.get("/api/v1/nodes/local").await;
            let servers = node["catalogue"]["tool_servers"].as_array().cloned().unwrap_or_default();
            servers.iter().any(|server| server["name"] == name).then_some(())
        })
        .await;
    }
}
