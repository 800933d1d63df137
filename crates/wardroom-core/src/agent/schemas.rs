//! What is wrong with the JSON Schemas in a definition, beside that they can be none. SECURITY: they are constraints, and
//! one that is not understood would let everything through.

use super::{Definition, escaped, grants::ApprovalRule};
use crate::nearest::meant;
use serde_json::{Map, Value};

/// The longest schema, in bytes as JSON.
const BYTES_MAX: usize = 16 * 1024;
/// Patterns in all schemas of a definition: each takes its time and room.
const PATTERNS_MAX: usize = 50;

/// Keywords of JSON Schema 2020-12 that hold one schema.
const ONE: [&str; 10] = [
    "not",
    "if",
    "then",
    "else",
    "items",
    "contains",
    "additionalProperties",
    "propertyNames",
    "unevaluatedItems",
    "unevaluatedProperties",
];
/// Keywords that hold a list of schemas.
const LISTS: [&str; 4] = ["allOf", "anyOf", "oneOf", "prefixItems"];
/// Keywords that hold schemas by name.
const MAPS: [&str; 4] = ["properties", "patternProperties", "dependentSchemas", "$defs"];
/// Keywords that hold something else.
const OTHERS: [&str; 28] = [
    "$comment",
    "type",
    "enum",
    "const",
    "multipleOf",
    "maximum",
    "exclusiveMaximum",
    "minimum",
    "exclusiveMinimum",
    "maxLength",
    "minLength",
    "pattern",
    "maxItems",
    "minItems",
    "uniqueItems",
    "maxContains",
    "minContains",
    "maxProperties",
    "minProperties",
    "required",
    "dependentRequired",
    "title",
    "description",
    "default",
    "deprecated",
    "examples",
    "readOnly",
    "writeOnly",
];

/// The one dialect that is taken: in another, keywords mean something else or nothing.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";
/// Mistakes that are told of the schemas of one definition.
const MISTAKES_MAX: usize = 50;

/// A schema with its place (a JSON Pointer).
type Placed<'a> = (String, &'a Map<String, Value>);

impl Definition {
    /// The JSON Schemas in it, with their places.
    pub fn schemas<'a>(&'a self) -> Vec<(String, &'a Map<String, Value>)> {
        let tools = &self.tools;
        let mut found = vec![("/model/response".to_owned(), self.model.response.as_ref())];
        let mut of_tool = |list: &str, index: usize, arguments, rule: &'a ApprovalRule| {
            let at = format!("/tools/{list}/{index}");
            found.push((format!("{at}/arguments"), arguments));
            found.push((format!("{at}/approval/unless"), rule.unless.as_ref()));
        };
        for (index, one) in tools.servers.iter().enumerate() {
            of_tool("servers", index, one.arguments.as_ref(), &one.approval);
        }
        for (index, one) in tools.commands.iter().enumerate() {
            of_tool("commands", index, one.arguments.as_ref(), &one.approval);
        }
        for (index, one) in tools.agents.iter().enumerate() {
            of_tool("agents", index, None, &one.approval);
        }
        for (index, one) in tools.built_in.iter().enumerate() {
            of_tool("built_in", index, None, &one.approval);
        }
        found.into_iter().filter_map(|(at, schema)| Some((at, schema?))).collect()
    }
}

/// What is wrong with these schemas, each with its place.
pub(super) fn mistakes(schemas: &[Placed<'_>]) -> Vec<(String, String)> {
    let (mut found, mut patterns) = (vec![], 0);
    for (at, schema) in schemas {
        let bytes = serde_json::to_string(schema).map_or(0, |text| text.len());
        if bytes > BYTES_MAX {
            found.push((at.clone(), format!("a schema here has at most {BYTES_MAX} bytes")));
            continue;
        }
        patterns += look(schema, at, &mut found);
        if patterns > PATTERNS_MAX {
            let what = format!("with this one there are more than {PATTERNS_MAX} patterns");
            found.push((at.clone(), what));
            break;
        }
    }
    found
}

/// Whether a schema is of the dialect that is taken.
fn is_own(named: &Value) -> bool {
    named.as_str().is_some_and(|named| named.trim_end_matches('#') == DIALECT)
}

/// Whether a reference leads to what stands under `$defs` here, which is looked at as well.
fn is_near(reference: &Value) -> bool {
    let name = reference.as_str().map(|text| text.strip_prefix("#/$defs/").unwrap_or(text));
    name.is_some_and(|name| {
        name == "#" || !(name.is_empty() || name.contains(['#', '/', '%', ':']))
    })
}

/// Finds keywords that there are not, and counts patterns.
fn look(schema: &Map<String, Value>, at: &str, found: &mut Vec<(String, String)>) -> usize {
    let mut patterns = 0;
    let deeper = |value: &Value, at: &str, found: &mut Vec<_>| match value {
        Value::Object(schema) => look(schema, at, found),
        _ => 0,
    };
    for (name, value) in schema {
        if found.len() >= MISTAKES_MAX {
            return patterns;
        }
        let here = format!("{at}/{}", escaped(name));
        match name.as_str() {
            name if ONE.contains(&name) => patterns += deeper(value, &here, found),
            name if LISTS.contains(&name) => {
                for (index, one) in value.as_array().into_iter().flatten().enumerate() {
                    patterns += deeper(one, &format!("{here}/{index}"), found);
                }
            }
            name if MAPS.contains(&name) => {
                for (member, one) in value.as_object().into_iter().flatten() {
                    patterns += usize::from(name == "patternProperties");
                    patterns += deeper(one, &format!("{here}/{}", escaped(member)), found);
                }
            }
            name if OTHERS.contains(&name) => patterns += usize::from(name == "pattern"),
            "$schema" if is_own(value) => {}
            "$schema" => found.push((here, format!("it must be {DIALECT}"))),
            "$ref" if is_near(value) => {}
            "$ref" => found.push((here, "it must lead to `#` or `#/$defs/NAME`".to_owned())),
            name => {
                let what = format!("the keyword {name:?} would hold nothing back here");
                let known = ONE.into_iter().chain(LISTS).chain(MAPS).chain(OTHERS);
                found.push((here, meant(what, name, known)));
            }
        }
    }
    patterns
}
