//! Checking the chain of lines.

use super::Line;
use std::{
    fs, io,
    path::{Path, PathBuf},
};
use wardroom_core::digest::sha256_hex;

/// The folder of the journal, within the node's.
pub(super) const FOLDER: &str = "journal";
/// Says what the last durable line is.
pub(super) const HEAD: &str = "head";
const EXTENSION: &str = "jsonl";

/// What is wrong with a chain.
#[derive(Debug, thiserror::Error)]
pub enum ChainFault {
    /// A line is out of form.
    #[error("{file}, line {line}: it is not a line of a node's log")]
    Form {
        /// Which file.
        file: String,
        /// Counts from 1.
        line: u64,
    },
    /// A line does not follow from the one before.
    #[error(
        "{file}, line {line}: it does not follow from the line before; one of them was altered, removed or moved"
    )]
    Broken {
        /// Which file.
        file: String,
        /// Counts from 1.
        line: u64,
    },
    /// The end is missing.
    #[error("the log ends before line number {seq}, which was on disk: its end was cut off")]
    Cut {
        /// The number of the last durable line.
        seq: u64,
    },
    /// It can't be read.
    #[error("the log can't be read: {0}")]
    Io(#[from] io::Error),
}

/// A chain that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Lines.
    pub lines: u64,
    /// The number of the first that is kept; older ones were given up.
    pub first: u64,
    /// SHA-256 of the last line, hexadecimal.
    pub head: String,
}

/// The journal's files in the node's folder `data`, oldest first.
pub fn files(data: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found: Vec<PathBuf> = fs::read_dir(data.join(FOLDER))?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == EXTENSION))
        .collect();
    found.sort();
    Ok(found)
}

pub(super) fn file_name(number: u64) -> String {
    format!("{number:08}.{EXTENSION}")
}

/// Follows the chain from line to line.
#[derive(Debug, Default)]
pub(super) struct Follower {
    pub(super) lines: u64,
    first: u64,
    /// Number and SHA-256 of the last line.
    pub(super) last: Option<(u64, String)>,
    /// The head was gone by, or there is none.
    head_seen: bool,
}

impl Follower {
    /// Takes the next line.
    pub(super) fn take(
        &mut self,
        text: &str,
        file: &Path,
        number: u64,
        head: Option<&Head>,
    ) -> Result<Line, ChainFault> {
        let name = || file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let line: Line = serde_json::from_str(text)
            .map_err(|_| ChainFault::Form { file: name(), line: number })?;
        let follows = match &self.last {
            Some((seq, hash)) => line.prev == *hash && line.seq == seq + 1,
            None => line.seq > 0 || line.prev == sha256_hex(b""),
        };
        let hash = sha256_hex(text.as_bytes());
        let is_head = head.is_some_and(|head| head.seq == line.seq);
        if !follows || (is_head && head.is_some_and(|head| head.hash != hash)) {
            return Err(ChainFault::Broken { file: name(), line: number });
        }
        if self.lines == 0 {
            self.first = line.seq;
        }
        self.head_seen |= is_head;
        self.lines += 1;
        self.last = Some((line.seq, hash));
        Ok(line)
    }

    /// Whether the head was among the lines.
    pub(super) fn end(&self, head: Option<&Head>) -> Result<(), ChainFault> {
        match head {
            Some(head) if !self.head_seen => Err(ChainFault::Cut { seq: head.seq }),
            _ => Ok(()),
        }
    }
}

/// The last durable line.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Head {
    pub(super) seq: u64,
    pub(super) hash: String,
}

impl Head {
    /// The head that was written last; `None` before the first and where it can't be read.
    pub(super) fn read(data: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(data.join(FOLDER).join(HEAD)).ok()?).ok()
    }
}

/// Checks all that is kept of the log in the node's folder `data`. A last line that a crash tore is no
/// fault: it was never counted on.
pub fn verify(data: &Path) -> Result<Verified, ChainFault> {
    let head = Head::read(data);
    let mut follower = Follower::default();
    for file in files(data)? {
        let bytes = fs::read(&file)?;
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let name = || file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let text = std::str::from_utf8(bytes.get(..whole).unwrap_or_default())
            .map_err(|_| ChainFault::Form { file: name(), line: 0 })?;
        for (at, line) in text.lines().enumerate() {
            follower.take(line, &file, at as u64 + 1, head.as_ref())?;
        }
    }
    follower.end(head.as_ref())?;
    let head = follower.last.map(|(_, hash)| hash).unwrap_or_default();
    Ok(Verified { lines: follower.lines, first: follower.first, head })
}
