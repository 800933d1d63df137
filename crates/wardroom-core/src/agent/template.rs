//! Instructions with places for values: `{{name}}`.

use serde_json::Value;
use std::collections::BTreeMap;

/// The longest text with its values, in bytes.
const FILLED_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What is wrong with a text that has places in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// Brackets open and never close.
    #[error("{{{{ is never closed by }}}}")]
    Open,
    /// It would be too long with its values.
    #[error("with its values it is longer than {FILLED_BYTES_MAX} bytes")]
    TooLong,
    /// There is no value of that name.
    #[error("there is no value {0:?}")]
    Missing(String),
}

enum Part<'a> {
    Text(&'a str),
    Slot(&'a str),
}

fn parts(text: &str) -> Result<Vec<Part<'_>>, TemplateError> {
    let (mut parts, mut rest) = (vec![], text);
    while let Some((before, behind)) = rest.split_once("{{") {
        let (name, after) = behind.split_once("}}").ok_or(TemplateError::Open)?;
        parts.push(Part::Text(before));
        parts.push(Part::Slot(name.trim()));
        rest = after;
    }
    parts.push(Part::Text(rest));
    Ok(parts)
}

/// The names for which there is a place, each as often as it stands there.
pub fn slots(text: &str) -> Result<Vec<&str>, TemplateError> {
    let slot = |part| match part {
        Part::Slot(name) => Some(name),
        Part::Text(_) => None,
    };
    Ok(parts(text)?.into_iter().filter_map(slot).collect())
}

/// The text with values in their places. What stands in a value is text, also where it looks like a place.
pub fn fill(text: &str, values: &BTreeMap<String, Value>) -> Result<String, TemplateError> {
    let mut filled = String::with_capacity(text.len());
    for part in parts(text)? {
        match part {
            Part::Text(text) => filled.push_str(text),
            Part::Slot(name) => match values.get(name) {
                Some(Value::String(value)) => filled.push_str(value),
                Some(value) => filled.push_str(&value.to_string()),
                None => return Err(TemplateError::Missing(name.to_owned())),
            },
        }
        if filled.len() > FILLED_BYTES_MAX {
            return Err(TemplateError::TooLong);
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use serde_json::json;

    #[test]
    fn values_come_into_their_places_and_are_no_templates() {
        let values = [("a", json!("{{b}}")), ("b", json!(7))];
        let values = values.map(|(name, value)| (name.to_owned(), value)).into();
        assert_eq!(fill("x {{a}} {{ b }}{}}", &values).unwrap(), "x {{b}} 7{}}");
        assert_eq!(slots("{{a}}{{ b }}{{a}}").unwrap(), ["a", "b", "a"]);
        assert_eq!(fill("{{c}}", &values), Err(TemplateError::Missing("c".to_owned())));
        assert_eq!(slots("text {{a").unwrap_err(), TemplateError::Open);
        let long = [("a".to_owned(), json!("x".repeat(65_536)))].into();
        assert_eq!(fill(&"{{a}}".repeat(5000), &long), Err(TemplateError::TooLong));
    }
}
