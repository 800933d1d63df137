//! What a node offers, and how its machine is.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A node's catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CatalogueShape {
    /// SHA-256 over the allow-list file, hexadecimal.
    pub digest: String,
    /// The commands, by name.
    pub commands: Vec<CommandShape>,
    /// The tool servers that it starts, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tool_servers: Vec<HostedServerShape>,
}

/// A tool server that a node starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HostedServerShape {
    /// Its name on the node.
    pub name: String,
    /// What it does, for people.
    pub description: String,
    /// SHA-256 over its definition, hexadecimal.
    pub digest: String,
    /// `pooled`: all callers share its processes; `per_session`: a client's session has one of its own.
    pub instances: String,
    /// The most processes of it at the same time.
    pub instances_max: u32,
    /// Environment variables that secrets may be put into.
    pub secrets: BTreeSet<String>,
    /// What one instance may use.
    pub limits: LimitsShape,
    /// Whether it may use the network.
    pub network: bool,
    /// Sandbox abilities that it demands.
    pub requires: BTreeSet<String>,
}

/// A command of a catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CommandShape {
    /// Its name on the node.
    pub name: String,
    /// What it does, for people.
    pub description: String,
    /// SHA-256 over the command's definition, hexadecimal.
    pub digest: String,
    /// Whether running it twice does no more than running it once.
    pub idempotent: bool,
    /// Its parameters.
    pub parameters: Vec<ParameterShape>,
    /// Its limits.
    pub limits: LimitsShape,
    /// Whether it may use the network.
    pub network: bool,
    /// Sandbox abilities that it demands.
    pub requires: BTreeSet<String>,
    /// Answered by the node itself, without a process.
    pub builtin: bool,
}

/// What a command may use at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LimitsShape {
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

/// A parameter of a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ParameterShape {
    /// Its name.
    pub name: String,
    /// What it means, for people.
    pub description: String,
    /// Whether a value must be given.
    pub required: bool,
    /// The value where none is given: a text, a whole number or a boolean.
    pub default: Option<serde_json::Value>,
    /// Whether a text may begin with `-`.
    pub leading_dash: bool,
    /// Whether the value is shown to nobody after submission.
    pub secret: bool,
    /// Its type.
    pub kind: KindShape,
}

/// A parameter's type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum KindShape {
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
        /// A regular expression that the whole text must match.
        pattern: String,
        /// The longest, in bytes.
        bytes_max: u32,
    },
    /// A path beneath one of a few folders.
    Path {
        /// The folders.
        roots: Vec<String>,
        /// `file`, `directory` or `any`.
        entry: String,
    },
    /// A host name or an IP address.
    Host,
    /// A port.
    Port {
        /// The smallest.
        min: u16,
        /// The largest.
        max: u16,
    },
    /// Present or absent.
    Flag,
}

/// How a machine is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReportShape {
    /// The daemon's version.
    pub version: String,
    /// Operating system and kernel.
    pub system: String,
    /// Processors.
    pub cpus: u32,
    /// Busy share of all processors, in thousandths.
    pub cpu_permille: u32,
    /// Load average over one minute, in thousandths.
    pub load_permille: u32,
    /// Memory, in bytes.
    pub memory_bytes: u64,
    /// Memory in use, in bytes.
    pub memory_used_bytes: u64,
    /// Size of the file system of the node's data, in bytes.
    pub disk_bytes: u64,
    /// Of that in use, in bytes.
    pub disk_used_bytes: u64,
    /// What the kernel enforces around a command, by name.
    pub sandbox: BTreeMap<String, bool>,
    /// Runs in progress.
    pub runs_active: u32,
    /// What is wrong on the node, for people.
    pub alerts: Vec<String>,
}
