//! Which trace a request belongs to (W3C Trace Context, level 1), in `_meta` (MCP SEP-414) or in headers of HTTP.

use crate::rpc::Object;
use data_encoding::HEXLOWER;
use reqwest::header::HeaderMap;

const PARENT: &str = "traceparent";
const STATE: &str = "tracestate";
/// The longest state that is passed on, in bytes (§3.3.1.5).
const STATE_BYTES_MAX: usize = 512;
/// `00-`, 16 bytes, `-`, 8 bytes, `-`, a byte.
const PARENT_LENGTH: usize = 55;

/// A place in a trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceContext {
    /// The trace.
    pub trace_id: [u8; 16],
    /// The span in it.
    pub span_id: [u8; 8],
    /// Whether whoever began it records it.
    pub sampled: bool,
    /// What systems on the way keep with it.
    pub tracestate: String,
}

impl TraceContext {
    /// The one that a request's parameters name.
    pub fn extract(params: &Object) -> Option<Self> {
        let own = params.object("_meta")?;
        Self::parse(&own.text(PARENT)?, own.text(STATE).as_deref())
    }

    /// Reads it; nothing where it is out of form (§3.2).
    fn parse(parent: &str, state: Option<&str>) -> Option<Self> {
        let (known, rest) = parent.split_at_checked(PARENT_LENGTH)?;
        let [version, trace, span, flags] = known.split('-').collect::<Vec<_>>().try_into().ok()?;
        let bytes = |text: &str| HEXLOWER.decode(text.as_bytes()).ok();
        let version = *bytes(version)?.first()?;
        // What a later version adds stands behind.
        let later = version > 0 && version != 0xff && (rest.is_empty() || rest.starts_with('-'));
        if !later && (version != 0 || !rest.is_empty()) {
            return None;
        }
        let trace_id: [u8; 16] = bytes(trace)?.try_into().ok()?;
        let span_id: [u8; 8] = bytes(span)?.try_into().ok()?;
        let [flags]: [u8; 1] = bytes(flags)?.try_into().ok()?;
        let plain = |state: &&str| {
            state.len() <= STATE_BYTES_MAX && state.bytes().all(|byte| matches!(byte, b' '..=b'~'))
        };
        (trace_id != [0; 16] && span_id != [0; 8]).then(|| Self {
            trace_id,
            span_id,
            sampled: flags & 1 == 1,
            tracestate: state.filter(plain).unwrap_or_default().to_owned(),
        })
    }

    /// Names it in a request's parameters, in place of any other.
    pub fn inject(&self, params: &mut Object) {
        let mut own = params.object("_meta").unwrap_or_default();
        let (trace, span) = (HEXLOWER.encode(&self.trace_id), HEXLOWER.encode(&self.span_id));
        own.set(PARENT, format!("00-{trace}-{span}-{:02x}", u8::from(self.sampled)));
        own.remove(STATE);
        if !self.tracestate.is_empty() {
            own.set(STATE, &self.tracestate);
        }
        params.set("_meta", own);
    }

    /// Names in a request's parameters what its header names, where they name nothing themselves: a tool server hears of
    /// it by whichever way it is reached. What systems on the way keep in other headers is not for tool servers of others.
    pub fn inject_from_headers(headers: &HeaderMap, params: &mut Object) {
        let own = params.object("_meta").unwrap_or_default();
        let mut named = headers.get_all(PARENT).iter();
        if !own.has(PARENT)
            && let (Some(parent), None) = (named.next(), named.next())
            && let Some(context) = parent.to_str().ok().and_then(|parent| Self::parse(parent, None))
        {
            context.inject(params);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn params(parent: &str, state: &str) -> Object {
        let own =
            Object::default().with("progressToken", 7).with(PARENT, parent).with(STATE, state);
        Object::default().with("name", "echo").with("_meta", own)
    }

    #[test]
    fn a_context_is_read_and_written_as_the_recommendation_has_it() {
        let mut read = params(GOOD, "a=1,b=2");
        let context = TraceContext::extract(&read).unwrap();
        assert!(context.sampled && context.tracestate == "a=1,b=2");
        context.inject(&mut read);
        assert_eq!(TraceContext::extract(&read), Some(context.clone()));
        assert_eq!(read.object("_meta").unwrap().text(PARENT).unwrap(), GOOD);
        assert_eq!(read.object("_meta").unwrap().get::<u8>("progressToken"), Some(7));
        let later = GOOD.replacen("00", "cc", 1);
        for good in [later.clone(), format!("{later}-more"), GOOD.replace("-01", "-03")] {
            assert_eq!(
                TraceContext::extract(&params(&good, "a=1,b=2")),
                Some(context.clone()),
                "{good}"
            );
        }
        let off = TraceContext::extract(&params(&GOOD.replace("-01", "-00"), "")).unwrap();
        assert!(!off.sampled && off.tracestate.is_empty());
        for bad in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0é",
            "00-4bf92f3577b34da6a3ce929d0e0e47-3600f067aa0ba902b7-01",
        ] {
            assert_eq!(TraceContext::extract(&params(bad, "a=1")), None, "{bad}");
        }
        let long = "x".repeat(STATE_BYTES_MAX + 1);
        for state in [long.as_str(), "a=1\nb"] {
            assert_eq!(TraceContext::extract(&params(GOOD, state)).unwrap().tracestate, "");
        }
    }

    #[test]
    fn headers_tell_what_parameters_do_not() {
        let mut headers = HeaderMap::new();
        headers.insert(PARENT, GOOD.parse().unwrap());
        headers.insert(STATE, "own=secret".parse().unwrap());
        let mut bare = Object::default().with("name", "echo");
        TraceContext::inject_from_headers(&headers, &mut bare);
        assert_eq!(TraceContext::extract(&bare), TraceContext::extract(&params(GOOD, "")));
        headers.append(PARENT, GOOD.parse().unwrap());
        let mut twice = Object::default();
        TraceContext::inject_from_headers(&headers, &mut twice);
        assert!(twice.is_empty(), "which of the two it is nobody knows");
        let own = GOOD.replace("4bf9", "0000");
        let mut told = params(&own, "");
        TraceContext::inject_from_headers(&headers, &mut told);
        assert_eq!(told.object("_meta").unwrap().text(PARENT).unwrap(), own);
        headers.insert(PARENT, "00-nonsense".parse().unwrap());
        let mut bare = Object::default();
        TraceContext::inject_from_headers(&headers, &mut bare);
        assert!(bare.is_empty());
    }
}
