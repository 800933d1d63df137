//! Aligned columns, separated by spaces only.

use super::printable;
use unicode_width::UnicodeWidthStr;

/// What stands in an empty cell, so that columns can be told apart by programs as well.
const EMPTY: &str = "-";
/// Between two columns.
const GAP: &str = "  ";

/// Rows under a head.
#[derive(Debug)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
    columns: usize,
}

impl Table {
    /// A table with these column heads.
    pub(crate) fn new(heads: &[&str]) -> Self {
        Self {
            rows: vec![heads.iter().map(|head| (*head).to_owned()).collect()],
            columns: heads.len(),
        }
    }

    /// A table without heads.
    const fn bare(columns: usize) -> Self {
        Self { rows: vec![], columns }
    }

    /// Adds a row; missing cells are empty and superfluous ones are dropped.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let mut row: Vec<String> = cells
            .into_iter()
            .take(self.columns)
            .map(
                |cell| {
                    if cell.is_empty() { EMPTY.to_owned() } else { printable(&cell).into_owned() }
                },
            )
            .collect();
        row.resize(self.columns, EMPTY.to_owned());
        self.rows.push(row);
    }

    /// Whether there is any row under the head.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.len() <= 1
    }

    /// The whole table, each line ended.
    pub(crate) fn render(&self) -> String {
        let mut widths = vec![0; self.columns];
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.width());
            }
        }
        let mut text = String::new();
        for row in &self.rows {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                if !line.is_empty() {
                    line.push_str(GAP);
                }
                line.push_str(cell);
                line.extend(std::iter::repeat_n(' ', width.saturating_sub(cell.width())));
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

/// Names with their values, one pair per line.
pub(crate) fn pairs<N: Into<String>>(pairs: impl IntoIterator<Item = (N, String)>) -> Table {
    let mut table = Table::bare(2);
    for (name, value) in pairs {
        table.row([format!("{}:", name.into()), value]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_align_by_what_is_seen() {
        let mut table = Table::new(&["NAME", "STATE", "NOTE"]);
        table.row(["日本".into(), "online".into(), "a\u{1b}[0m".into()]);
        table.row(["web-north-1".into(), String::new(), "b".into(), "dropped".into()]);
        assert_eq!(
            table.render(),
            "NAME         STATE   NOTE\n日本         online  a\u{241b}[0m\nweb-north-1  -       b\n"
        );
        assert!(!table.is_empty() && Table::new(&["A"]).is_empty());
    }

    #[test]
    fn pairs_have_no_head_and_no_trailing_spaces() {
        let text = pairs([("id", "run_1".to_owned()), ("state", String::new())]).render();
        assert_eq!(text, "id:     run_1\nstate:  -\n");
    }
}
