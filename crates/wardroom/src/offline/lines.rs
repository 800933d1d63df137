//! Reads lines of bounded length, without copying them twice.

use crate::client::Failure;
use std::io::{BufRead, BufReader, Read};

/// How much is read at once, in bytes.
const READ_BYTES: usize = 1024 * 1024;

/// Lines of a text.
pub(super) struct Lines<R> {
    reader: BufReader<R>,
    line: Vec<u8>,
    bytes_max: usize,
    count: u64,
}

impl<R: Read> Lines<R> {
    /// Lines of at most `bytes_max` bytes.
    pub(super) fn new(reader: R, bytes_max: usize) -> Self {
        Self {
            reader: BufReader::with_capacity(READ_BYTES, reader),
            line: Vec::new(),
            bytes_max,
            count: 0,
        }
    }

    /// The next line without its end; `None` behind the last. An error names what is wrong with it.
    pub(super) fn next(&mut self) -> Result<Option<Result<&str, String>>, Failure> {
        self.line.clear();
        let limit = self.bytes_max as u64 + 1;
        let read =
            Read::by_ref(&mut self.reader).take(limit).read_until(b'\n', &mut self.line).map_err(
                |error| Failure::usage(format!("line {} can't be read: {error}", self.count + 1)),
            )?;
        if read == 0 {
            return Ok(None);
        }
        self.count += 1;
        if self.line.last() == Some(&b'\n') {
            self.line.pop();
        } else if self.line.len() > self.bytes_max {
            return Ok(Some(Err(format!("it is longer than {} bytes", self.bytes_max))));
        }
        Ok(Some(std::str::from_utf8(&self.line).map_err(|_| "it is not UTF-8".to_owned())))
    }

    /// How many lines were read.
    pub(super) const fn count(&self) -> u64 {
        self.count
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn lines_are_bounded_and_the_last_needs_no_end() {
        let mut lines = Lines::new("one\n\ntwelve bytes\nlast".as_bytes(), 10);
        assert_eq!(lines.next().unwrap(), Some(Ok("one")));
        assert_eq!(lines.next().unwrap(), Some(Ok("")));
        assert_eq!(lines.next().unwrap(), Some(Err("it is longer than 10 bytes".to_owned())));
        let mut lines = Lines::new("last".as_bytes(), 10);
        assert_eq!(lines.next().unwrap(), Some(Ok("last")));
        assert!(lines.next().unwrap().is_none());
        assert_eq!(lines.count(), 1);
        assert_eq!(
            Lines::new(&b"\xff\n"[..], 9).next().unwrap(),
            Some(Err("it is not UTF-8".to_owned()))
        );
    }
}
