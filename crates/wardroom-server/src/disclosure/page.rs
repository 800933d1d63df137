//! The archive's pages. They stand alone: no script, nothing that is fetched from anywhere.

use askama::Template;
use serde_json::Value;
use wardroom_core::Timestamp;
use wardroom_engine::disclosure::Part;

/// A table that the first page leads to.
pub(super) struct Listed {
    pub(super) name: String,
    pub(super) title: &'static str,
    pub(super) rows: usize,
}

#[derive(Template)]
#[template(path = "export_index.html")]
struct Index<'a> {
    title: &'a str,
    at: Timestamp,
    listed: &'a [Listed],
}

#[derive(Template)]
#[template(path = "export_table.html")]
struct Table<'a> {
    title: &'a str,
    columns: Vec<&'a str>,
    rows: Vec<Vec<String>>,
}

/// The first page.
pub(super) fn index(title: &str, at: Timestamp, listed: &[Listed]) -> String {
    Index { title, at, listed }.render().unwrap_or_default()
}

/// A table's page.
pub(super) fn table(part: &Part) -> String {
    let columns: Vec<&str> = match part.rows.first() {
        Some(Value::Object(row)) => row.keys().map(String::as_str).collect(),
        _ => vec![],
    };
    let cell = |row: &Value, column: &&str| row.get(*column).map(words).unwrap_or_default();
    let rows = part.rows.iter().map(|row| columns.iter().map(|column| cell(row, column)).collect());
    Table { title: part.title, rows: rows.collect(), columns }.render().unwrap_or_default()
}

/// A value as people read it.
fn words(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Array(items) => items.iter().map(words).collect::<Vec<_>>().join(", "),
        Value::Object(fields) => {
            let pair = |(name, value): (&String, &Value)| format!("{name}: {}", words(value));
            fields.iter().map(pair).collect::<Vec<_>>().join("\n")
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use serde_json::json;

    #[test]
    fn what_somebody_typed_is_no_markup() {
        let rows =
            vec![json!({"name": "<script>alert(1)</script>", "fields": {"a": ["b", 1, true]}})];
        let page = table(&Part { name: "x".to_owned(), title: "X", rows });
        assert!(!page.contains("<script"), "{page}");
        assert!(page.contains("a: b, 1, yes"), "{page}");
    }
}
