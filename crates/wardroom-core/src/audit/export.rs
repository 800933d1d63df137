//! Exports of the log, and their verification: works offline, names the first bad record.
//!
//! An export is JSON lines: a [`Header`], then each record as `{"index","leaf","record"}` in order,
//! with `{"checkpoint"}` lines behind the last record that each signed note covers.

use super::merkle::{Frontier, Hash, leaf_hash};
use super::{AuditCheckpoint, AuditEntry};
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// The first line's `format`.
pub const FORMAT: &str = "wardroom-audit-export/1";
/// The longest line of an export, in bytes.
pub const LINE_BYTES_MAX: usize = 64 * 1024;

/// The first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// [`FORMAT`].
    pub format: String,
    /// The key that signed the checkpoints, as a C2SP verifier key.
    pub verifier_key: String,
    /// How many records follow.
    pub size: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RecordLine<'a> {
    index: u64,
    leaf: &'a str,
    #[serde(borrow)]
    record: &'a RawValue,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CheckpointLine {
    checkpoint: String,
}

/// The line of a record, without the line's end.
pub fn record_line(entry: &AuditEntry) -> String {
    let leaf = HEXLOWER.encode(&entry.leaf);
    // The body is spliced as it is: what was hashed is what is exported, to the byte.
    format!("{{\"index\":{},\"leaf\":\"{leaf}\",\"record\":{}}}", entry.index, entry.body)
}

/// The line of a checkpoint, without the line's end.
pub fn checkpoint_line(checkpoint: &AuditCheckpoint) -> String {
    let line = CheckpointLine { checkpoint: checkpoint.note.clone() };
    serde_json::to_string(&line).unwrap_or_default()
}

/// A line behind the header, after all that can be found out without the lines before it: reading many
/// at the same time is most of a verification's work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// A record.
    Record {
        /// Its index, as the line says it.
        index: u64,
        /// The hash of its text.
        hash: Hash,
        /// Whether that is the hash which the line says.
        fits: bool,
    },
    /// A signed note.
    Checkpoint(String),
}

impl Line {
    /// Reads a line; an error says what is wrong with its form.
    pub fn read(text: &str) -> Result<Self, String> {
        if text.starts_with("{\"checkpoint\"") {
            let parsed: CheckpointLine = serde_json::from_str(text).map_err(|e| e.to_string())?;
            return Ok(Self::Checkpoint(parsed.checkpoint));
        }
        // In this form alone, so that nothing that reads exports can take it for something else.
        if !text.starts_with("{\"index\":") {
            return Err("it is neither a record nor a checkpoint".to_owned());
        }
        let parsed: RecordLine<'_> = serde_json::from_str(text).map_err(|e| e.to_string())?;
        let (hash, fits) = hashed(parsed.leaf, parsed.record.get());
        Ok(Self::Record { index: parsed.index, hash, fits })
    }
}

/// The hash of a record's text, and whether it is the one written in `leaf`.
fn hashed(leaf: &str, body: &str) -> (Hash, bool) {
    let hash = leaf_hash(body.as_bytes());
    let mut hex = [0_u8; 64];
    HEXLOWER.encode_mut(&hash, &mut hex);
    (hash, leaf.as_bytes() == hex)
}

/// What is wrong with an export.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Finding {
    /// A line is not of the export's form.
    #[error("line {line} is not a line of an audit export: {reason}")]
    Form {
        /// Counts from 1.
        line: u64,
        /// What is wrong.
        reason: String,
    },
    /// A record's text does not have its hash.
    #[error("record {index} was altered: its text does not have the hash that was logged")]
    Altered {
        /// The record.
        index: u64,
    },
    /// Records are missing.
    #[error("record {index} was removed: record {found} stands in its place")]
    Removed {
        /// The first that is missing.
        index: u64,
        /// What stands there.
        found: u64,
    },
    /// Records stand in another order.
    #[error("record {found} stands where record {index} belongs: the records were reordered")]
    Reordered {
        /// The place.
        index: u64,
        /// What stands there.
        found: u64,
    },
    /// A stretch does not fit the signed root, though every text has the hash beside it.
    #[error(
        "records {from} to {to} do not make the signed root: at least one of them was altered, \
         replaced or exchanged together with its hash; the first suspect is record {from}"
    )]
    Forged {
        /// The first record behind the last good checkpoint.
        from: u64,
        /// The last record that the bad checkpoint covers.
        to: u64,
    },
    /// The log ends too early.
    #[error(
        "the log was truncated: record {index} and those behind it are missing; a signed checkpoint covers {size} records"
    )]
    Truncated {
        /// The first that is missing.
        index: u64,
        /// How many a signed checkpoint covers.
        size: u64,
    },
    /// A checkpoint is not signed by the log's key.
    #[error("the checkpoint on line {line} is not acceptable: {reason}")]
    Checkpoint {
        /// Counts from 1.
        line: u64,
        /// What is wrong.
        reason: String,
    },
    /// Nothing signed covers the end.
    #[error("no signed checkpoint covers record {index} and those behind it")]
    Unsigned {
        /// The first that is not covered.
        index: u64,
    },
}

/// What a signed note says, after its signature was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedRoot {
    /// How many records.
    pub size: u64,
    /// Their root.
    pub root: Hash,
}

/// Checks a note's signature; gives what it says or why it is not acceptable.
pub type CheckNote = Box<dyn Fn(&str) -> Result<SignedRoot, String> + Send + Sync>;

/// What a sound export says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verified {
    /// Records.
    pub records: u64,
    /// Checkpoints.
    pub checkpoints: u64,
    /// Records that the last checkpoint covers.
    pub signed: u64,
}

/// Verifies an export line by line, in constant memory.
pub struct Verifier {
    check_note: CheckNote,
    frontier: Frontier,
    line: u64,
    verified: Verified,
    /// The last checkpoint that fitted.
    good: u64,
}

impl Verifier {
    /// A verifier that checks notes with `check_note`.
    pub fn new(check_note: CheckNote) -> Self {
        Self {
            check_note,
            frontier: Frontier::default(),
            line: 1,
            verified: Verified::default(),
            good: 0,
        }
    }

    /// Takes the next line behind the header.
    pub fn line(&mut self, text: &str) -> Result<(), Finding> {
        self.take(Line::read(text))
    }

    /// Takes the next line behind the header, as it was read or with what is wrong with its form.
    pub fn take(&mut self, line: Result<Line, String>) -> Result<(), Finding> {
        self.line += 1;
        match line.map_err(|reason| Finding::Form { line: self.line, reason })? {
            Line::Checkpoint(note) => self.checkpoint(&note),
            Line::Record { index, hash, fits } => self.hashed(index, hash, fits),
        }
    }

    /// Takes the next record: its index, its hash in hexadecimal and its exact text.
    pub fn record(&mut self, found: u64, leaf: &str, body: &str) -> Result<(), Finding> {
        let (hash, fits) = hashed(leaf, body);
        self.hashed(found, hash, fits)
    }

    fn hashed(&mut self, found: u64, hash: Hash, fits: bool) -> Result<(), Finding> {
        let index = self.frontier.size();
        if found > index {
            return Err(Finding::Removed { index, found });
        }
        if found < index {
            return Err(Finding::Reordered { index, found });
        }
        if !fits {
            return Err(Finding::Altered { index });
        }
        self.frontier.append(hash);
        self.verified.records += 1;
        Ok(())
    }

    /// Takes a signed note.
    pub fn checkpoint(&mut self, note: &str) -> Result<(), Finding> {
        let signed = (self.check_note)(note)
            .map_err(|reason| Finding::Checkpoint { line: self.line, reason })?;
        let size = self.frontier.size();
        if signed.size > size {
            return Err(Finding::Truncated { index: size, size: signed.size });
        }
        if signed.size < size {
            let reason = format!("it covers {} records and stands behind {size}", signed.size);
            return Err(Finding::Checkpoint { line: self.line, reason });
        }
        if signed.root != self.frontier.root() {
            return Err(Finding::Forged { from: self.good, to: size.saturating_sub(1) });
        }
        self.good = size;
        self.verified.checkpoints += 1;
        self.verified.signed = size;
        Ok(())
    }

    /// Ends the export. `header_size` is what its first line promised, `later` a checkpoint that was
    /// kept elsewhere.
    pub fn finish(self, header_size: u64, later: Option<&SignedRoot>) -> Result<Verified, Finding> {
        let size = self.frontier.size();
        let promised = later.map_or(0, |later| later.size).max(header_size);
        if size < promised {
            return Err(Finding::Truncated { index: size, size: promised });
        }
        if let Some(later) = later
            && later.size == size
            && later.root != self.frontier.root()
        {
            return Err(Finding::Forged { from: self.good, to: size.saturating_sub(1) });
        }
        if self.verified.signed < size {
            return Err(Finding::Unsigned { index: self.verified.signed });
        }
        Ok(self.verified)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;
    use crate::{
        Origin, Principal, Timestamp,
        audit::{AuditDraft, merkle::Frontier},
    };
    use proptest::prelude::*;

    fn verifier() -> Verifier {
        Verifier::new(Box::new(|note: &str| {
            let (size, root) = note.split_once(' ').ok_or("no note")?;
            let mut hash = [0; 32];
            let bytes = HEXLOWER.decode(root.as_bytes()).map_err(|_| "no root")?;
            hash.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
            Ok(SignedRoot { size: size.parse().map_err(|_| "no size")?, root: hash })
        }))
    }

    /// An export's lines behind the header: records, and a note behind the last.
    fn lines(count: u64) -> Vec<String> {
        let mut frontier = Frontier::default();
        let mut lines: Vec<String> = (0..count)
            .map(|index| {
                let at = Timestamp::from_micros(1_800_000_000_000_000 + index as i64);
                let draft =
                    AuditDraft::event("test.event", &Principal::System, &Origin::INTERNAL, at);
                let body = draft.record.canonical();
                let leaf = leaf_hash(body.as_bytes());
                frontier.append(leaf);
                record_line(&AuditEntry { index, leaf, body })
            })
            .collect();
        let note = format!("{count} {}", HEXLOWER.encode(&frontier.root()));
        lines.push(format!("{{\"checkpoint\":{}}}", serde_json::to_string(&note).unwrap()));
        lines
    }

    fn verify(lines: &[String]) -> Result<Verified, Finding> {
        let mut verifier = verifier();
        lines.iter().try_for_each(|line| verifier.line(line))?;
        verifier.finish(lines.len() as u64 - 1, None)
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_verifier(text in any::<String>(), note in any::<String>()) {
            let mut verifier = verifier();
            prop_assert!(verifier.line(&text).is_err());
            prop_assert!(verifier.checkpoint(&note).is_err());
        }

        #[test]
        fn no_changed_byte_goes_unnoticed(at in any::<prop::sample::Index>(), to in 0x20_u8..0x7f) {
            let sound = lines(20);
            prop_assert_eq!(verify(&sound).map(|found| found.signed), Ok(20));
            let text = sound.join("\n");
            let at = at.index(text.len());
            prop_assume!(text.as_bytes()[at] != to && text.as_bytes()[at] != b'\n');
            let mut bytes = text.into_bytes();
            bytes[at] = to;
            let altered: Vec<String> =
                String::from_utf8(bytes).unwrap().split('\n').map(str::to_owned).collect();
            prop_assert!(verify(&altered).is_err());
        }

        #[test]
        fn no_lost_or_moved_line_goes_unnoticed(from in 0_usize..20, to in 0_usize..20) {
            let mut moved = lines(20);
            let line = moved.remove(from);
            prop_assert!(verify(&moved).is_err());
            prop_assume!(from != to);
            moved.insert(to, line);
            prop_assert!(verify(&moved).is_err());
        }
    }
}
