//! What requests of revision 2026-07-28 say in headers, and which HTTP status an error has (MCP, «Streamable HTTP»).

use crate::{
    era::{MODERN, meta},
    rpc::{Object, Request, RpcError, codes},
};
use data_encoding::BASE64;
use std::collections::BTreeMap;

/// Holds headers against the body that they come with, and gives what they say of arguments. `header` looks one up.
pub fn check<'a>(
    request: &Request,
    header: impl Fn(&str) -> Option<&'a str>,
    parameters: impl Iterator<Item = (&'a str, &'a str)>,
) -> Result<BTreeMap<String, String>, RpcError> {
    let own = request.params.object("_meta").unwrap_or_default();
    let version = own.text(meta::VERSION).unwrap_or_default();
    let member = match request.method.as_str() {
        "tools/call" | "prompts/get" => Some("name"),
        "resources/read" => Some("uri"),
        _ => None,
    };
    same("MCP-Protocol-Version", header("mcp-protocol-version"), &version)?;
    same("Mcp-Method", header("mcp-method"), &request.method)?;
    if let Some(name) = member.and_then(|member| request.params.text(member)) {
        let carried = header("mcp-name").map(|text| decode("Mcp-Name", text)).transpose()?;
        same("Mcp-Name", carried.as_deref(), &name)?;
    }
    parameters.map(|(name, text)| Ok((name.to_ascii_lowercase(), decode(name, text)?))).collect()
}

fn same(name: &str, carried: Option<&str>, said: &str) -> Result<(), RpcError> {
    match carried {
        Some(carried) if carried == said => Ok(()),
        Some(carried) => {
            Err(mismatch(format!("the header {name} says {carried:?} and the body says {said:?}")))
        }
        None => Err(mismatch(format!("the header {name} is missing; see revision {MODERN}"))),
    }
}

/// The text that a header carries, which may be Base64.
fn decode(name: &str, text: &str) -> Result<String, RpcError> {
    let Some(inner) = text.strip_prefix("=?base64?").and_then(|text| text.strip_suffix("?="))
    else {
        return Ok(text.to_owned());
    };
    let bytes = BASE64.decode(inner.as_bytes()).ok();
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    text.ok_or_else(|| mismatch(format!("the header {name} is not the Base64 of a text")))
}

fn mismatch(why: String) -> RpcError {
    RpcError::new(codes::HEADER_MISMATCH, why)
}

/// Holds what headers say of arguments against the arguments.
pub(super) fn check_mirrored(
    carried: &BTreeMap<String, String>,
    wanted: &BTreeMap<String, String>,
) -> Result<(), RpcError> {
    for (name, said) in wanted {
        let header = format!("Mcp-Param-{name}");
        let found = carried.get(&name.to_ascii_lowercase());
        let equal = found.is_some_and(|found| {
            // A whole number may be written in more than one way.
            found == said
                || found
                    .parse::<f64>()
                    .ok()
                    .zip(said.parse::<f64>().ok())
                    .is_some_and(|(a, b)| a == b)
        });
        if !equal {
            same(&header, found.map(String::as_str), said)?;
        }
    }
    Ok(())
}

/// The HTTP status of an error to a request of revision 2026-07-28.
pub fn status_of(error: &RpcError) -> u16 {
    match error.code {
        codes::PARSE_ERROR | codes::INVALID_REQUEST => 400,
        codes::HEADER_MISMATCH | codes::MISSING_CAPABILITY | codes::UNSUPPORTED_VERSION => 400,
        codes::METHOD_NOT_FOUND => 404,
        _ => 200,
    }
}

/// Names that a merge of objects would take for something else (CWE-1321).
const UNSAFE_NAMES: [&str; 3] = ["__proto__", "constructor", "prototype"];

/// The first unsafe name in `value`.
pub(super) fn unsafe_name(value: &serde_json::Value) -> Option<&'static str> {
    use serde_json::Value;
    match value {
        Value::Object(members) => UNSAFE_NAMES
            .into_iter()
            .find(|name| members.contains_key(*name))
            .or_else(|| members.values().find_map(unsafe_name)),
        Value::Array(items) => items.iter().find_map(unsafe_name),
        _ => None,
    }
}

/// The parameters without what only this side of the gateway reads.
pub(super) fn for_upstream(params: &Object) -> Object {
    let mut params = params.clone();
    let Some(mut own) = params.object("_meta") else { return params };
    for name in [meta::VERSION, meta::CLIENT, meta::CAPABILITIES, meta::LOG_LEVEL] {
        own.remove(name);
    }
    if own.is_empty() {
        params.remove("_meta");
    } else {
        params.set("_meta", own);
    }
    params
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;
    use crate::rpc::Id;
    use serde_json::json;

    fn request() -> Request {
        let params = r#"{"name":"täglich","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}"#;
        let params = Object::parse(params).unwrap();
        Request { id: Id::Number(1), method: "tools/call".to_owned(), params }
    }

    fn code(headers: &[(&str, &str)], parameters: &[(&str, &str)]) -> Option<i64> {
        let find = |name: &str| headers.iter().find(|(own, _)| *own == name).map(|(_, text)| *text);
        let checked = check(&request(), find, parameters.iter().copied());
        checked.err().map(|error| error.code)
    }

    #[test]
    fn headers_say_what_the_body_says() {
        let good = [
            ("mcp-protocol-version", "2026-07-28"),
            ("mcp-method", "tools/call"),
            ("mcp-name", "=?base64?dMOkZ2xpY2g=?="),
        ];
        assert_eq!(code(&good, &[]), None);
        for (place, wrong) in
            [(0, "2025-11-25"), (1, "tools/list"), (2, "other"), (2, "=?base64?!?=")]
        {
            let mut headers = good;
            headers[place].1 = wrong;
            assert_eq!(code(&headers, &[]), Some(codes::HEADER_MISMATCH), "{wrong}");
        }
        for left_out in 0..3 {
            let mut headers = good.to_vec();
            headers.remove(left_out);
            assert_eq!(code(&headers, &[]), Some(codes::HEADER_MISMATCH), "{left_out}");
        }
        assert_eq!(code(&good, &[("region", "=?base64?!?=")]), Some(codes::HEADER_MISMATCH));
    }

    #[test]
    fn arguments_in_headers_are_those_of_the_body() {
        let map = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
        };
        let wanted = map(&[("Region", "eu"), ("N", "42")]);
        assert!(
            check_mirrored(&map(&[("region", "eu"), ("n", "42.0"), ("more", "x")]), &wanted)
                .is_ok()
        );
        assert!(check_mirrored(&map(&[("region", "us"), ("n", "42")]), &wanted).is_err());
        assert!(check_mirrored(&map(&[("n", "42")]), &wanted).is_err());
    }

    #[test]
    fn unsafe_names_are_found_wherever_they_stand() {
        assert_eq!(unsafe_name(&json!({"a": [{"__proto__": {}}]})), Some("__proto__"));
        assert_eq!(unsafe_name(&json!({"constructor": 1})), Some("constructor"));
        assert_eq!(unsafe_name(&json!({"a": "__proto__", "proto": 1})), None);
    }
}
