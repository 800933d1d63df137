//! The last net under every log: what has the form of a secret does not get out, whatever wrote it.

use regex::bytes::{Captures, Regex};
use std::{
    borrow::Cow,
    io::{self, Write},
    sync::LazyLock,
};

/// Tokens by their prefixes, whatever follows `Bearer`, JWTs, session cookies, passwords
/// within URLs, and private keys.
static SECRETS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(concat!(
        r"(?i-u)(\bwr[a-z]_)[A-Za-z0-9_.\-]{16,}",
        r"|(\bbearer +)[A-Za-z0-9_.~+/=\-]{8,}",
        r"|(__Host-wardroom=)[^;\s]+",
        r"|(\beyJ)[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_.\-]+",
        r"|(://[^:/@\s]+:)[^@/\s]+@",
        r"|(-----BEGIN [A-Z ]*PRIVATE KEY-----)[^-]*",
    ))
    .ok()
});

/// `text` without secrets.
pub fn redact(text: &[u8]) -> Cow<'_, [u8]> {
    // SECURITY: a pattern that could not be read lets nothing through; a test reads it.
    let Some(secrets) = &*SECRETS else { return Cow::Borrowed(b"[unreadable]\n") };
    secrets.replace_all(text, |found: &Captures<'_>| {
        let kept = (1..found.len()).find_map(|group| found.get(group));
        let end: &[u8] = if found.get(5).is_some() { b"[redacted]@" } else { b"[redacted]" };
        [kept.map_or(&b""[..], |kept| kept.as_bytes()), end].concat()
    })
}

/// Passes on what it is given, without secrets. Each write must be a whole line, as a log's are.
#[derive(Debug)]
pub struct Redacting<W>(pub W);

impl<W: Write> Write for Redacting<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.write_all(&redact(line))?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn redacted(text: &str) -> String {
        let mut out = Vec::new();
        Redacting(&mut out).write_all(text.as_bytes()).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_has_the_form_of_a_secret_does_not_get_out() {
        for (text, kept) in [
            ("token wrt_AAAAAAAAAAAAAAAAAAAAAAAA end", "token wrt_[redacted] end"),
            ("wrj_0011.2233445566778899.aabbccdd", "wrj_[redacted]"),
            ("Authorization: Bearer abcdefgh12345678", "Authorization: Bearer [redacted]"),
            ("cookie __Host-wardroom=secretvalue; a=b", "cookie __Host-wardroom=[redacted]; a=b"),
            ("jwt eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJ4In0.sig", "jwt eyJ[redacted]"),
            ("postgres://u:pass%20word@host/db", "postgres://u:[redacted]@host/db"),
        ] {
            assert_eq!(redacted(text), kept);
        }
    }

    #[test]
    fn what_is_none_stays_as_it_is() {
        for text in [
            "run_01a1fcd87575748bb6564a6d555389a5 ended; wrong wrt_ and https://localhost:4000/a@b",
            "2026-01-01T00:00:00Z INFO linked server=\"https://localhost:4557\"",
            "\u{fc}ber \u{0}",
        ] {
            assert_eq!(redacted(text), text);
        }
    }
}
