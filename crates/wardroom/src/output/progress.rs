//! One line on standard error that tells what is being waited for, when somebody is there to read it.

use super::{Output, printable};
use std::io::{self, Write};

/// The longest line, so that it never wraps on a usual terminal.
const CHARS_MAX: usize = 78;

/// A line that is drawn over itself.
#[derive(Debug)]
pub(crate) struct Progress {
    enabled: bool,
    shown: String,
}

impl Progress {
    /// Shows something only when standard error is a terminal.
    pub(crate) const fn new(output: &Output) -> Self {
        Self { enabled: output.err_terminal, shown: String::new() }
    }

    /// Replaces the line.
    pub(crate) fn show(&mut self, text: &str) {
        if !self.enabled || self.shown == text {
            return;
        }
        let line: String = printable(text).chars().take(CHARS_MAX).collect();
        let mut error = io::stderr().lock();
        // Progress that can't be shown is no reason to stop.
        let _ = write!(error, "\r\u{1b}[K{line}").and_then(|()| error.flush());
        text.clone_into(&mut self.shown);
    }

    /// Takes the line away, before something else is printed.
    pub(crate) fn clear(&mut self) {
        if self.enabled && !self.shown.is_empty() {
            let mut error = io::stderr().lock();
            let _ = write!(error, "\r\u{1b}[K").and_then(|()| error.flush());
            self.shown.clear();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}
