//! What requests took, here and at tool servers, as OpenTelemetry tells it: spans by its semantic conventions for MCP,
//! in the trace that the client began.

mod context;
mod request;
mod span;

pub use context::TraceContext;
pub use span::{Attribute, OpenSpan, Span, SpanKind, SpanSink, Tracer, Traces};
