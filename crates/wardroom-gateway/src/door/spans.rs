//! Spans of requests that are answered here (OpenTelemetry, semantic conventions for MCP, server spans).

use super::client::{Client, Speaks};
use crate::{
    era::MODERN,
    rpc::Request,
    trace::{OpenSpan, SpanKind, Tracer},
};
use std::sync::Arc;
use wardroom_core::Door;

/// What clients ask for; a method that is none of these is some client's own word, and has no span.
const METHODS: [&str; 14] = [
    "tools/list",
    "tools/call",
    "resources/list",
    "resources/templates/list",
    "resources/read",
    "resources/subscribe",
    "resources/unsubscribe",
    "prompts/list",
    "prompts/get",
    "completion/complete",
    "logging/setLevel",
    "server/discover",
    "subscriptions/listen",
    "ping",
];

/// Begins the span of a request, of which the request then is a part.
pub(super) fn begin(
    tracer: &Arc<Tracer>,
    client: &Client,
    request: &mut Request,
) -> Option<OpenSpan> {
    let Request { id, method, params } = request;
    if !METHODS.contains(&method.as_str()) {
        return None;
    }
    let mut span = tracer.request(SpanKind::Server, method, id, params);
    let version = match &client.speaks {
        Speaks::Modern(_) => MODERN,
        Speaks::Legacy(session) => session.version,
    };
    span.set_attribute("mcp.protocol.version", version);
    span.set_attribute("network.transport", "tcp");
    match client.caller.door() {
        Door::McpWebsocket => span.set_attribute("network.protocol.name", "websocket"),
        Door::McpTcp => {}
        _ => span.set_attribute("network.protocol.name", "http"),
    }
    span.set_attribute("user.id", client.caller.user().to_string());
    if let Some(program) = client.caller.client() {
        span.set_attribute("wardroom.client", program.to_string());
    }
    if let Some(server) = &client.scope {
        span.set_attribute("wardroom.tool_server", server.as_str());
    }
    Some(span)
}
