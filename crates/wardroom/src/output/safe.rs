//! Keeps what others wrote from steering the reader's terminal.
//!
//! SECURITY: names, messages and output come from nodes and from what they run. Escape sequences in
//! them could rewrite what is on the screen, set the window's title or make some terminals type back;
//! bidirectional controls could show a text in another order than it has. None of them reaches a
//! terminal through this program unless `--raw` asks for it.

use std::borrow::Cow;

/// What stands for a control character that was taken out.
const INSTEAD: char = '\u{fffd}';

/// Whether a character steers rather than shows.
fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}'
            | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// One line: nothing in it steers, not even a line's end.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    if text.chars().any(steers) {
        text.chars().map(|c| if steers(c) { visible(c) } else { c }).collect::<String>().into()
    } else {
        text.into()
    }
}

/// Several lines: line ends and tabs stay.
pub(crate) fn printable_lines(text: &str) -> String {
    text.chars().map(|c| if steers(c) && c != '\n' && c != '\t' { visible(c) } else { c }).collect()
}

/// A picture of a control character (Unicode's block "Control Pictures").
fn visible(c: char) -> char {
    match u32::from(c) {
        code @ 0..=0x1f => char::from_u32(0x2400 + code).unwrap_or(INSTEAD),
        0x7f => '\u{2421}',
        _ => INSTEAD,
    }
}

/// Turns a stream of bytes that comes in pieces into text that a terminal may be given.
#[derive(Debug, Default)]
pub(crate) struct TextStream {
    /// The begin of a character whose rest has not come yet; at most three bytes.
    pending: Vec<u8>,
    /// The last piece ended with a carriage return, whose line feed may come next.
    carriage_return: bool,
}

impl TextStream {
    /// The next piece.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> String {
        let mut all = std::mem::take(&mut self.pending);
        all.extend_from_slice(bytes);
        let mut text = String::with_capacity(all.len());
        for chunk in all.utf8_chunks() {
            self.show(chunk.valid(), &mut text);
            let invalid = chunk.invalid();
            let reaches_end = invalid.as_ptr_range().end == all.as_ptr_range().end;
            if !invalid.is_empty() && reaches_end && may_continue(invalid) {
                self.pending = invalid.to_vec();
            } else if !invalid.is_empty() {
                text.push(INSTEAD);
            }
        }
        text
    }

    /// What remains at the end of the stream.
    pub(crate) fn finish(&mut self) -> &'static str {
        let left = !self.pending.is_empty();
        self.pending.clear();
        if left { "\u{fffd}" } else { "" }
    }

    fn show(&mut self, valid: &str, text: &mut String) {
        for c in valid.chars() {
            if self.carriage_return && c != '\n' {
                // Alone, it would let later text overwrite what stands before it.
                text.push(visible('\r'));
            }
            self.carriage_return = c == '\r';
            match c {
                '\r' => {}
                '\n' | '\t' => text.push(c),
                c if steers(c) => text.push(visible(c)),
                c => text.push(c),
            }
        }
    }
}

/// Whether these bytes are the begin of a character that could still become whole.
fn may_continue(bytes: &[u8]) -> bool {
    matches!(std::str::from_utf8(bytes), Err(error) if error.valid_up_to() == 0 && error.error_len().is_none())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn escape_sequences_and_direction_marks_lose_their_power() {
        assert_eq!(printable("web-1"), "web-1");
        assert_eq!(printable("a\u{1b}[2Jb\nc\td"), "a\u{241b}[2Jb\u{240a}c\u{2409}d");
        assert_eq!(printable("x\u{202e}y\u{9b}31m\u{7f}"), "x\u{fffd}y\u{fffd}31m\u{2421}");
        assert_eq!(printable_lines("a\n\tb\u{7}"), "a\n\tb\u{2407}");
    }

    #[test]
    fn a_character_cut_in_two_becomes_whole_and_garbage_is_marked() {
        let mut stream = TextStream::default();
        let euro = "€".as_bytes();
        let (head, tail) = euro.split_at(1);
        assert_eq!(stream.push(head), "");
        assert_eq!(stream.push(tail), "€");
        assert_eq!(stream.push(b"\xff\xfeok\xe2"), "\u{fffd}\u{fffd}ok");
        assert_eq!(stream.push(b"x"), "\u{fffd}x");
        assert_eq!(stream.push(b"\xe2\x82"), "");
        assert_eq!(stream.finish(), "\u{fffd}");
        assert_eq!(stream.finish(), "");
    }

    #[test]
    fn only_a_carriage_return_before_a_line_feed_is_silent() {
        let mut stream = TextStream::default();
        assert_eq!(stream.push(b"one\r"), "one");
        assert_eq!(stream.push(b"\ntwo\rthree"), "\ntwo\u{240d}three");
        assert_eq!(stream.push(b"\x1b]0;title\x07"), "\u{241b}]0;title\u{2407}");
    }
}
