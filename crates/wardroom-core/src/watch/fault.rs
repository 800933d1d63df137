//! Faults: what went wrong inside, grouped so that the same thing is one line.

use crate::{Timestamp, digest::sha256};

/// The longest message that is kept, in characters.
pub const MESSAGE_CHARS_MAX: usize = 500;

/// Something that went wrong, as often as it did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What makes it the same fault: 16 hexadecimal digits.
    pub fingerprint: String,
    /// Where in the program.
    pub place: String,
    /// What it said, the last time.
    pub message: String,
    /// How often.
    pub count: u64,
    /// When it was first seen.
    pub first_at: Timestamp,
    /// When last.
    pub last_at: Timestamp,
    /// The last request in which it happened, as logs name it.
    pub request: Option<String>,
    /// The last run that it touched.
    pub run: Option<String>,
    /// When somebody said that it is mended. It opens again when it is seen again.
    pub resolved_at: Option<Timestamp>,
}

/// The fingerprint of what went wrong: its place and its words, without what differs each time.
pub fn fingerprint(place: &str, message: &str) -> String {
    let digest = sha256(&[place.as_bytes(), b"\n", template(message).as_bytes()]);
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// A message without numbers, ids and what is quoted.
fn template(message: &str) -> String {
    let mut found = String::new();
    let mut quoted = None;
    let mut before = ' ';
    let mut word = String::new();
    for c in message.chars().chain(Some(' ')) {
        let mark = c == '"' || c == '\'';
        match quoted {
            // An apostrophe within a word quotes nothing.
            None if mark && !before.is_alphanumeric() => quoted = Some(c),
            None if c.is_alphanumeric() || c == '_' => word.push(c),
            None => {
                let changes = word.chars().any(|c| c.is_ascii_digit());
                found.push_str(if changes { "#" } else { &word });
                found.push(c);
                word.clear();
            }
            Some(open) if c == open => quoted = None,
            Some(_) => {}
        }
        before = c;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_each_time_does_not_count() {
        let same = |a: &str, b: &str| fingerprint("x", a) == fingerprint("x", b);
        assert!(same("run run_01ab failed after 3 s", "run run_77cd failed after 12 s"));
        assert!(same("the file \"a.txt\" is gone", "the file \"b.txt\" is gone"));
        assert!(!same("the disk is full", "the disk is gone"));
        let unread = |why: &str| format!("a customer can't be read error={why}");
        assert!(!same(&unread("no key"), &unread("no disk")), "an apostrophe quotes nothing");
        assert_ne!(fingerprint("x", "a"), fingerprint("y", "a"));
        assert_eq!(fingerprint("x", "a").len(), 16);
    }
}
