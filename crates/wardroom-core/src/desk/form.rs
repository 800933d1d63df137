//! A service's form: the part of JSON Schema (2020-12) that a page can show and a person can fill in. One
//! document says what the page shows, what the browser checks while somebody types, and what is accepted.

use super::customer::is_field_name;
use crate::{command::anchored, field::FieldError, person::is_email};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Fields of one form.
pub const FIELDS_MAX: usize = 50;
/// The longest text that a field can take, in characters.
pub const TEXT_CHARS_MAX: u64 = 10_000;
/// Names that a form does not have and are told of, and how much of each, in characters.
const UNKNOWN_SHOWN: usize = 5;
const NAME_SHOWN: usize = 64;
/// The longest title of a field, in characters.
const TITLE_CHARS_MAX: usize = 100;
/// The longest description of a field, in characters.
const DESCRIPTION_CHARS_MAX: usize = 500;
/// Choices of one field.
const CHOICES_MAX: usize = 100;
/// From this length on a text is entered in several lines.
const LINES_FROM_CHARS: u64 = 200;

/// What a field takes.
#[derive(Debug, Clone, PartialEq)]
pub enum FieldKind {
    /// A text.
    Text {
        /// At least so many characters.
        min: u64,
        /// At most so many.
        max: u64,
        /// What all of it must match.
        pattern: Option<String>,
        /// What it must be besides.
        format: Option<Format>,
    },
    /// One of these.
    Choice(Vec<String>),
    /// A whole number.
    Integer {
        /// From.
        min: i64,
        /// To.
        max: i64,
    },
    /// A number.
    Number {
        /// From.
        min: f64,
        /// To.
        max: f64,
    },
    /// Yes or no.
    Flag,
}

/// What a text must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// An e-mail address.
    Email,
    /// A day, `2026-01-31`.
    Date,
    /// An address that begins with `https://`.
    Uri,
}

/// One field.
#[derive(Debug, Clone, PartialEq)]
pub struct FormField {
    /// Its name: 1 to 40 of `a-z 0-9 _`.
    pub name: String,
    /// What people call it.
    pub title: String,
    /// What it means.
    pub description: String,
    /// What it takes.
    pub kind: FieldKind,
    /// Whether a value must be given.
    pub required: bool,
    /// What holds where none is given.
    pub default: Option<Value>,
}

impl FormField {
    /// Whether its text is entered in several lines.
    pub fn is_long(&self) -> bool {
        let long = |max: u64| max >= LINES_FROM_CHARS;
        matches!(&self.kind, FieldKind::Text { max, pattern: None, format: None, .. } if long(*max))
    }
}

/// A form.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Form {
    /// Its fields, as they are shown.
    pub fields: Vec<FormField>,
}

impl Form {
    /// Reads a form out of its JSON Schema. Its fields are shown as `x-order` says, all others behind them as they
    /// are written. What a page can't show is refused, not passed over.
    pub fn parse(schema: &Value) -> Result<Self, FieldError> {
        let form = |reason: &str| FieldError::new("form", reason);
        let schema = schema.as_object().ok_or_else(|| form("must be a JSON object"))?;
        let known = [
            "$schema",
            "type",
            "title",
            "description",
            "properties",
            "required",
            "additionalProperties",
            "x-order",
        ];
        only(schema, &known, "form")?;
        if schema.get("type").is_some_and(|kind| kind != "object") {
            return Err(form("must have the type object"));
        }
        if schema.get("additionalProperties").is_some_and(|more| more != false) {
            return Err(form(
                "can't have additionalProperties: what is not in the form is not taken",
            ));
        }
        let empty = Map::new();
        let properties = match schema.get("properties") {
            Some(value) => value.as_object().ok_or_else(|| form("properties must be an object"))?,
            None => &empty,
        };
        if properties.len() > FIELDS_MAX {
            return Err(form("must have at most 50 properties"));
        }
        let required = names(schema, "required", properties)?;
        let mut order = names(schema, "x-order", properties)?;
        let rest: Vec<String> =
            properties.keys().filter(|name| !order.contains(name)).cloned().collect();
        order.extend(rest);
        let mut fields = Vec::with_capacity(properties.len());
        for name in order {
            let Some(property) = properties.get(&name) else { continue };
            fields.push(field(&name, property, required.contains(&name))?);
        }
        Ok(Self { fields })
    }

    /// Checks `given` against the form and fills in defaults. All that is wrong is named at once; a value is
    /// never repeated.
    pub fn check(
        &self,
        mut given: BTreeMap<String, Value>,
    ) -> Result<BTreeMap<String, Value>, Vec<FieldError>> {
        let mut values = BTreeMap::new();
        let mut errors = Vec::new();
        for field in &self.fields {
            let value = given.remove(&field.name).filter(|value| !value.is_null());
            match value.or_else(|| field.default.clone()) {
                Some(value) => match check_value(&field.kind, &value) {
                    Ok(()) => {
                        values.insert(field.name.clone(), value);
                    }
                    Err(reason) => errors.push(FieldError::new(&field.name, reason)),
                },
                None if field.required => {
                    errors.push(FieldError::new(&field.name, "needs a value"))
                }
                None => {}
            }
        }
        for name in given.keys().take(UNKNOWN_SHOWN) {
            let name: String = name.chars().take(NAME_SHOWN).collect();
            errors.push(FieldError::new(name, "is no field of the form"));
        }
        if errors.is_empty() { Ok(values) } else { Err(errors) }
    }
}

/// Refuses what is not known: a rule that is not understood must not look as if it held.
fn only(object: &Map<String, Value>, known: &[&str], place: &str) -> Result<(), FieldError> {
    match object.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => {
            let shown: String = key.chars().filter(char::is_ascii_graphic).take(40).collect();
            let reason = format!("{shown:?} is not taken here; known are {}", known.join(", "));
            Err(FieldError::new(place, reason))
        }
        None => Ok(()),
    }
}

fn names(
    schema: &Map<String, Value>,
    key: &str,
    properties: &Map<String, Value>,
) -> Result<Vec<String>, FieldError> {
    let wrong = || FieldError::new("form", format!("{key} must be a list of names of properties"));
    let Some(value) = schema.get(key) else { return Ok(vec![]) };
    let listed = value.as_array().ok_or_else(wrong)?.iter().map(|name| {
        let name = name.as_str().filter(|name| properties.contains_key(*name));
        name.map(str::to_owned).ok_or_else(wrong)
    });
    let mut listed = listed.collect::<Result<Vec<_>, _>>()?;
    let mut seen = std::collections::BTreeSet::new();
    listed.retain(|name| seen.insert(name.clone()));
    Ok(listed)
}

fn field(name: &str, property: &Value, required: bool) -> Result<FormField, FieldError> {
    let place = format!(
        "form.{}",
        name.chars().filter(char::is_ascii_graphic).take(40).collect::<String>()
    );
    let wrong = |reason: &str| FieldError::new(&place, reason);
    if !is_field_name(name) {
        return Err(wrong("a property’s name is 1 to 40 of a-z 0-9 _ and begins with a letter"));
    }
    let property = property.as_object().ok_or_else(|| wrong("must be an object"))?;
    let text = |key: &str, most: usize| -> Result<String, FieldError> {
        let Some(value) = property.get(key) else { return Ok(String::new()) };
        let text = value.as_str().ok_or_else(|| wrong(&format!("{key} must be a text")))?;
        super::check_text(&format!("{place}.{key}"), text, most, true, false)?;
        Ok(text.to_owned())
    };
    let mut title = text("title", TITLE_CHARS_MAX)?;
    if title.is_empty() {
        title = capital(&name.replace('_', " "));
    }
    let description = text("description", DESCRIPTION_CHARS_MAX)?;
    let common = ["type", "title", "description", "default"];
    let keys = |more: &[&'static str]| [&common[..], more].concat();
    let kind = match property.get("type").and_then(Value::as_str) {
        Some("string") if property.contains_key("enum") => {
            only(property, &keys(&["enum"]), &place)?;
            choice(property).map_err(|reason| wrong(&reason))?
        }
        Some("string") => {
            only(property, &keys(&["minLength", "maxLength", "pattern", "format"]), &place)?;
            text_kind(property).map_err(|reason| wrong(&reason))?
        }
        Some("integer") => {
            only(property, &keys(&["minimum", "maximum"]), &place)?;
            // What a script's number holds exactly.
            const EXACT: i64 = 9_007_199_254_740_991;
            let bound = |key: &str, open: i64| match property.get(key) {
                Some(value) => value.as_i64().filter(|n| (-EXACT..=EXACT).contains(n)),
                None => Some(open),
            };
            let (min, max) = (bound("minimum", -EXACT), bound("maximum", EXACT));
            match (min, max) {
                (Some(min), Some(max)) if min <= max => FieldKind::Integer { min, max },
                _ => return Err(wrong("minimum and maximum must be whole numbers in their order")),
            }
        }
        Some("number") => {
            only(property, &keys(&["minimum", "maximum"]), &place)?;
            let bound = |key: &str, open: f64| match property.get(key) {
                Some(value) => value.as_f64(),
                None => Some(open),
            };
            match (bound("minimum", f64::MIN), bound("maximum", f64::MAX)) {
                (Some(min), Some(max)) if min <= max => FieldKind::Number { min, max },
                _ => return Err(wrong("minimum and maximum must be numbers in their order")),
            }
        }
        Some("boolean") => {
            only(property, &common, &place)?;
            FieldKind::Flag
        }
        _ => return Err(wrong("type must be string, integer, number or boolean")),
    };
    let default = property.get("default").cloned();
    if let Some(value) = &default
        && let Err(reason) = check_value(&kind, value)
    {
        return Err(wrong(&format!("the default {reason}")));
    }
    Ok(FormField { name: name.to_owned(), title, description, kind, required, default })
}

fn choice(property: &Map<String, Value>) -> Result<FieldKind, String> {
    let values = property.get("enum").and_then(Value::as_array).map(|values| {
        let text = |value: &Value| {
            let text = value.as_str().filter(|text| (1..=100).contains(&text.chars().count()));
            text.filter(|text| !text.chars().any(char::is_control)).map(str::to_owned)
        };
        values.iter().map(text).collect::<Option<Vec<_>>>()
    });
    match values.flatten() {
        Some(values) if (1..=CHOICES_MAX).contains(&values.len()) => Ok(FieldKind::Choice(values)),
        _ => Err("enum must be 1 to 100 texts of 1 to 100 characters".to_owned()),
    }
}

fn text_kind(property: &Map<String, Value>) -> Result<FieldKind, String> {
    let bound = |key: &str, open: u64| match property.get(key) {
        Some(value) => value.as_u64(),
        None => Some(open),
    };
    let (Some(min), Some(max)) = (bound("minLength", 0), bound("maxLength", 1000)) else {
        return Err("minLength and maxLength must be whole numbers".to_owned());
    };
    if min > max || max > TEXT_CHARS_MAX {
        return Err("minLength and maxLength must be in their order and at most 10,000".to_owned());
    }
    let pattern = match property.get("pattern").map(Value::as_str) {
        // JSON Schema looks anywhere in the text. Only one that says that it means all of it is taken: it is
        // then the same for whoever reads it, for the browser and here.
        Some(Some(text)) => match text.strip_prefix('^').and_then(|text| text.strip_suffix('$')) {
            Some(inner) if !inner.ends_with('\\') => {
                anchored(inner)?;
                Some(inner.to_owned())
            }
            _ => return Err("pattern must begin with ^ and end with $".to_owned()),
        },
        Some(None) => return Err("pattern must be a text".to_owned()),
        None => None,
    };
    let format = match property.get("format").map(Value::as_str) {
        None => None,
        Some(Some("email")) => Some(Format::Email),
        Some(Some("date")) => Some(Format::Date),
        Some(Some("uri")) => Some(Format::Uri),
        Some(_) => return Err("format must be email, date or uri".to_owned()),
    };
    Ok(FieldKind::Text { min, max, pattern, format })
}

fn check_value(kind: &FieldKind, value: &Value) -> Result<(), String> {
    match kind {
        FieldKind::Text { min, max, pattern, format } => {
            let text = value.as_str().ok_or("must be a text")?;
            let count = text.chars().count() as u64;
            if count < *min {
                return Err(format!("must be at least {min} characters"));
            }
            if count > *max {
                return Err(format!("must be at most {max} characters"));
            }
            if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t')) {
                return Err("must have no control characters".to_owned());
            }
            if let Some(pattern) = pattern
                && !anchored(pattern)?.is_match(text)
            {
                return Err(format!("must match {pattern}"));
            }
            match format {
                Some(Format::Email) if !is_email(text) => {
                    Err("must be an e-mail address".to_owned())
                }
                Some(Format::Date)
                    if text.parse::<jiff::civil::Date>().is_err() || text.len() != 10 =>
                {
                    Err("must be a day such as 2026-01-31".to_owned())
                }
                Some(Format::Uri) if !is_https(text) => {
                    Err("must be an address that begins with https://".to_owned())
                }
                _ => Ok(()),
            }
        }
        FieldKind::Choice(values) => match value.as_str() {
            Some(text) if values.iter().any(|one| one == text) => Ok(()),
            _ => Err(format!("must be one of {}", values.join(", "))),
        },
        FieldKind::Integer { min, max } => match value.as_i64() {
            Some(number) if (*min..=*max).contains(&number) => Ok(()),
            _ => Err(format!("must be a whole number from {min} to {max}")),
        },
        FieldKind::Number { min, max } => match value.as_f64() {
            Some(number) if (*min..=*max).contains(&number) => Ok(()),
            _ if *min == f64::MIN && *max == f64::MAX => Err("must be a number".to_owned()),
            _ => Err(format!("must be a number from {min} to {max}")),
        },
        FieldKind::Flag => {
            value.as_bool().map(drop).ok_or_else(|| "must be true or false".to_owned())
        }
    }
}

fn is_https(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("https://") else { return false };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    !host.is_empty() && text.chars().all(|c| c.is_ascii_graphic())
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(char::to_uppercase).into_iter().flatten().chain(letters).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use serde_json::json;

    fn form() -> Form {
        Form::parse(&json!({
            "type": "object",
            "x-order": ["size", "mail"],
            "required": ["mail"],
            "properties": {
                "mail": {"type": "string", "format": "email"},
                "size": {"type": "string", "enum": ["small", "large"], "default": "small"},
                "count": {"type": "integer", "minimum": 1, "maximum": 9},
                "share": {"type": "number", "maximum": 0.5},
                "code": {"type": "string", "pattern": "^[A-Z]{3}$", "title": "Code"},
                "day": {"type": "string", "format": "date"},
                "sure": {"type": "boolean"}
            }
        }))
        .unwrap()
    }

    fn given(value: Value) -> BTreeMap<String, Value> {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn fields_are_shown_in_the_order_that_is_said() {
        let names: Vec<String> = form().fields.into_iter().map(|field| field.name).collect();
        assert_eq!(names, ["size", "mail", "count", "share", "code", "day", "sure"]);
    }

    #[test]
    fn values_are_held_to_the_form_and_defaults_filled_in() {
        let sound =
            given(json!({"mail": "a@b.example", "count": 9, "code": "ABC", "day": "2026-02-28"}));
        let values = form().check(sound).unwrap();
        assert_eq!(values.get("size"), Some(&json!("small")));
        for (name, bad) in [
            ("mail", json!("a@b")),
            ("size", json!("medium")),
            ("count", json!(10)),
            ("count", json!("3")),
            ("count", json!(1.5)),
            ("share", json!(0.6)),
            ("code", json!("ABCD")),
            ("code", json!("xABC")),
            ("day", json!("2026-02-30")),
            ("sure", json!("yes")),
        ] {
            let mut values = given(json!({"mail": "a@b.example"}));
            values.insert(name.to_owned(), bad.clone());
            let errors = form().check(values).unwrap_err();
            assert_eq!(errors.len(), 1, "{name} {bad}");
            assert!(errors.iter().all(|error| error.field == name), "{errors:?}");
        }
        let errors = form().check(given(json!({"other": 1, "__proto__": {}}))).unwrap_err();
        let named: Vec<&str> = errors.iter().map(|error| error.field.as_str()).collect();
        assert_eq!(named, ["mail", "__proto__", "other"], "the missing one and the unknown ones");
    }

    #[test]
    fn what_a_page_could_not_show_is_refused() {
        let property = |property: Value| json!({"properties": {"a": property}});
        for bad in [
            json!([]),
            json!({"type": "array"}),
            json!({"additionalProperties": true}),
            json!({"allOf": []}),
            json!({"required": ["gone"]}),
            json!({"properties": {"__proto__": {"type": "string"}}}),
            json!({"properties": {"constructor": {"type": "string"}}}),
            property(json!({"type": "object"})),
            property(json!({"type": "string", "pattern": "a"})),
            property(json!({"type": "string", "pattern": "^(a$"})),
            property(json!({"type": "string", "maxLength": 1_000_000})),
            property(json!({"type": "integer", "minimum": 2, "maximum": 1})),
            property(json!({"type": "integer", "default": "x"})),
            property(json!({"type": "string", "enum": []})),
            property(json!({"type": "string", "$ref": "https://elsewhere.example"})),
        ] {
            assert!(Form::parse(&bad).is_err(), "{bad}");
        }
        assert_eq!(Form::parse(&json!({})).unwrap(), Form::default());
    }
}
