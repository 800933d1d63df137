//! JSON Schemas of tools, compiled within bounds. A reference to elsewhere is not followed.

use jsonschema::{PatternOptions, Validator};
use serde_json::Value;

/// Steps back that a pattern may take: a schema comes from outside, and so does what it is held against.
const BACKTRACKS_MAX: usize = 20_000;
const PATTERN_BYTES_MAX: usize = 256 * 1024;
/// The most mistakes that are told.
const MISTAKES_MAX: usize = 5;

/// A schema that can be held against values.
#[derive(Debug)]
pub struct Shape(Validator);

impl Shape {
    /// Compiles `schema`; why it can't be used.
    pub fn compile(schema: &Value) -> Result<Self, String> {
        let patterns = PatternOptions::fancy_regex()
            .backtrack_limit(BACKTRACKS_MAX)
            .size_limit(PATTERN_BYTES_MAX);
        let built = jsonschema::options().offline().with_pattern_options(patterns).build(schema);
        built.map(Self).map_err(|error| error.to_string())
    }

    /// What is wrong with `value`, a line each. SECURITY: where, and what is wanted; not the value.
    pub fn mistakes(&self, value: &Value) -> Vec<String> {
        let told = self.0.iter_errors(value).take(MISTAKES_MAX).map(|error| {
            let place = error.instance_path().to_string();
            let place = if place.is_empty() { "the arguments".to_owned() } else { place };
            format!("{place}: {}", error.masked())
        });
        told.collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;
    use serde_json::json;
    use std::time::{Duration, Instant};

    #[test]
    fn mistakes_are_told_by_place_and_never_repeat_the_value() {
        let schema =
            json!({"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["a"]});
        let shape = Shape::compile(&schema).unwrap();
        assert!(shape.mistakes(&json!({"a": 1, "n": 2})).is_empty());
        let told = shape.mistakes(&json!({"n": "hunter2"}));
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told.iter().any(|line| line.starts_with("/n:")), "{told:?}");
        assert!(!told.join("").contains("hunter2"), "{told:?}");
    }

    #[test]
    fn references_to_elsewhere_are_refused_and_not_followed() {
        for to in ["http://127.0.0.1:9/s.json", "file:///etc/passwd", "https://example.org/s"] {
            assert!(Shape::compile(&json!({ "$ref": to })).is_err(), "{to}");
        }
        let own = json!({"$defs": {"a": {"type": "integer"}}, "properties": {"x": {"$ref": "#/$defs/a"}}});
        assert!(Shape::compile(&own).unwrap().mistakes(&json!({"x": 1})).is_empty());
    }

    #[test]
    fn older_dialects_are_read_where_they_are_named() {
        let seven = json!({"$schema": "http://json-schema.org/draft-07/schema#", "items": [{"type": "integer"}]});
        assert_eq!(Shape::compile(&seven).unwrap().mistakes(&json!(["x"])).len(), 1);
        let unknown = json!({"$schema": "https://example.org/own-dialect"});
        assert!(Shape::compile(&unknown).is_err());
    }

    #[test]
    fn a_hostile_pattern_costs_little() {
        let schema = json!({"type": "string", "pattern": "^(?=(a+)+$)(a+)+$"});
        let shape = Shape::compile(&schema).unwrap();
        let begun = Instant::now();
        let _ = shape.mistakes(&json!(format!("{}!", "a".repeat(5000))));
        assert!(begun.elapsed() < Duration::from_secs(2));
    }
}
