//! What commands and tool servers have in common: a program that nobody else could have put there, what it may
//! reach, and its limits.

use super::{
    entry::{Limits, Wishes},
    parse::Wrong,
};
use crate::sandbox::Ability;
use data_encoding::HEXLOWER;
use std::os::unix::fs::MetadataExt as _;
use toml::Spanned;
use wardroom_core::command::CommandLimits;

/// Values without their places.
pub(super) fn plain<T: Clone, C: FromIterator<T>>(values: &[Spanned<T>]) -> C {
    values.iter().map(Spanned::get_ref).cloned().collect()
}

/// Checks what a sandbox is to allow and to enforce.
pub(super) fn check_wishes(wishes: &Wishes, wrong: &mut Wrong) {
    for name in &wishes.requires {
        if Ability::named(name.get_ref()).is_none() {
            let known = Ability::ALL.map(Ability::as_str).join(", ");
            wrong.add(
                name.span(),
                format!("there is no sandbox ability {:?}; there are {known}", name.get_ref()),
            );
        }
    }
    for path in wishes.read.iter().chain(&wishes.write) {
        if !path.get_ref().is_absolute()
            || path.get_ref().components().any(|part| part.as_os_str() == "..")
        {
            wrong.add(path.span(), "a sandbox path must be absolute and without `..`");
        }
    }
}

/// Checks that the program is there, and that nobody else could put another in its place.
pub(super) fn check_program(program: &Spanned<std::path::PathBuf>, wrong: &mut Wrong) {
    let path = program.get_ref();
    let mut no =
        |why: &str| wrong.add(program.span(), format!("program {}: {why}", path.display()));
    if !path.is_absolute() {
        return no("it must be an absolute path, since no search path is used");
    }
    match std::fs::metadata(path) {
        Ok(found) if !found.is_file() => no("it is not a file"),
        Ok(found) if found.mode() & 0o111 == 0 => no("it may not be executed"),
        Ok(found) if others_write(&found) => no("others may write it: run chmod go-w, chown root"),
        Ok(_) => {
            // SECURITY: who may write the folder may put another program in its place, or where the
            // path is a link, another link.
            let real = path.canonicalize().unwrap_or_else(|_| path.clone());
            let writable = |path: &std::path::Path| {
                let folder = path.parent().and_then(|folder| std::fs::metadata(folder).ok());
                folder.is_none_or(|folder| others_write(&folder))
            };
            if writable(path) || writable(&real) {
                no("others may write the folder that it is in");
            }
        }
        Err(error) => no(&error.to_string()),
    }
}

fn others_write(found: &std::fs::Metadata) -> bool {
    let own = rustix::process::geteuid().as_raw();
    found.mode() & 0o022 != 0 || (found.uid() != 0 && found.uid() != own)
}

/// The SHA-256 that its file must have.
pub(super) fn pin(text: &Spanned<String>, wrong: &mut Wrong) -> Option<[u8; 32]> {
    let pin =
        HEXLOWER.decode(text.get_ref().as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
    if pin.is_none() {
        wrong.add(text.span(), "sha256 must be 64 lower-case hexadecimal digits");
    }
    pin
}

/// Limits where an entry says nothing, in its units, and the longest life.
pub(super) struct Usual {
    wall_seconds: u64,
    wall_seconds_max: u64,
    cpu_seconds: u64,
    memory_mib: u64,
    processes: u64,
}

impl Usual {
    /// Of a command, which comes to an end.
    pub(super) const COMMAND: Self = Self {
        wall_seconds: 60,
        wall_seconds_max: 86_400,
        cpu_seconds: 60,
        memory_mib: 512,
        processes: 32,
    };
    /// Of a tool server, which stays, and whose interpreter may reserve much more memory than it uses.
    pub(super) const TOOL_SERVER: Self = Self {
        wall_seconds: 86_400,
        wall_seconds_max: 30 * 86_400,
        cpu_seconds: 3600,
        memory_mib: 4096,
        processes: 64,
    };
}

/// The limits, with those that are not given.
pub(super) fn limits(given: &Limits, usual: &Usual, wrong: &mut Wrong) -> CommandLimits {
    let mut bounded = |name: &str, value: &Option<Spanned<u64>>, otherwise: u64, most: u64| {
        let Some(value) = value else { return otherwise };
        if !(1..=most).contains(value.get_ref()) {
            wrong.add(value.span(), format!("{name} must be 1 to {most}"));
            return otherwise;
        }
        *value.get_ref()
    };
    let most = usual.wall_seconds_max;
    CommandLimits {
        wall_ms_max: bounded("wall_seconds", &given.wall_seconds, usual.wall_seconds, most) * 1000,
        cpu_seconds_max: bounded("cpu_seconds", &given.cpu_seconds, usual.cpu_seconds, most),
        memory_bytes_max: bounded("memory_mib", &given.memory_mib, usual.memory_mib, 1 << 20) << 20,
        processes_max: bounded("processes", &given.processes, usual.processes, 4096),
        open_files_max: bounded("open_files", &given.open_files, 256, 65_536),
        file_bytes_max: bounded("file_mib", &given.file_mib, 64, 1 << 20) << 20,
        output_bytes_max: bounded("output_kib", &given.output_kib, 1024, 32 * 1024) << 10,
    }
}
