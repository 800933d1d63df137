//! Everything that the client commands print. No other module of them writes to the standard streams.

mod measure;
mod progress;
mod qr;
mod safe;
mod table;

pub(crate) use measure::{ago, bytes, duration};
pub(crate) use progress::Progress;
pub(crate) use qr::qr;
pub(crate) use safe::{TextStream, printable, printable_lines};
pub(crate) use table::{Table, pairs};

use crate::client::Failure;
use serde::Serialize;
use std::io::{self, IsTerminal, Write};
use wardroom_core::Timestamp;

/// Which of the two standard streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sink {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// How to print, decided once at the start.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    /// For programs: the API's JSON instead of tables.
    pub(crate) json: bool,
    /// Whether standard output is a terminal.
    pub(crate) out_terminal: bool,
    /// Whether standard error is a terminal.
    pub(crate) err_terminal: bool,
    /// What relative times are relative to.
    pub(crate) now: Timestamp,
}

impl Output {
    /// Looks at the standard streams.
    pub(crate) fn detect(json: bool, now: Timestamp) -> Self {
        let (out_terminal, err_terminal) = (io::stdout().is_terminal(), io::stderr().is_terminal());
        Self { json, out_terminal, err_terminal, now }
    }

    /// Whether a stream is a terminal.
    pub(crate) const fn is_terminal(&self, sink: Sink) -> bool {
        match sink {
            Sink::Out => self.out_terminal,
            Sink::Err => self.err_terminal,
        }
    }

    /// A line on standard output.
    pub(crate) fn line(&self, text: &str) -> Result<(), Failure> {
        self.write(Sink::Out, format!("{}\n", printable(text)).as_bytes())
    }

    /// A value as JSON: indented on a terminal, on one line otherwise.
    pub(crate) fn json(&self, value: &impl Serialize) -> Result<(), Failure> {
        let text = if self.out_terminal {
            serde_json::to_string_pretty(value)
        } else {
            serde_json::to_string(value)
        };
        let text = text.map_err(|error| {
            Failure::local(format!("the answer can't be written as JSON: {error}"))
        })?;
        // JSON escapes the C0 controls by itself; what else a terminal might obey is taken out here.
        let text = if self.out_terminal { safe::printable_lines(&text) } else { text };
        self.write(Sink::Out, format!("{text}\n").as_bytes())
    }

    /// A value as one line of JSON, for streams of values.
    pub(crate) fn json_line(&self, value: &impl Serialize) -> Result<(), Failure> {
        let text = serde_json::to_string(value).map_err(|error| {
            Failure::local(format!("the answer can't be written as JSON: {error}"))
        })?;
        self.write(Sink::Out, format!("{}\n", printable(&text)).as_bytes())
    }

    /// A table on standard output.
    pub(crate) fn table(&self, table: &Table) -> Result<(), Failure> {
        self.write(Sink::Out, table.render().as_bytes())
    }

    /// Text of several lines on standard output, such as a policy.
    pub(crate) fn text(&self, text: &str) -> Result<(), Failure> {
        let text = if self.out_terminal { safe::printable_lines(text) } else { text.to_owned() };
        let end = if text.ends_with('\n') { "" } else { "\n" };
        self.write(Sink::Out, format!("{text}{end}").as_bytes())
    }

    /// A remark on standard error.
    pub(crate) fn note(&self, text: &str) {
        // A remark that can't be printed must not fail what it remarks on.
        let _ = writeln!(io::stderr().lock(), "{}", printable(text));
    }

    /// A remark that only a person at a terminal has use for.
    pub(crate) fn hint(&self, text: &str) {
        if self.err_terminal {
            self.note(text);
        }
    }

    /// Several lines that only a person at a terminal has use for.
    pub(crate) fn picture(&self, text: &str) {
        text.lines().for_each(|line| self.hint(line));
    }

    /// A failure on standard error: what happened, then what to do.
    pub(crate) fn failure(&self, failure: &Failure) {
        if failure.silent {
            return;
        }
        self.note(&format!("error: {}", failure.what));
        for line in &failure.further {
            self.note(&format!("  {line}"));
        }
    }

    /// Bytes as they are.
    pub(crate) fn write(&self, sink: Sink, bytes: &[u8]) -> Result<(), Failure> {
        let written = match sink {
            Sink::Out => {
                let mut out = io::stdout().lock();
                out.write_all(bytes).and_then(|()| out.flush())
            }
            Sink::Err => io::stderr().lock().write_all(bytes),
        };
        written.map_err(|error| {
            let mut failure = Failure::local(format!("the output can't be written: {error}"));
            // Whoever read it has seen enough, as with `… | head`.
            failure.silent = error.kind() == io::ErrorKind::BrokenPipe;
            failure
        })
    }

    /// A point in time: relative for people, RFC 3339 for programs.
    pub(crate) fn time(&self, text: &str) -> String {
        match (self.out_terminal, text.parse::<Timestamp>()) {
            (true, Ok(at)) => ago(self.now, at),
            _ => text.to_owned(),
        }
    }

    /// A point in time that may be absent.
    pub(crate) fn time_or(&self, text: Option<&String>) -> String {
        text.map_or_else(|| "-".to_owned(), |text| self.time(text))
    }
}

/// Asks a person at the terminal to confirm; `false` when standard input is not a terminal.
pub(crate) fn confirmed(question: &str) -> Result<bool, Failure> {
    if !io::stdin().is_terminal() {
        return Ok(false);
    }
    let answer = asked(&format!("{question} [y/N] "))?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// Asks a person at the terminal for a line of text; an empty one where there is none.
pub(crate) fn asked(question: &str) -> Result<String, Failure> {
    put_question(question)?;
    typed().map(Option::unwrap_or_default)
}

/// Puts a question to whoever sits at the terminal.
pub(crate) fn put_question(question: &str) -> Result<(), Failure> {
    let mut error = io::stderr().lock();
    error.write_all(printable(question).as_bytes()).and_then(|()| error.flush()).map_err(broken)
}

/// The next line that is typed; nothing at the end of what is typed.
pub(crate) fn typed() -> Result<Option<String>, Failure> {
    let mut answer = String::new();
    let read = io::stdin().read_line(&mut answer).map_err(broken)?;
    Ok((read > 0).then(|| answer.trim_end_matches(['\r', '\n']).to_owned()))
}

fn broken(error: io::Error) -> Failure {
    Failure::local(format!("the terminal can't be used: {error}"))
}
