//! Customers as a table (CSV, RFC 4180): `name`, `email`, `phone`, `notes`, and a column for each further field.

use crate::error::ApiError;
use std::collections::{BTreeMap, BTreeSet};
use wardroom_core::desk::customer::{CustomerProfile, is_field_name};
use wardroom_engine::desk::IMPORT_ROWS_MAX;

/// The longest table, in bytes.
pub(crate) const TABLE_BYTES_MAX: usize = 8 * 1024 * 1024;

const COLUMNS: [&str; 4] = ["name", "email", "phone", "notes"];

/// A cell that a spreadsheet would calculate is made a text by an apostrophe, which reading takes away again.
const CALCULATED: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

fn guarded(text: &str) -> String {
    match text.starts_with(CALCULATED) || text.starts_with('\'') {
        true => format!("'{text}"),
        false => text.to_owned(),
    }
}

fn unguarded(text: &str) -> &str {
    match text.strip_prefix('\'') {
        Some(rest) if rest.starts_with(CALCULATED) || rest.starts_with('\'') => rest,
        _ => text,
    }
}

/// The customers of a table, each with its line.
pub(crate) fn read_table(text: &str) -> Result<Vec<(u64, CustomerProfile)>, ApiError> {
    let wrong = |reason: String| ApiError::field("table", reason);
    // The reader counts a line only when it has seen its whole end: with one sign at its end it counts right.
    let text = text.trim_start_matches('\u{feff}').replace("\r\n", "\n");
    let mut reader =
        csv::ReaderBuilder::new().trim(csv::Trim::Headers).from_reader(text.as_bytes());
    let heading = reader.headers().map_err(|error| wrong(error.to_string()))?.clone();
    let mut seen = BTreeSet::new();
    for column in &heading {
        if !COLUMNS.contains(&column) && !is_field_name(column) {
            let shown: String = column.chars().filter(|c| !c.is_control()).take(40).collect();
            return Err(wrong(format!(
                "the column {shown:?} is not acceptable: use name, email, phone, notes, or a field’s name of a-z 0-9 _"
            )));
        }
        if !seen.insert(column) {
            return Err(wrong(format!("the column {column:?} is there twice")));
        }
    }
    for column in ["name", "email"] {
        if !seen.contains(column) {
            return Err(wrong(format!(
                "the column {column:?} is missing: the first line names the columns"
            )));
        }
    }
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| wrong(error.to_string()))?;
        if rows.len() == IMPORT_ROWS_MAX {
            return Err(wrong(format!("has more than {IMPORT_ROWS_MAX} rows: part it")));
        }
        let line = record.position().map_or(0, csv::Position::line);
        let mut profile = CustomerProfile::default();
        for (column, cell) in heading.iter().zip(&record) {
            let cell = unguarded(cell).to_owned();
            match column {
                "name" => profile.name = cell,
                "email" => profile.email = cell,
                "phone" => profile.phone = cell,
                "notes" => profile.notes = cell,
                _ if cell.is_empty() => {}
                field => {
                    profile.fields.insert(field.to_owned(), cell);
                }
            }
        }
        rows.push((line, profile));
    }
    Ok(rows)
}

/// Customers as a table.
pub(crate) fn write_table(customers: &[(String, CustomerProfile)]) -> Result<Vec<u8>, ApiError> {
    let fields: BTreeSet<&str> = customers
        .iter()
        .flat_map(|(_, profile)| profile.fields.keys().map(String::as_str))
        .collect();
    let mut writer =
        csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(vec![]);
    let heading: Vec<&str> = COLUMNS.into_iter().chain(fields.iter().copied()).collect();
    writer.write_record(&heading).map_err(ApiError::internal)?;
    for (_, profile) in customers {
        let own = [&profile.name, &profile.email, &profile.phone, &profile.notes];
        let empty = String::new();
        let more: BTreeMap<&str, &String> =
            profile.fields.iter().map(|(name, value)| (name.as_str(), value)).collect();
        let more = fields.iter().map(|field| more.get(field).copied().unwrap_or(&empty));
        let row: Vec<String> = own.into_iter().chain(more).map(|text| guarded(text)).collect();
        writer.write_record(&row).map_err(ApiError::internal)?;
    }
    writer.into_inner().map_err(|error| ApiError::internal(error.into_error()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;

    #[test]
    fn what_is_written_is_read_again_and_no_spreadsheet_calculates_it() {
        let profile = CustomerProfile {
            name: "=HYPERLINK(\"x\")".into(),
            email: "a@b.example".into(),
            phone: "+4930123456".into(),
            notes: "two\nlines, \"quoted\"".into(),
            fields: BTreeMap::from([("plan".into(), "'x".into())]),
        };
        let bytes = write_table(&[(String::new(), profile.clone())]).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.starts_with("name,email,phone,notes,plan\r\n\"'=HYPER"), "{text}");
        assert!(text.contains("'+4930123456"), "{text}");
        assert_eq!(read_table(&text).unwrap()[0], (2, profile));
        let lines = read_table("name,email\r\na,b\r\nc,d\r\n").unwrap();
        assert_eq!((lines[0].0, lines[1].0), (2, 3));
    }

    #[test]
    fn a_table_is_refused_by_what_is_wrong_with_its_columns() {
        for bad in
            ["", "name\nx\n", "name,email,__proto__\n", "name,email,email\n", "name,email\nx\n"]
        {
            let error = read_table(bad).unwrap_err();
            assert_eq!(error.fields[0].field, "table", "{bad:?}");
        }
    }
}
