//! What is told of a request on either side. SECURITY: names of methods, tools and prompts, and never arguments, results
//! or addresses of what is read: who reads traces need not be who may read those.

use super::{OpenSpan, SpanKind, Tracer};
use crate::rpc::{Id, Object, RpcError};
use std::sync::Arc;

/// The longest name that is told, in characters.
const NAME_CHARS_MAX: usize = 128;

impl Tracer {
    /// Begins the span of a request, of which its parameters then say that it is a part.
    pub(crate) fn request(
        self: &Arc<Self>,
        kind: SpanKind,
        method: &str,
        id: &Id,
        params: &mut Object,
    ) -> OpenSpan {
        let method = bounded(method);
        let name = params.text("name").map(|name| bounded(&name));
        let title = match &name {
            Some(name) => format!("{method} {name}"),
            None => method.clone(),
        };
        let mut span = self.begin(kind, title, params);
        // What a client calls its request otherwise than by number may say anything.
        if let Id::Number(id) = id {
            span.set_attribute("jsonrpc.request.id", id.to_string());
        }
        match (method.as_str(), name) {
            ("tools/call", Some(name)) => {
                span.set_attribute("gen_ai.operation.name", "execute_tool");
                span.set_attribute("gen_ai.tool.name", name);
            }
            ("prompts/get", Some(name)) => span.set_attribute("gen_ai.prompt.name", name),
            _ => {}
        }
        span.set_attribute("mcp.method.name", method);
        span
    }
}

impl OpenSpan {
    /// Ends the span of a request that was answered.
    pub(crate) fn answered(mut self, answer: Result<&Object, &RpcError>) {
        let error = match answer {
            Ok(result) => {
                (result.get::<bool>("isError") == Some(true)).then(|| "tool_error".to_owned())
            }
            Err(error) => {
                self.set_attribute("rpc.response.status_code", error.code.to_string());
                Some(error.code.to_string())
            }
        };
        self.end(error);
    }
}

/// A name that somebody else chose.
fn bounded(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(NAME_CHARS_MAX).collect()
}
