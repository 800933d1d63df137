//! The journal: this node's durable truth about what it ran and refused, and its own record of it.
//!
//! One JSON line per event; each line carries the SHA-256 of the line before, so that a line that was
//! altered, removed or moved shows. A run is executed only after `accepted` is on disk and forgotten
//! only after `recorded` is written: this is what makes «exactly once» true through any crash.
//!
//! Neither values nor output stand in it. Short outputs wait in the outbox beside it until they are
//! recorded, long ones in files of their own.

mod chain;
mod line;
mod outbox;
mod writer;

pub use chain::{ChainFault, Verified, files, verify};
pub use line::Line;
pub use writer::{Journal, JournalError, Opened};

use wardroom_wire::link::ResultShape;

/// The longest output that waits in the outbox rather than in a file of its own, in bytes.
pub const INLINE_BYTES_MAX: usize = 16 * 1024;

/// Pieces of output: whether on standard error, and the bytes.
pub type Pieces = Vec<(bool, Vec<u8>)>;

/// What happened.
#[derive(Debug, Clone, PartialEq)]
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
        /// What is run.
        asked: Asked,
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
    /// Too many were refused within a minute: from here on, for the rest of it, that is not written.
    PassedOver,
    /// The program was executed.
    Started {
        /// The run.
        run: String,
        /// Its fencing token.
        fence: i64,
    },
    /// A newer lease took over a run that is held already.
    Adopted {
        /// The run.
        run: String,
        /// The newer fencing token.
        fence: i64,
    },
    /// A run is over.
    Finished {
        /// The run.
        run: String,
        /// Its fencing token.
        fence: i64,
        /// How.
        end: Box<Finish>,
    },
    /// The orchestrator has the end of the run, or does not want it: it is forgotten.
    Recorded {
        /// The run.
        run: String,
        /// Its fencing token.
        fence: i64,
        /// The orchestrator refused it because it is over or another lease is current.
        discarded: bool,
    },
    /// A process of a tool server is about to be started.
    InstanceStarted {
        /// The instance.
        instance: String,
        /// The tool server.
        server: String,
        /// Digest of its definition.
        definition: String,
    },
    /// A process of a tool server is over, or could not be started.
    InstanceEnded {
        /// The instance.
        instance: String,
        /// How, as a code.
        code: String,
    },
    /// A run that was open when the file before this one was closed.
    Carried(Box<OpenRun>),
}

/// What a run is, as far as the log may tell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    /// The command.
    pub command: String,
    /// Digest of its definition.
    pub definition: String,
    /// SHA-256 over the values; never the values.
    pub parameters: String,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Finish {
    /// As it is told to the orchestrator.
    pub result: ResultShape,
    /// How many pieces of output there were.
    pub chunks: u32,
    /// Whether they are in a file of their own rather than in the outbox.
    pub in_file: bool,
}

/// A run that is not recorded yet.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenRun {
    /// The run.
    pub run: String,
    /// Its fencing token.
    pub fence: i64,
    /// What is run.
    pub asked: Asked,
    /// How it ended, if it has.
    pub finished: Option<Finish>,
    /// Its output, where it is short.
    pub output: Pieces,
}
