//! A service's form as a page shows it, and what was typed into it as the API takes it.

use super::pattern;
use std::collections::BTreeMap;
use wardroom_core::desk::form::{FieldKind, Form, FormField, Format};

/// The field in which a value travels is its name behind this.
pub(crate) const PREFIX: &str = "v.";

/// How a value is entered.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Entry {
    /// A line: type, longest, pattern.
    Line(&'static str, u64, Option<String>),
    /// Several lines: longest.
    Lines(u64),
    /// One of these.
    Choice(Vec<String>),
    /// A number: step, least, most.
    Number(&'static str, String, String),
    /// Yes or no.
    Flag,
    /// Whatever JSON says.
    Json,
}

/// One field.
#[derive(Debug, Clone)]
pub(crate) struct OrderField {
    /// Its name.
    pub(crate) name: String,
    /// What people call it.
    pub(crate) title: String,
    /// What it means.
    pub(crate) description: String,
    /// Whether a value must be given.
    pub(crate) required: bool,
    /// How it is entered.
    pub(crate) entry: Entry,
    /// The shortest text.
    pub(crate) chars_min: u64,
    /// What stands in it.
    pub(crate) value: String,
    /// What is wrong with it.
    pub(crate) error: Option<String>,
}

impl OrderField {
    fn new(field: &FormField) -> Self {
        let chars_min = match &field.kind {
            FieldKind::Text { min, .. } => *min,
            _ => 0,
        };
        Self {
            name: field.name.clone(),
            title: field.title.clone(),
            description: field.description.clone(),
            required: field.required && field.default.is_none(),
            entry: entry(field),
            chars_min,
            value: field.default.as_ref().map(super::format::value).unwrap_or_default(),
            error: None,
        }
    }
}

fn entry(field: &FormField) -> Entry {
    match &field.kind {
        FieldKind::Text { max, .. } if field.is_long() => Entry::Lines(*max),
        FieldKind::Text { max, pattern, format, .. } => {
            let kind = match format {
                Some(Format::Email) => "email",
                Some(Format::Date) => "date",
                Some(Format::Uri) => "url",
                None => "text",
            };
            Entry::Line(kind, *max, pattern.as_deref().and_then(pattern::for_browser))
        }
        FieldKind::Choice(values) => Entry::Choice(values.clone()),
        FieldKind::Integer { min, max } => Entry::Number("1", min.to_string(), max.to_string()),
        FieldKind::Number { min, max } => {
            let bound = |bound: f64, open: f64| {
                if bound == open { String::new() } else { bound.to_string() }
            };
            Entry::Number("any", bound(*min, f64::MIN), bound(*max, f64::MAX))
        }
        FieldKind::Flag => Entry::Flag,
    }
}

/// A form as it stands.
#[derive(Debug, Clone, Default)]
pub(crate) struct OrderForm {
    /// Its fields.
    pub(crate) fields: Vec<OrderField>,
}

impl OrderForm {
    /// The empty form of a service.
    pub(crate) fn new(schema: &serde_json::Value) -> Self {
        let form = Form::parse(schema).unwrap_or_default();
        Self { fields: form.fields.iter().map(OrderField::new).collect() }
    }

    /// Takes over what was typed and gives it as the API takes it; what is no value of its kind goes as a text, so
    /// that the one check of all doors says what is wrong.
    pub(crate) fn values(
        &mut self,
        typed: &BTreeMap<String, String>,
    ) -> BTreeMap<String, serde_json::Value> {
        let mut values = BTreeMap::new();
        for field in &mut self.fields {
            let text = typed.get(&format!("{PREFIX}{}", field.name));
            if field.entry == Entry::Flag {
                field.value = text.is_some().to_string();
                values.insert(field.name.clone(), text.is_some().into());
                continue;
            }
            let text = text.map(|text| text.replace("\r\n", "\n")).unwrap_or_default();
            field.value.clone_from(&text);
            if text.is_empty() {
                continue;
            }
            let value = match &field.entry {
                Entry::Number(..) | Entry::Json => {
                    serde_json::from_str(text.trim()).unwrap_or(serde_json::Value::String(text))
                }
                _ => text.into(),
            };
            values.insert(field.name.clone(), value);
        }
        values
    }

    /// Puts what is wrong to its field; gives what is about none.
    pub(crate) fn blame(&mut self, errors: Vec<(String, String)>) -> Vec<(String, String)> {
        let mut others = Vec::new();
        for (name, reason) in errors {
            let bare = name.strip_prefix("values.").unwrap_or(&name);
            match self.fields.iter_mut().find(|field| field.name == bare) {
                Some(field) => field.error = Some(reason),
                None => others.push((name, reason)),
            }
        }
        others
    }
}
