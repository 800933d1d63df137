//! Enrolled machines.

use crate::{NodeId, Timestamp, command::CommandSpec, tool::hosted::HostedServer};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt, str::FromStr, time::Duration};

/// Labels of a node: at most [`LABELS_MAX`] pairs.
pub type Labels = BTreeMap<String, String>;

/// The most labels that a node may carry.
pub const LABELS_MAX: usize = 32;
/// The longest label key or value, in bytes.
pub const LABEL_BYTES_MAX: usize = 63;

/// After this long without a heartbeat a connected node counts as stale.
pub const STALE_AFTER: Duration = Duration::from_secs(45);

/// An enrolled machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// The node.
    pub id: NodeId,
    /// Counts changes of what people set; heartbeats don't count.
    pub version: i64,
    /// Its name: 1 to 63 of `a-z A-Z 0-9 . _ -`, unique.
    pub name: String,
    /// Raw Ed25519 public key (RFC 8032), 32 bytes.
    pub public_key: [u8; 32],
    /// Its labels.
    pub labels: Labels,
    /// Turned away until it is enabled again.
    pub disabled: bool,
    /// When it was enrolled.
    pub enrolled_at: Timestamp,
    /// When it was last heard of.
    pub seen_at: Option<Timestamp>,
    /// Whether its link was open when last written.
    pub connected: bool,
    /// What it last said of itself.
    pub report: Option<NodeReport>,
    /// Its published commands.
    pub catalogue: Catalogue,
}

/// What a node says of itself with a heartbeat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub struct NodeReport {
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
    /// What the kernel enforces around a command, by name; `false` where it can't.
    pub sandbox: BTreeMap<String, bool>,
    /// Runs in progress.
    pub runs_active: u32,
    /// What is wrong on the node, for people: a broken allow-list, a full disk.
    pub alerts: Vec<String>,
}

/// What a node offers: what its own allow-list has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub struct Catalogue {
    /// SHA-256 over the allow-list file, hexadecimal; empty before the first publication.
    pub digest: String,
    /// The commands, by name.
    pub commands: Vec<CommandSpec>,
    /// The tool servers that it starts, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tool_servers: Vec<HostedServer>,
}

impl Catalogue {
    /// The command `name`.
    pub fn command(&self, name: &str) -> Option<&CommandSpec> {
        self.commands.iter().find(|command| command.name == name)
    }

    /// The tool server `name`.
    pub fn tool_server(&self, name: &str) -> Option<&HostedServer> {
        self.tool_servers.iter().find(|server| server.name == name)
    }
}

/// How a node stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeState {
    /// Connected and heard of lately.
    Online,
    /// Connected, but not heard of for [`STALE_AFTER`].
    Stale,
    /// Not connected.
    Offline,
    /// Turned away.
    Disabled,
}

impl NodeState {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Online, Self::Stale, Self::Offline, Self::Disabled];

    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Online => "online",
            Self::Stale => "stale",
            Self::Offline => "offline",
            Self::Disabled => "disabled",
        }
    }
}

impl Node {
    /// How the node stands at `now`.
    pub fn state(&self, now: Timestamp) -> NodeState {
        if self.disabled {
            NodeState::Disabled
        } else if !self.connected {
            NodeState::Offline
        } else if self.seen_at.is_none_or(|seen| now.since(seen) > STALE_AFTER) {
            NodeState::Stale
        } else {
            NodeState::Online
        }
    }
}

/// Why a name or label was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LabelError {
    /// A node's name is out of form.
    #[error("a node's name is 1 to 63 letters, digits, dots, underscores or hyphens")]
    Name,
    /// A label is out of form.
    #[error("a label is key=value, each 1 to 63 letters, digits, dots, underscores or hyphens")]
    Form,
    /// Too many labels.
    #[error("a node carries at most {LABELS_MAX} labels")]
    TooMany,
}

/// Whether `text` may stand as a name, a label's key or a label's value.
pub fn is_label_text(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= LABEL_BYTES_MAX
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

/// Checks a node's name.
pub fn check_name(name: &str) -> Result<(), LabelError> {
    if is_label_text(name) { Ok(()) } else { Err(LabelError::Name) }
}

/// Checks a set of labels.
pub fn check_labels(labels: &Labels) -> Result<(), LabelError> {
    if labels.len() > LABELS_MAX {
        return Err(LabelError::TooMany);
    }
    let sound = labels.iter().all(|(key, value)| is_label_text(key) && is_label_text(value));
    if sound { Ok(()) } else { Err(LabelError::Form) }
}

/// Chooses nodes by labels: all pairs must match. Text form `key=value,key=value`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Selector(Labels);

impl Selector {
    /// Whether `labels` carry all that is asked for.
    pub fn matches(&self, labels: &Labels) -> bool {
        self.0.iter().all(|(key, value)| labels.get(key) == Some(value))
    }
}

impl FromStr for Selector {
    type Err = LabelError;
    fn from_str(text: &str) -> Result<Self, LabelError> {
        let mut labels = Labels::new();
        for pair in text.split(',') {
            let (key, value) = pair.split_once('=').ok_or(LabelError::Form)?;
            // SECURITY: a key named twice would let a reader see one choice and the code another.
            if labels.insert(key.to_owned(), value.to_owned()).is_some() {
                return Err(LabelError::Form);
            }
        }
        check_labels(&labels)?;
        Ok(Self(labels))
    }
}

impl TryFrom<String> for Selector {
    type Error = LabelError;
    fn try_from(text: String) -> Result<Self, LabelError> {
        text.parse()
    }
}

impl From<Selector> for String {
    fn from(selector: Selector) -> Self {
        selector.to_string()
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (key, value)) in self.0.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            write!(f, "{comma}{key}={value}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn selector_matches_all_pairs_and_refuses_what_is_ambiguous() {
        let selector: Selector = "site=north,tier=web".parse().unwrap();
        let mut labels = Labels::from([("site".into(), "north".into())]);
        assert!(!selector.matches(&labels));
        labels.insert("tier".into(), "web".into());
        assert!(selector.matches(&labels));
        for bad in ["", "site", "site=", "a=b,a=c", "a=b,", "a=b c"] {
            assert!(bad.parse::<Selector>().is_err(), "{bad:?}");
        }
    }
}
