//! The allow-list: a local file that says all that this node will ever run.

mod arguments;
mod entry;
mod environment;
mod file;
mod parse;
mod program;
mod tool_server;
mod watch;

pub use arguments::{Refused, Resolved, resolve};
pub use file::{FILE_BYTES_MAX, FileError, read};
pub use parse::{Mistake, parse};
pub use watch::{Current, watch};

use std::{collections::BTreeMap, path::PathBuf};
use wardroom_core::{command::CommandSpec, node::Catalogue, tool::hosted::HostedServer};

/// The list that ships with the daemon.
pub const SAMPLE: &str = include_str!("../../commands.sample.toml");

/// A whole allow-list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllowList {
    /// SHA-256 over the file, hexadecimal.
    pub digest: String,
    /// The commands by name.
    pub commands: BTreeMap<String, Command>,
    /// The tool servers by name.
    pub tool_servers: BTreeMap<String, ToolServer>,
}

/// One tool server with what stays on the node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolServer {
    /// What is published.
    pub spec: HostedServer,
    /// Absolute path.
    pub program: PathBuf,
    /// SHA-256 that its file must have.
    pub sha256: Option<[u8; 32]>,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// What its environment has beside what every program's has.
    pub environment: BTreeMap<String, String>,
    /// Further paths that it may read.
    pub read: Vec<PathBuf>,
    /// Further paths that it may write.
    pub write: Vec<PathBuf>,
}

/// One command with what stays on the node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// What is published.
    pub spec: CommandSpec,
    /// What is done.
    pub does: Does,
}

/// What a command does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Does {
    /// The node answers by itself.
    Ping,
    /// A program is run.
    Program {
        /// Absolute path.
        program: PathBuf,
        /// SHA-256 that its file must have.
        sha256: Option<[u8; 32]>,
        /// Its arguments.
        arguments: Vec<Argument>,
        /// Flag parameters and the arguments that they stand for.
        flags: BTreeMap<String, Vec<String>>,
        /// Parameters whose values go into the environment, and the names that they have there.
        environment: BTreeMap<String, String>,
        /// Further paths that it may read.
        read: Vec<PathBuf>,
        /// Further paths that it may write.
        write: Vec<PathBuf>,
    },
}

/// One argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Argument {
    /// As it stands.
    Fixed(String),
    /// A parameter's value behind a fixed beginning; left out where the parameter has no value.
    Value {
        /// What stands before the value.
        prefix: String,
        /// The parameter.
        parameter: String,
    },
}

impl AllowList {
    /// What is published.
    pub fn catalogue(&self) -> Catalogue {
        Catalogue {
            digest: self.digest.clone(),
            commands: self.commands.values().map(|command| command.spec.clone()).collect(),
            tool_servers: self.tool_servers.values().map(|server| server.spec.clone()).collect(),
        }
    }
}
