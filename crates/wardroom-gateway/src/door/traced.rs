//! Spans of requests that are answered here (OpenTelemetry, semantic conventions for MCP, server spans).

use super::client::{Client, Speaks};
use crate::{
    era::MODERN,
    rpc::Request,
    trace::{OpenSpan, SpanKind, Tracer},
};
use std::sync::Arc;
use wardroom_core::Door;

/// Begins the span of a request, of which the request then is a part.
pub(super) fn begin(tracer: &Arc<Tracer>, client: &Client, request: &mut Request) -> OpenSpan {
    let Request { id, method, params } = request;
    let mut span = tracer.request(SpanKind::Server, method, id, params);
    let version = match &client.speaks {
        Speaks::Modern(_) => MODERN,
        Speaks::Legacy(session) => session.version,
    };
    span.tell("mcp.protocol.version", version);
    span.tell("network.transport", "tcp");
    match client.caller.door() {
        Door::McpWebsocket => span.tell("network.protocol.name", "websocket"),
        Door::McpTcp => {}
        _ => span.tell("network.protocol.name", "http"),
    }
    span.tell("user.id", client.caller.user().to_string());
    if let Some(program) = client.caller.client() {
        span.tell("wardroom.program", program.to_string());
    }
    if let Some(server) = &client.scope {
        span.tell("wardroom.tool_server", server.as_str());
    }
    span
}
