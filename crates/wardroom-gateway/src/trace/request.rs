//! What is told of a request on either side. SECURITY: names, and never arguments or results: who reads traces need not
//! be who may read those.

use super::{OpenSpan, SpanKind, Tracer};
use crate::rpc::{Id, Object, RpcError};
use reqwest::Url;
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
        span.tell("jsonrpc.request.id", bounded(&id.to_string()));
        match (method.as_str(), name) {
            ("tools/call", Some(name)) => {
                span.tell("gen_ai.operation.name", "execute_tool");
                span.tell("gen_ai.tool.name", name);
            }
            ("prompts/get", Some(name)) => span.tell("gen_ai.prompt.name", name),
            _ => {}
        }
        span.tell("mcp.method.name", method);
        if let Some(uri) = params.text("uri").as_deref().and_then(without_secrets) {
            span.tell("mcp.resource.uri", bounded(&uri));
        }
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
                self.tell("rpc.response.status_code", error.code.to_string());
                Some(error.code.to_string())
            }
        };
        self.end(error);
    }
}

/// An address without what may be a secret in it.
fn without_secrets(uri: &str) -> Option<String> {
    let mut url = Url::parse(uri).ok()?;
    let _ = (url.set_username(""), url.set_password(None));
    url.set_query(None);
    url.set_fragment(None);
    Some(url.into())
}

/// A name that somebody else chose.
fn bounded(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(NAME_CHARS_MAX).collect()
}
