//! A command as a node publishes it: a name, typed parameters, limits. What it starts stays on the node.

mod check;
pub(crate) use check::anchored;
pub use check::{ParameterError, check_parameter, check_parameters, check_spec, is_name};

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The longest text value that any parameter takes, in bytes.
pub const VALUE_BYTES_MAX: u32 = 4096;
/// The most parameters that a command has.
pub const PARAMETERS_MAX: usize = 64;
/// The most commands that a node offers.
pub const COMMANDS_MAX: usize = 1000;
/// The longest command or parameter name, in bytes: lower-case letters, digits, `-` and `_`.
pub const NAME_BYTES_MAX: usize = 64;

/// A command of a node's catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommandSpec {
    /// Its name on the node.
    pub name: String,
    /// What it does, for people.
    pub description: String,
    /// SHA-256 over the command's whole definition on the node, hexadecimal.
    pub digest: String,
    /// Whether running it twice does no more than running it once.
    pub idempotent: bool,
    /// Its parameters, in the order in which a form shows them.
    pub parameters: Vec<ParameterSpec>,
    /// Its limits.
    pub limits: CommandLimits,
    /// Whether it may use the network.
    pub network: bool,
    /// Sandbox abilities without which the node refuses to run it.
    pub requires: BTreeSet<String>,
    /// Answered by the node itself, without a process.
    pub builtin: bool,
}

/// What a command may use at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommandLimits {
    /// Time on the wall, in milliseconds.
    pub wall_ms_max: u64,
    /// Processor time, in seconds.
    pub cpu_seconds_max: u64,
    /// Memory, in bytes.
    pub memory_bytes_max: u64,
    /// Processes and threads.
    pub processes_max: u64,
    /// Open files.
    pub open_files_max: u64,
    /// Size of a written file, in bytes.
    pub file_bytes_max: u64,
    /// Output on both streams together, in bytes.
    pub output_bytes_max: u64,
}

/// One parameter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ParameterSpec {
    /// Its name.
    pub name: String,
    /// What it means, for people.
    pub description: String,
    /// Whether a value must be given; a flag is never required.
    pub required: bool,
    /// The value where none is given.
    pub default: Option<ParameterValue>,
    /// Whether a text value may begin with `-`.
    pub leading_dash: bool,
    /// Whether the value is shown to nobody after submission.
    pub secret: bool,
    /// Its type.
    pub kind: ParameterKind,
}

/// A parameter's type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum ParameterKind {
    /// One of a few texts.
    Enum {
        /// The texts.
        values: Vec<String>,
    },
    /// A whole number.
    Integer {
        /// The smallest.
        min: i64,
        /// The largest.
        max: i64,
    },
    /// A text.
    String {
        /// A regular expression that the whole text must match (it is anchored at both ends).
        pattern: String,
        /// The longest, in bytes.
        bytes_max: u32,
    },
    /// An existing path beneath one of a few folders; symbolic links are refused.
    Path {
        /// The folders, absolute.
        roots: Vec<String>,
        /// What it must be.
        entry: PathEntry,
    },
    /// A host name (RFC 1123) or an IP address.
    Host,
    /// A TCP or UDP port.
    Port {
        /// The smallest.
        min: u16,
        /// The largest.
        max: u16,
    },
    /// Present or absent.
    Flag,
}

/// What a path must lead to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PathEntry {
    /// A regular file.
    File,
    /// A folder.
    Directory,
    /// Either.
    Any,
}

/// A parameter's value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ParameterValue {
    /// For a flag.
    Flag(bool),
    /// For an integer or a port.
    Integer(i64),
    /// For everything else.
    Text(String),
}

/// Values by parameter name.
pub type Parameters = BTreeMap<String, ParameterValue>;
