//! A form made from a tool's schema.

use super::super::order::{Entry, OrderField, OrderForm};
use serde_json::Value;

/// The longest text that a field takes where the schema sets no bound.
const CHARS_MAX: u64 = 4096;
/// Texts longer than this get several lines.
const LINE_CHARS_MAX: u64 = 300;
/// Fields of one form; arguments beyond are left to programs.
const FIELDS_MAX: usize = 100;

/// The form of a tool that takes what `schema` says (JSON Schema).
pub(crate) fn form(schema: &Value) -> OrderForm {
    let required: Vec<&str> = schema["required"]
        .as_array()
        .map(|names| names.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    let properties = schema["properties"].as_object();
    let fields = properties.into_iter().flatten().take(FIELDS_MAX);
    let fields = fields.map(|(name, schema)| {
        let text = |member: &str| schema[member].as_str().unwrap_or_default().to_owned();
        let title = text("title");
        OrderField {
            name: name.clone(),
            title: if title.is_empty() { name.clone() } else { title },
            description: text("description"),
            required: required.contains(&name.as_str()),
            entry: entry(schema),
            chars_min: schema["minLength"].as_u64().unwrap_or(0).min(CHARS_MAX),
            value: match &schema["default"] {
                Value::Null => String::new(),
                value => super::super::format::value(value),
            },
            error: None,
        }
    });
    OrderForm { fields: fields.collect() }
}

fn entry(schema: &Value) -> Entry {
    if let Some(values) = schema["enum"].as_array() {
        let texts: Option<Vec<String>> =
            values.iter().map(|value| value.as_str().map(str::to_owned)).collect();
        return texts.map_or(Entry::Json, Entry::Choice);
    }
    let bound = |member: &str| match &schema[member] {
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    };
    match schema["type"].as_str() {
        Some("string") => match schema["maxLength"].as_u64() {
            Some(max) if max <= LINE_CHARS_MAX => Entry::Line("text", max, None),
            max => Entry::Lines(max.unwrap_or(CHARS_MAX).min(CHARS_MAX)),
        },
        Some("integer") => Entry::Number("1", bound("minimum"), bound("maximum")),
        Some("number") => Entry::Number("any", bound("minimum"), bound("maximum")),
        Some("boolean") => Entry::Flag,
        // What has no simple type, or several, is written down as it is.
        _ => Entry::Json,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;
    use serde_json::json;
    use std::collections::BTreeMap;

    #[test]
    fn a_schema_becomes_fields_and_what_is_typed_becomes_arguments() {
        let schema = json!({
            "type": "object",
            "required": ["path"],
            "properties": {
                "path": {"type": "string", "maxLength": 200, "title": "Where"},
                "text": {"type": "string"},
                "depth": {"type": "integer", "minimum": 1, "default": 2},
                "kind": {"enum": ["file", "folder"]},
                "all": {"type": "boolean"},
                "tags": {"type": "array"},
                "any": {"type": ["string", "null"]},
            },
        });
        let mut form = form(&schema);
        let entries: Vec<&Entry> = form.fields.iter().map(|field| &field.entry).collect();
        assert_eq!(entries[0], &Entry::Line("text", 200, None));
        assert_eq!(entries[1], &Entry::Lines(4096));
        assert_eq!(entries[2], &Entry::Number("1", "1".into(), String::new()));
        assert_eq!(entries[3], &Entry::Choice(vec!["file".into(), "folder".into()]));
        assert_eq!(entries[4..], [&Entry::Flag, &Entry::Json, &Entry::Json]);
        assert!(form.fields[0].required && !form.fields[1].required);
        assert_eq!((form.fields[0].title.as_str(), form.fields[2].value.as_str()), ("Where", "2"));
        let typed =
            [("v.path", "/srv"), ("v.depth", "3"), ("v.tags", "[1, \"a\"]"), ("v.all", "true")];
        let typed: BTreeMap<String, String> =
            typed.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        let values = form.values(&typed);
        assert_eq!(values["depth"], 3);
        assert_eq!(values["tags"], json!([1, "a"]));
        assert_eq!(values["all"], true);
        assert!(!values.contains_key("text"), "what is empty is not given");
        let broken = BTreeMap::from([("v.tags".to_owned(), "[1,".to_owned())]);
        assert_eq!(form.values(&broken)["tags"], "[1,", "the tool's schema says what is wrong");
    }

    #[test]
    fn no_schema_breaks_the_form() {
        for schema in [
            json!(null),
            json!(true),
            json!({"properties": []}),
            json!({"properties": {"a": true}}),
        ] {
            let _ = form(&schema);
        }
        assert_eq!(form(&json!({"properties": {"a": true}})).fields[0].entry, Entry::Json);
    }
}
