//! Revision 2026-07-28: each request says of itself what it takes to answer it.

use super::{Ask, Failure, Listening, endpoint::Endpoint, http::VERSION, together};
use crate::{
    era::{self, MODERN, meta},
    rpc::{self, Id, Object},
};
use data_encoding::BASE64;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

const METHOD: HeaderName = HeaderName::from_static("mcp-method");
const NAME: HeaderName = HeaderName::from_static("mcp-name");

/// The parameters of `ask` with what the protocol wants to know.
pub(super) fn params(ask: &Ask) -> Object {
    let mut params = ask.params.clone();
    let mut own = params.object("_meta").unwrap_or_default();
    own.set(meta::VERSION, MODERN);
    own.set(meta::CLIENT, era::own_info());
    own.set(meta::CAPABILITIES, &ask.capabilities);
    if let Some(level) = &ask.log_level {
        own.set(meta::LOG_LEVEL, level);
    }
    params.set("_meta", own);
    params
}

/// What `ask` says in headers.
pub(super) fn headers(ask: &Ask) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(VERSION, HeaderValue::from_static(MODERN));
    headers.insert(METHOD, value(&ask.method));
    let named = match ask.method.as_str() {
        "tools/call" | "prompts/get" => Some("name"),
        "resources/read" => Some("uri"),
        _ => None,
    };
    if let Some(name) = named.and_then(|member| ask.params.text(member)) {
        headers.insert(NAME, value(&name));
    }
    for (name, text) in &ask.mirrored {
        if let Ok(name) = HeaderName::try_from(format!("mcp-param-{}", name.to_ascii_lowercase())) {
            headers.insert(name, value(text));
        }
    }
    headers
}

/// A header's value; what a header can't carry goes as Base64 (MCP, «Value Encoding»).
fn value(text: &str) -> HeaderValue {
    let padded = text.starts_with([' ', '\t']) || text.ends_with([' ', '\t']);
    let marked = text.starts_with("=?base64?") && text.ends_with("?=");
    let plain = text.bytes().all(|byte| matches!(byte, b'\t' | b' '..=b'~'));
    if plain
        && !padded
        && !marked
        && !text.is_empty()
        && let Ok(value) = HeaderValue::from_str(text)
    {
        return value;
    }
    let encoded = format!("=?base64?{}?=", BASE64.encode(text.as_bytes()));
    HeaderValue::from_str(&encoded).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// Asks.
pub(super) async fn ask(
    endpoint: &Endpoint,
    id: &Id,
    ask: &Ask,
    listening: &Listening,
) -> Result<Object, Failure> {
    let back = HeaderMap::new();
    if let Endpoint::Pipe(_) = endpoint {
        return together::ask(endpoint, id, ask, params(ask), HeaderMap::new(), &back, listening)
            .await;
    }
    let message = rpc::request(id, &ask.method, &params(ask));
    let (result, _) = endpoint.exchange(id, message, headers(ask), &back, listening).await?;
    Ok(result)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;

    #[test]
    fn what_a_header_cannot_carry_goes_as_base64() {
        for (text, carried) in [
            ("us-west1", "us-west1"),
            ("Hello, 世界", "=?base64?SGVsbG8sIOS4lueVjA==?="),
            (" padded ", "=?base64?IHBhZGRlZCA=?="),
            ("line1\nline2", "=?base64?bGluZTEKbGluZTI=?="),
            ("=?base64?literal?=", "=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?="),
            ("a b", "a b"),
        ] {
            assert_eq!(value(text).to_str().unwrap(), carried);
        }
    }

    #[test]
    fn a_request_tells_in_headers_what_its_body_says() {
        let ask = Ask {
            method: "resources/read".to_owned(),
            params: Object::parse(r#"{"uri":"file:///ä","_meta":{"progressToken":7,"own":1}}"#)
                .unwrap(),
            mirrored: [("Region".to_owned(), "eu".to_owned())].into(),
            log_level: Some("info".to_owned()),
            ..Ask::default()
        };
        let headers = headers(&ask);
        assert_eq!(headers["mcp-method"], "resources/read");
        assert_eq!(headers["mcp-name"], "=?base64?ZmlsZTovLy/DpA==?=");
        assert_eq!(headers["mcp-param-region"], "eu");
        assert_eq!(headers["mcp-protocol-version"], MODERN);
        let own = params(&ask).object("_meta").unwrap();
        assert_eq!(own.text(meta::VERSION).unwrap(), MODERN);
        assert_eq!(own.text(meta::LOG_LEVEL).unwrap(), "info");
        assert_eq!(own.get::<i64>("progressToken"), Some(7));
        assert_eq!(own.get::<i64>("own"), Some(1));
        assert!(own.object(meta::CAPABILITIES).unwrap().is_empty());
    }
}
