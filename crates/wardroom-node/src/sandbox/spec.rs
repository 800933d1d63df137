//! What the daemon tells the launcher, and what it hears back.

use super::filters::Packed;
use serde::{Deserialize, Serialize};
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

/// One program to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// Absolute path.
    pub program: PathBuf,
    /// SHA-256 that the program's file must have.
    pub program_sha256: Option<[u8; 32]>,
    /// Arguments, without the program's own name.
    pub args: Vec<String>,
    /// The whole environment.
    pub env: BTreeMap<String, String>,
    /// Whether it is given something to read on its standard input.
    pub heard: bool,
    /// The run's own folder: working directory, HOME and TMPDIR.
    pub scratch: PathBuf,
    /// What it may use.
    pub limits: Limits,
    /// What it may reach.
    pub access: Access,
    /// Whom a root daemon turns into first.
    pub run_as: RunAs,
    /// Abilities without which it must not run.
    pub requires: BTreeSet<Ability>,
}

/// What the launcher is handed.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Order<'a> {
    /// The program.
    pub(super) spec: Cow<'a, Spec>,
    /// The filters of its system calls.
    pub(super) filters: Cow<'a, [Packed]>,
}

/// What a program may use at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Time on the wall, in milliseconds.
    pub wall_ms_max: u64,
    /// Processor time of one process, in seconds.
    pub cpu_seconds_max: u64,
    /// Address space of one process, in bytes.
    pub memory_bytes_max: u64,
    /// Processes and threads.
    pub processes_max: u64,
    /// Open files of one process.
    pub open_files_max: u64,
    /// Size of a written file, in bytes.
    pub file_bytes_max: u64,
    /// Output on both streams together, in bytes.
    pub output_bytes_max: u64,
}

/// What a program may reach beyond the system's programs and libraries and its own folder.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Access {
    /// Paths that it may read.
    pub read: Vec<PathBuf>,
    /// Paths that it may write.
    pub write: Vec<PathBuf>,
    /// Whether it may use the network.
    pub network: bool,
}

/// An ordinary user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunAs {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
}

/// Something that the kernel enforces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ability {
    /// Runs as a user that owns nothing of the daemon's.
    OwnUser,
    /// Has no power outside its own user namespace.
    UserNamespace,
    /// Sees and signals only its own processes, which all die with it.
    PidNamespace,
    /// Has no network but its own empty one.
    NetworkNamespace,
    /// Has its own mounts.
    MountNamespace,
    /// Changes nothing outside of its folders, not even modes and times.
    ReadOnlyMounts,
    /// Reaches only the files that it may.
    Landlock,
    /// Makes only the system calls that it may.
    Seccomp,
    /// Gains nothing from set-user-id programs.
    NoNewPrivs,
    /// Is bounded in time, memory, processes and files.
    Rlimits,
}

impl Ability {
    /// Every ability.
    pub const ALL: [Self; 10] = [
        Self::OwnUser,
        Self::UserNamespace,
        Self::PidNamespace,
        Self::NetworkNamespace,
        Self::MountNamespace,
        Self::ReadOnlyMounts,
        Self::Landlock,
        Self::Seccomp,
        Self::NoNewPrivs,
        Self::Rlimits,
    ];

    /// The name in allow-lists and reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OwnUser => "own_user",
            Self::UserNamespace => "user_namespace",
            Self::PidNamespace => "pid_namespace",
            Self::NetworkNamespace => "network_namespace",
            Self::MountNamespace => "mount_namespace",
            Self::ReadOnlyMounts => "read_only_mounts",
            Self::Landlock => "landlock",
            Self::Seccomp => "seccomp",
            Self::NoNewPrivs => "no_new_privs",
            Self::Rlimits => "rlimits",
        }
    }

    /// The ability with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|ability| ability.as_str() == name)
    }
}

/// What the launcher says, one JSON line each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "snake_case")]
pub(super) enum Said {
    /// The program was executed.
    Started {
        /// What is enforced around it.
        enforced: BTreeSet<Ability>,
    },
    /// The program was not executed.
    Failed {
        /// Where it failed.
        code: FailCode,
        /// For people.
        message: String,
    },
    /// The program is over.
    Ended {
        /// Exit code, if it exited.
        code: Option<i32>,
        /// Signal, if one ended it.
        signal: Option<i32>,
        /// Processor time, in milliseconds.
        cpu_ms: u64,
        /// Most memory that was resident, in bytes.
        memory_peak_bytes: u64,
    },
}

/// Why a program was not executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailCode {
    /// The program is not there or can't be executed.
    Program,
    /// The program's file does not have the pinned hash.
    Pin,
    /// A demanded ability can't be enforced.
    Ability,
    /// The sandbox could not be built.
    Sandbox,
}
