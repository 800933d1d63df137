//! Tool servers that a node starts itself, inside its sandbox, as its own allow-list says.

use crate::command::{CommandLimits, is_name};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

/// The most tool servers that a node offers.
pub const HOSTED_MAX: usize = 100;
/// The most instances of one tool server, and of all tool servers of a node.
pub const INSTANCES_MAX: u32 = 32;
/// The most environment variables that secrets may be put into.
pub const SECRETS_MAX: usize = 16;
/// The longest name of an environment variable, in bytes.
pub const VARIABLE_BYTES_MAX: usize = 64;
/// The longest description, in bytes.
const DESCRIPTION_BYTES_MAX: usize = 500;
/// The longest digest, in bytes: SHA-256, hexadecimal.
const DIGEST_BYTES_MAX: usize = 64;
/// The longest name of a sandbox ability, in bytes.
const ABILITY_BYTES_MAX: usize = 64;
/// The most sandbox abilities that an entry may demand.
const REQUIRES_MAX: usize = 32;

/// A tool server as a node publishes it. What is started stays on the node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostedServer {
    /// Its name on the node.
    pub name: String,
    /// What it does, for people.
    pub description: String,
    /// SHA-256 over its whole definition on the node, hexadecimal.
    pub digest: String,
    /// Who shares a process with whom.
    pub instances: Instances,
    /// The most processes of it at the same time.
    pub instances_max: u32,
    /// Environment variables that secrets may be put into.
    pub secrets: BTreeSet<String>,
    /// What one instance may use: its life on the wall, and as output what it prints beside its messages.
    pub limits: CommandLimits,
    /// Whether it may use the network.
    pub network: bool,
    /// Sandbox abilities without which the node does not start it.
    pub requires: BTreeSet<String>,
}

/// Who shares a process of a tool server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Instances {
    /// All callers. It can ask none of them anything, since nobody could tell whom it asks.
    Pooled,
    /// Only the requests of one client's session; where there are no sessions, those of one caller.
    PerSession,
}

/// The most bytes that all secrets of one instance have together: they travel in one frame.
pub const SECRETS_BYTES_MAX: usize = 64 * 1024;

/// Variables with the secrets that are put into them. SECURITY: what is printed of it tells no value.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Variables(pub BTreeMap<String, String>);

impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.keys()).finish()
    }
}

/// Whether an environment variable can have this name.
pub fn is_variable(name: &str) -> bool {
    let mut bytes = name.bytes();
    name.len() <= VARIABLE_BYTES_MAX
        && bytes.next().is_some_and(|first| first.is_ascii_uppercase())
        && bytes.all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
}

/// Checks what a node publishes against the bounds.
pub fn check_hosted(server: &HostedServer) -> Result<(), String> {
    if !is_name(&server.name) {
        return Err("its name is not 1 to 64 lower-case letters, digits, `-` and `_`".to_owned());
    }
    let control = server.description.chars().any(char::is_control);
    if server.description.len() > DESCRIPTION_BYTES_MAX || control {
        return Err(format!("its description is not one line of {DESCRIPTION_BYTES_MAX} bytes"));
    }
    if server.digest.is_empty() || server.digest.len() > DIGEST_BYTES_MAX {
        return Err("its digest is out of form".to_owned());
    }
    if !(1..=INSTANCES_MAX).contains(&server.instances_max) {
        return Err(format!("instances_max must be 1 to {INSTANCES_MAX}"));
    }
    if server.secrets.len() > SECRETS_MAX || !server.secrets.iter().all(|name| is_variable(name)) {
        return Err(format!("secrets must be at most {SECRETS_MAX} environment variables"));
    }
    let long = server.requires.iter().any(|name| name.len() > ABILITY_BYTES_MAX);
    if server.instances == Instances::PerSession && server.instances_max < 2 {
        return Err("with one for each session, instances_max must be at least 2: one is the gateway's, which looks at the tools".to_owned());
    }
    if server.requires.len() > REQUIRES_MAX || long {
        return Err("it demands too many sandbox abilities".to_owned());
    }
    Ok(())
}
