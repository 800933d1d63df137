//! The journal: this node's durable truth about what it ran and refused, and its own record of it.
//!
//! One JSON line per event; each line carries the SHA-256 of the line before, so that a line that was
//! altered, removed or moved shows. A run is executed only after `accepted` is on disk and forgotten
//! only after `recorded` is: this is what makes «exactly once» true through any crash.

mod chain;
mod writer;

pub use chain::{ChainFault, verify};
pub use writer::{Journal, JournalError};

use serde::{Deserialize, Serialize};
use wardroom_wire::link::ResultShape;

/// The longest output that is kept inside the journal rather than in a file of its own, in bytes.
pub const INLINE_BYTES_MAX: usize = 16 * 1024;

/// A line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// Counts lines from 0 over the node's life.
    pub seq: u64,
    /// SHA-256 of the line before, hexadecimal; of nothing for the first.
    pub prev: String,
    /// When, RFC 3339.
    pub at: String,
    /// What.
    #[serde(flatten)]
    pub event: Event,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The journal was opened by a new process.
    Opened {
        /// The daemon's version.
        version: String,
        /// Bytes of a torn last line that were cut.
        cut_bytes: u64,
    },
    /// A run was taken: from here on it may have been executed.
    Accepted {
        /// The run.
        run: String,
        /// Its fencing token.
        fence: i64,
        /// The command.
        command: String,
        /// SHA-256 over the values, hexadecimal; never the values.
        parameters_digest: String,
    },
    /// A run was refused; nothing was executed.
    Refused {
        /// The run.
        run: String,
        /// Its fencing token.
        fence: i64,
        /// The command.
        command: String,
        /// Why, as a code.
        code: String,
    },
    /// A run is over.
    Finished {
        /// The run.
        run: String,
        /// Its fencing token.
        fence: i64,
        /// How it ended.
        result: Box<ResultShape>,
        /// How many pieces of output there were.
        chunks: u32,
        /// The pieces, where they are short: whether on standard error, and base64.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        output: Vec<(bool, String)>,
    },
    /// The orchestrator has the end of the run, or does not want it: it is forgotten.
    Recorded {
        /// The run.
        run: String,
        /// Its fencing token.
        fence: i64,
        /// The orchestrator refused it because another lease is current.
        discarded: bool,
    },
}

/// A run that is not recorded yet.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenRun {
    /// The run.
    pub run: String,
    /// Its fencing token.
    pub fence: i64,
    /// How it ended, how many pieces of output there were, and the short ones themselves.
    pub finished: Option<Finished>,
}

/// How a run ended, how many pieces of output there were, and the short ones themselves: whether on
/// standard error, and base64.
pub type Finished = (ResultShape, u32, Vec<(bool, String)>);
