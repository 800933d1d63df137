//! What was measured: a table for people, JSON for programs.

use serde::Serialize;
use serde_json::json;
use std::{fmt::Write as _, fs};

/// Which way is better.
#[derive(Clone, Copy)]
pub(crate) enum Target {
    /// At least so much.
    AtLeast(f64),
    /// At most so much.
    AtMost(f64),
}

/// One figure.
#[derive(Serialize)]
pub(crate) struct Figure {
    what: String,
    target: String,
    target_value: f64,
    measured: f64,
    unit: &'static str,
    reached: bool,
    /// How it came about, for people.
    notes: Vec<String>,
}

impl Figure {
    pub(crate) fn new(
        what: impl Into<String>,
        target: Target,
        measured: f64,
        unit: &'static str,
    ) -> Self {
        let (sign, value, reached) = match target {
            Target::AtLeast(value) => ("≥", value, measured >= value),
            Target::AtMost(value) => ("≤", value, measured <= value),
        };
        let target = format!("{sign} {} {unit}", number(value));
        Self {
            what: what.into(),
            target,
            target_value: value,
            measured,
            unit,
            reached,
            notes: vec![],
        }
    }

    #[must_use]
    pub(crate) fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }
}

/// A number with thousands separated, and a decimal where it is small.
pub(crate) fn number(value: f64) -> String {
    if value < 100.0 && value.fract() != 0.0 {
        return format!("{value:.1}");
    }
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The table, its columns aligned, and the notes below it.
pub(crate) fn table(figures: &[Figure]) -> String {
    let heads = ["what", "target", "measured", "reached?"].map(str::to_owned);
    let mut rows = vec![heads];
    for figure in figures {
        let measured = format!("{} {}", number(figure.measured), figure.unit);
        let reached = if figure.reached { "yes" } else { "no" };
        rows.push([figure.what.clone(), figure.target.clone(), measured, reached.to_owned()]);
    }
    let mut widths = [0; 4];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut text = String::new();
    for row in &rows {
        let cells: Vec<String> =
            row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        let _ = writeln!(text, "{}", cells.join("  ").trim_end());
    }
    for figure in figures.iter().filter(|figure| !figure.notes.is_empty()) {
        let _ = writeln!(text, "\n{}", figure.what);
        for note in &figure.notes {
            let _ = writeln!(text, "  - {note}");
        }
    }
    text
}

/// The same as JSON, with the machine that it was measured on.
pub(crate) fn document(figures: &[Figure], load: &str) -> serde_json::Value {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map(|rest| rest.trim_start_matches([' ', '\t', ':']).to_owned());
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let machine = json!({
        "cpus": std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        "cpu": model,
        "kernel": kernel.trim(),
        "load_before": load,
    });
    json!({"machine": machine, "figures": figures})
}

/// How busy the machine is: what else runs on it takes from every figure.
pub(crate) fn load() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split_whitespace().take(3).collect::<Vec<_>>().join(" ")
}
