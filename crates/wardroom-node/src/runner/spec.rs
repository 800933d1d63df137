//! What the sandbox is told of a command or a tool server.

use super::Runner;
use crate::{
    allowlist::{Command, Does, Resolved, ToolServer},
    sandbox::{Ability, Access, Limits, Spec},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    time::Duration,
};
use wardroom_core::command::CommandLimits;

impl Runner {
    /// A command with these values.
    pub(super) fn of_command(
        &self,
        command: &Command,
        resolved: Resolved,
        scratch: PathBuf,
        deadline: Option<Duration>,
    ) -> Option<Spec> {
        let Does::Program { program, sha256, read, write, .. } = &command.does else { return None };
        let left =
            deadline.map_or(u64::MAX, |left| u64::try_from(left.as_millis()).unwrap_or(u64::MAX));
        let mut limits = limits(&command.spec.limits);
        limits.wall_ms_max = limits.wall_ms_max.min(left);
        Some(Spec {
            program: program.clone(),
            program_sha256: *sha256,
            args: resolved.arguments,
            env: environment(&scratch, resolved.environment),
            heard: false,
            scratch,
            limits,
            access: Access {
                read: read.iter().cloned().chain(resolved.roots).collect(),
                write: write.clone(),
                network: command.spec.network,
            },
            run_as: self.run_as,
            requires: abilities(&command.spec.requires),
        })
    }

    /// A process of a tool server, with secrets in its environment.
    pub(crate) fn of_tool_server(
        &self,
        server: &ToolServer,
        secrets: BTreeMap<String, String>,
        scratch: PathBuf,
    ) -> Spec {
        let own = server.environment.clone().into_iter().chain(secrets);
        Spec {
            program: server.program.clone(),
            program_sha256: server.sha256,
            args: server.arguments.clone(),
            env: environment(&scratch, own),
            heard: true,
            scratch,
            // What it prints beside its messages is cut, and its messages are as many as are wanted.
            limits: Limits { output_bytes_max: u64::MAX, ..limits(&server.spec.limits) },
            access: Access {
                read: server.read.clone(),
                write: server.write.clone(),
                network: server.spec.network,
            },
            run_as: self.run_as,
            requires: abilities(&server.spec.requires),
        }
    }
}

/// A whole environment: nothing of the daemon's own is in it.
fn environment(
    home: &Path,
    own: impl IntoIterator<Item = (String, String)>,
) -> BTreeMap<String, String> {
    let home = home.display().to_string();
    [
        ("HOME", home.as_str()),
        ("LANG", "C.UTF-8"),
        ("PATH", "/usr/local/bin:/usr/bin:/bin"),
        ("TMPDIR", home.as_str()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .chain(own)
    .collect()
}

fn limits(given: &CommandLimits) -> Limits {
    Limits {
        wall_ms_max: given.wall_ms_max,
        cpu_seconds_max: given.cpu_seconds_max,
        memory_bytes_max: given.memory_bytes_max,
        processes_max: given.processes_max,
        open_files_max: given.open_files_max,
        file_bytes_max: given.file_bytes_max,
        output_bytes_max: given.output_bytes_max,
    }
}

fn abilities(names: &BTreeSet<String>) -> BTreeSet<Ability> {
    names.iter().filter_map(|name| Ability::named(name)).collect()
}
