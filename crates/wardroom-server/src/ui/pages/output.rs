//! A program's output as lines that are safe to show: escape sequences of terminals are left out,
//! what is not text is written as `\x1f`, and characters that reorder a line are written as `\u{202e}`.
//! `assets/output.js` does the same to what comes later.

use data_encoding::BASE64;
use wardroom_wire::{api::OutputPage, link::Stream};

/// Lines that a page holds; earlier ones are left out.
const LINES_MAX: usize = 2000;
/// A longer line is broken.
const LINE_CHARS_MAX: usize = 4000;

/// A line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    /// What it says.
    pub(crate) text: String,
    /// `out`, `err`, or `gap` for a line of our own between attempts.
    pub(crate) kind: &'static str,
}

/// The lines of a page of output, and how many before them were left out.
pub(crate) fn lines(page: &OutputPage) -> (Vec<Line>, usize) {
    let mut lines = Vec::new();
    let mut streams = [Screen::new("out"), Screen::new("err")];
    let mut attempt = None;
    for chunk in &page.chunks {
        if attempt.is_some_and(|before| before != chunk.attempt) {
            streams.iter_mut().for_each(|stream| stream.end(&mut lines));
            lines.push(Line { text: "next attempt".to_owned(), kind: "gap" });
        }
        attempt = Some(chunk.attempt);
        let [out, err] = &mut streams;
        let stream = if chunk.stream == Stream::Stdout { out } else { err };
        stream.feed(&BASE64.decode(chunk.data.as_bytes()).unwrap_or_default(), &mut lines);
    }
    streams.iter_mut().for_each(|stream| stream.end(&mut lines));
    let left_out = lines.len().saturating_sub(LINES_MAX);
    lines.drain(..left_out);
    (lines, left_out)
}

/// Where a terminal's escape sequence stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Escape {
    None,
    Begun,
    Control,
    Text,
    TextEnding,
}

/// One stream on its way into lines.
struct Screen {
    kind: &'static str,
    open: Option<usize>,
    chars: usize,
    pending: Vec<u8>,
    escape: Escape,
    returned: bool,
}

impl Screen {
    fn new(kind: &'static str) -> Self {
        Self { kind, open: None, chars: 0, pending: vec![], escape: Escape::None, returned: false }
    }

    fn feed(&mut self, bytes: &[u8], lines: &mut Vec<Line>) {
        let mut all = std::mem::take(&mut self.pending);
        all.extend_from_slice(bytes);
        let mut rest = all.as_slice();
        while !rest.is_empty() {
            match std::str::from_utf8(rest) {
                Ok(text) => {
                    text.chars().for_each(|c| self.letter(c, lines));
                    return;
                }
                Err(error) => {
                    let (sound, tail) = rest.split_at(error.valid_up_to());
                    String::from_utf8_lossy(sound).chars().for_each(|c| self.letter(c, lines));
                    let Some(broken) = error.error_len() else {
                        // The beginning of a character whose end is in the next piece.
                        self.pending = tail.to_vec();
                        return;
                    };
                    let (bad, after) = tail.split_at(broken);
                    bad.iter().for_each(|byte| self.byte(*byte, lines));
                    rest = after;
                }
            }
        }
    }

    fn end(&mut self, lines: &mut Vec<Line>) {
        for byte in std::mem::take(&mut self.pending) {
            self.byte(byte, lines);
        }
        *self = Self::new(self.kind);
    }

    fn byte(&mut self, byte: u8, lines: &mut Vec<Line>) {
        self.write(&format!("\\x{byte:02x}"), lines);
    }

    fn letter(&mut self, c: char, lines: &mut Vec<Line>) {
        if self.escape != Escape::None {
            self.escape = match (self.escape, c) {
                (Escape::Begun, '[') => Escape::Control,
                (Escape::Begun, ']' | 'P' | '_' | '^' | 'X') => Escape::Text,
                // What designates a character set has one more byte.
                (Escape::Begun, ' '..='/') => Escape::Begun,
                (Escape::Control, ' '..='?') => Escape::Control,
                (Escape::Text, '\x1b') => Escape::TextEnding,
                (Escape::Text, '\x07' | '\n') => Escape::None,
                (Escape::Text, _) => Escape::Text,
                _ => Escape::None,
            };
            return;
        }
        // A return without a line feed goes back over its line; here it begins a new one.
        if std::mem::take(&mut self.returned) && c != '\n' {
            self.open = None;
        }
        match c {
            '\x1b' => self.escape = Escape::Begun,
            '\n' => {
                if self.open.is_none() {
                    self.write("", lines);
                }
                self.open = None;
            }
            '\r' => self.returned = self.open.is_some(),
            '\t' => self.write("\t", lines),
            c if (c as u32) < 0x20 || c == '\x7f' => self.byte(c as u8, lines),
            c if is_hidden(c) => self.write(&format!("\\u{{{:x}}}", c as u32), lines),
            c => self.write(c.encode_utf8(&mut [0; 4]), lines),
        }
    }

    fn write(&mut self, text: &str, lines: &mut Vec<Line>) {
        if self.chars >= LINE_CHARS_MAX {
            self.open = None;
        }
        let at = *self.open.get_or_insert_with(|| {
            lines.push(Line { text: String::new(), kind: self.kind });
            self.chars = 0;
            lines.len() - 1
        });
        if let Some(line) = lines.get_mut(at) {
            line.text.push_str(text);
            self.chars += 1;
        }
    }
}

/// SECURITY: C1 controls, and what reorders or hides text, so that a line reads as it was printed.
fn is_hidden(c: char) -> bool {
    matches!(c, '\u{80}'..='\u{9f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use wardroom_wire::api::OutputView;

    fn shown(pieces: &[(i64, Stream, &[u8])]) -> Vec<String> {
        let chunks = pieces
            .iter()
            .map(|(attempt, stream, bytes)| OutputView {
                run: String::new(),
                attempt: *attempt,
                seq: 0,
                stream: *stream,
                data: BASE64.encode(bytes),
            })
            .collect();
        let page = OutputPage { chunks, next: String::new(), complete: false };
        lines(&page).0.into_iter().map(|line| format!("{}:{}", line.kind, line.text)).collect()
    }

    #[test]
    fn colours_titles_and_returns_are_left_out() {
        let text = b"\x1b[1;31mred\x1b[0m\n\x1b]0;title\x07a\r\nb\x1b(Bc\n10%\r20%\n\n";
        assert_eq!(
            shown(&[(1, Stream::Stdout, text)]),
            ["out:red", "out:a", "out:bc", "out:10%", "out:20%", "out:"]
        );
    }

    #[test]
    fn what_is_split_between_pieces_is_put_together() {
        let pieces: [(i64, Stream, &[u8]); 5] = [
            (1, Stream::Stdout, b"caf\xc3"),
            (1, Stream::Stderr, b"bad\n"),
            (1, Stream::Stdout, b"\xa9\x1b["),
            (1, Stream::Stdout, b"0m!\r"),
            (1, Stream::Stdout, b"\nend"),
        ];
        assert_eq!(shown(&pieces), ["out:café!", "err:bad", "out:end"]);
    }

    #[test]
    fn what_is_not_text_is_escaped() {
        let bytes = b"\x00\xff\xfe ok \xe2\x80\xae\xc2\x9b \xf0\x9f";
        assert_eq!(
            shown(&[(1, Stream::Stdout, bytes)]),
            [r"out:\x00\xff\xfe ok \u{202e}\u{9b} \xf0\x9f"]
        );
    }

    #[test]
    fn attempts_are_kept_apart_and_lines_are_bounded() {
        assert_eq!(
            shown(&[(1, Stream::Stdout, b"a"), (2, Stream::Stdout, b"b")]),
            ["out:a", "gap:next attempt", "out:b"]
        );
        let long = vec![b'x'; LINE_CHARS_MAX * 2 + 1];
        assert_eq!(shown(&[(1, Stream::Stdout, &long)]).len(), 3);
        let many = b"y\n".repeat(LINES_MAX + 5);
        assert_eq!(shown(&[(1, Stream::Stdout, &many)]).len(), LINES_MAX);
    }
}
