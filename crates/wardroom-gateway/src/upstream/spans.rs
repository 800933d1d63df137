//! Spans of requests to tool servers (OpenTelemetry, semantic conventions for MCP, client spans).

use super::{Ask, Failure, endpoint::Endpoint, server::Upstream};
use crate::{
    era::{Era, MODERN},
    rpc::{Id, Object},
    trace::{OpenSpan, SpanKind},
};
use reqwest::Url;
use wardroom_core::tool::server::Way;

impl Upstream {
    /// Begins the span of a request; gives what is asked as a part of it. What the gateway asks of its own accord has
    /// none: nobody waits for it.
    pub(super) fn trace(
        &self,
        endpoint: &Endpoint,
        era: Era,
        id: &Id,
        ask: &Ask,
    ) -> Option<(Ask, OpenSpan)> {
        let tracer = self.parts.tracer.as_ref().filter(|_| ask.party.is_some())?;
        let mut ask = ask.clone();
        let mut span = tracer.request(SpanKind::Client, &ask.method, id, &mut ask.params);
        span.set_attribute("wardroom.tool_server", self.server.name.as_str());
        if era == Era::Modern {
            span.set_attribute("mcp.protocol.version", MODERN);
        }
        match (endpoint, &self.server.way) {
            (Endpoint::Http(_), Way::Http { url, .. }) => {
                span.set_attribute("network.transport", "tcp");
                span.set_attribute("network.protocol.name", "http");
                if let Ok(url) = Url::parse(url) {
                    span.set_attribute("server.address", url.host_str().unwrap_or_default());
                    let port = url.port_or_known_default().unwrap_or_default();
                    span.set_attribute("server.port", i64::from(port));
                }
            }
            _ => span.set_attribute("network.transport", "pipe"),
        }
        Some((ask, span))
    }
}

/// Ends a span with what came of it.
pub(super) fn end(span: OpenSpan, outcome: &Result<Object, Failure>) {
    let kind = match outcome {
        Ok(result) => return span.answered(Ok(result)),
        Err(Failure::Rpc(error)) => return span.answered(Err(error)),
        Err(Failure::Unreachable(_) | Failure::Elsewhere(_)) => "unreachable",
        Err(Failure::Denied(_)) => "denied",
        Err(Failure::SessionLost) => "session_lost",
        Err(Failure::TooLong(_)) => "too_long",
        Err(Failure::TimedOut(_)) => "timeout",
        Err(Failure::Cancelled) => "cancelled",
        Err(_) => "_OTHER",
    };
    span.end(Some(kind.to_owned()));
}
