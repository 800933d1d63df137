//! What a JSON Schema finds wrong, in words for whoever wrote it.

use jsonschema::{
    ValidationError,
    error::{TypeKind, ValidationErrorKind as Kind},
};
use serde_json::Value;
use wardroom_core::{agent::escaped, nearest::meant};

/// Unknown fields of one map that are told.
const FIELDS_MAX: usize = 20;

/// What is wrong, and where: more than one where one keyword finds several.
pub(super) fn mistakes(error: &ValidationError<'_>, schema: &Value) -> Vec<(String, String)> {
    let at = error.instance_path().to_string();
    let what = match error.kind() {
        Kind::AdditionalProperties { unexpected } => {
            let known = known_names(error, schema);
            let told = |name: &String| {
                let pointer = format!("{at}/{}", escaped(name));
                let what = format!("there is no field {name:?} here");
                (pointer, meant(what, name, known.iter().map(String::as_str)))
            };
            return unexpected.iter().take(FIELDS_MAX).map(told).collect();
        }
        Kind::Required { property } => format!("{property} is missing"),
        Kind::OneOfNotValid { .. } if let Some(choices) = choices(error, schema) => {
            let what = format!("must be one of {}", choices.join(", "));
            let wrong = error.instance().as_str().unwrap_or_default().to_owned();
            meant(what, &wrong, choices)
        }
        Kind::Type { kind } => format!("must be {}", kind_words(kind)),
        Kind::Minimum { limit } => format!("must be at least {limit}"),
        Kind::Maximum { limit } => format!("must be at most {limit}"),
        Kind::MinLength { limit: 1 } => "must not be empty".to_owned(),
        Kind::MinLength { limit } => format!("must have at least {limit} characters"),
        Kind::MaxLength { limit } => format!("must have at most {limit} characters"),
        Kind::MinItems { limit } => format!("must have at least {limit} items"),
        Kind::MaxItems { limit } => format!("must have at most {limit} items"),
        Kind::MaxProperties { limit } => format!("must have at most {limit} fields"),
        Kind::Pattern { pattern } => format!("must match {pattern}"),
        _ => error.masked().to_string(),
    };
    vec![(at, what)]
}

/// The type that is wanted, in the words of those who write files.
fn kind_words(kind: &TypeKind) -> String {
    let word = |name: &str| match name {
        "string" => "a text".to_owned(),
        "integer" => "a whole number".to_owned(),
        "array" => "a list".to_owned(),
        "object" => "a map of fields".to_owned(),
        "boolean" => "true or false".to_owned(),
        other => format!("a {other}"),
    };
    let kinds: Vec<String> = match kind {
        TypeKind::Single(one) => vec![one.to_string()],
        // An optional field may be null, of which nobody thinks.
        TypeKind::Multiple(all) => {
            all.iter().map(|one| one.to_string()).filter(|one| one != "null").collect()
        }
    };
    kinds.iter().map(|kind| word(kind)).collect::<Vec<_>>().join(" or ")
}

/// The texts that a field may be. Each has a description of its own, so each is a schema of its own.
fn choices<'a>(error: &ValidationError<'_>, schema: &'a Value) -> Option<Vec<&'a str>> {
    let all = schema.pointer(&error.schema_path().to_string())?.as_array()?;
    all.iter().map(|one| one.get("const")?.as_str()).collect()
}

/// The names of fields that there are, where an unknown one was found.
fn known_names(error: &ValidationError<'_>, schema: &Value) -> Vec<String> {
    let pointer = error.schema_path().to_string();
    let parent = pointer.rsplit_once('/').map_or("", |(parent, _)| parent);
    let names = schema.pointer(parent).and_then(|schema| schema.get("properties"));
    let names = names.and_then(Value::as_object);
    names.into_iter().flatten().map(|(name, _)| name.clone()).collect()
}
