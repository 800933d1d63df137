//! Parameters that a tool wants told in headers too (MCP 2026-07-28, «Custom Headers from Tool Parameters»).

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The name by which a schema marks such a parameter.
const MARK: &str = "x-mcp-header";
/// Whole numbers that every reader takes to be the same.
const SAFE: i64 = 9_007_199_254_740_991;

/// The parameters of one tool that go into headers: the header's name behind `Mcp-Param-`, and the way to the value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mirrored(Vec<(String, Vec<String>)>);

impl Mirrored {
    /// Reads an `inputSchema`; why its marks make the tool unusable.
    pub(super) fn of(schema: &Value) -> Result<Self, String> {
        let mut found = Vec::new();
        reach(schema, &mut Vec::new(), &mut found)?;
        let mut names = BTreeSet::new();
        for (name, _) in &found {
            if !names.insert(name.to_ascii_lowercase()) {
                return Err(format!("two parameters are told in the header {name:?}"));
            }
        }
        if count(schema) != found.len() {
            return Err(format!("{MARK} stands where no parameter can be found by its name alone"));
        }
        Ok(Self(found))
    }

    /// What the headers say of `arguments`.
    pub fn values(&self, arguments: &Value) -> BTreeMap<String, String> {
        let mut values = BTreeMap::new();
        for (name, way) in &self.0 {
            let found = way.iter().try_fold(arguments, |value, name| value.get(name));
            let text = match found {
                Some(Value::String(text)) => text.clone(),
                Some(Value::Bool(flag)) => flag.to_string(),
                Some(Value::Number(number)) if number.as_i64().is_some_and(|n| n.abs() <= SAFE) => {
                    number.to_string()
                }
                _ => continue,
            };
            values.insert(name.clone(), text);
        }
        values
    }
}

/// Marks that are reached through `properties` alone.
fn reach(
    schema: &Value,
    way: &mut Vec<String>,
    found: &mut Vec<(String, Vec<String>)>,
) -> Result<(), String> {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
        return Ok(());
    };
    for (name, inner) in properties {
        way.push(name.clone());
        if let Some(mark) = inner.get(MARK) {
            let header = mark.as_str().filter(|header| is_token(header));
            let header = header.ok_or_else(|| format!("{MARK} {mark} names no header"))?;
            let kind = inner.get("type").and_then(Value::as_str).unwrap_or_default();
            if !matches!(kind, "string" | "integer" | "boolean") {
                return Err(format!(
                    "{MARK} {header:?} stands with a parameter that is no text, whole number or flag"
                ));
            }
            found.push((header.to_owned(), way.clone()));
        }
        reach(inner, way, found)?;
        way.pop();
    }
    Ok(())
}

/// All marks, wherever they stand.
fn count(value: &Value) -> usize {
    match value {
        Value::Object(members) => {
            // A parameter may be called so itself.
            let own = usize::from(members.get(MARK).is_some_and(|mark| !mark.is_object()));
            own + members.values().map(count).sum::<usize>()
        }
        Value::Array(items) => items.iter().map(count).sum(),
        _ => 0,
    }
}

fn is_token(text: &str) -> bool {
    let sound = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    !text.is_empty() && text.len() <= 64 && text.chars().all(sound)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_found_by_their_way() {
        let schema = json!({"type": "object", "properties": {
            "region": {"type": "string", "x-mcp-header": "Region"},
            "deep": {"type": "object", "properties": {"n": {"type": "integer", "x-mcp-header": "N"}}},
            "dry": {"type": "boolean", "x-mcp-header": "Dry"},
        }});
        let mirrored = Mirrored::of(&schema).unwrap();
        let values = mirrored.values(&json!({"region": "eu", "deep": {"n": -7}, "dry": true}));
        let pairs: Vec<(&str, &str)> =
            values.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(pairs, [("Dry", "true"), ("N", "-7"), ("Region", "eu")]);
        assert!(
            mirrored
                .values(&json!({"region": null, "deep": {"n": 9_007_199_254_740_993_i64}}))
                .is_empty()
        );
    }

    #[test]
    fn marks_that_make_no_sense_make_the_tool_unusable() {
        let with = |inner: Value| json!({"type": "object", "properties": {"a": inner}});
        for bad in [
            with(json!({"type": "string", "x-mcp-header": ""})),
            with(json!({"type": "string", "x-mcp-header": "a b"})),
            with(json!({"type": "string", "x-mcp-header": "a\r\nb"})),
            with(json!({"type": "string", "x-mcp-header": 7})),
            with(json!({"type": "number", "x-mcp-header": "A"})),
            with(json!({"type": "object", "x-mcp-header": "A"})),
            with(json!({"type": "array", "items": {"type": "string", "x-mcp-header": "A"}})),
            with(json!({"anyOf": [{"type": "string", "x-mcp-header": "A"}]})),
            json!({"properties": {
                "a": {"type": "string", "x-mcp-header": "A"},
                "b": {"type": "string", "x-mcp-header": "a"},
            }}),
        ] {
            assert!(Mirrored::of(&bad).is_err(), "{bad}");
        }
        assert_eq!(Mirrored::of(&json!({"type": "object"})).unwrap(), Mirrored::default());
    }
}
