//! What a process does to itself right before it becomes the program.

use super::{
    spec::{Limits, Spec},
    sys,
};
use landlock::{
    ABI, Access as _, AccessFs, AccessNet, CompatLevel, Compatible as _, PathBeneath, Ruleset,
    RulesetAttr as _, RulesetCreatedAttr as _, RulesetStatus, Scope,
};
use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, fstat, openat2};
use std::{io, os::fd::OwnedFd, path::Path};

/// The newest Landlock that is asked for; an older kernel enforces what it knows.
const LANDLOCK: ABI = ABI::V6;

const PATH: OFlags = OFlags::PATH.union(OFlags::CLOEXEC);

/// Programs and libraries.
const RUN: [&str; 5] = ["/usr", "/bin", "/sbin", "/lib", "/lib64"];
/// What ordinary programs read to work at all.
const READ: [&str; 18] = [
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/localtime",
    "/etc/timezone",
    "/etc/passwd",
    "/etc/group",
    "/etc/nsswitch.conf",
    "/etc/hostname",
    "/etc/alternatives",
    "/etc/locale.alias",
    "/dev/zero",
    "/dev/urandom",
    "/dev/random",
    "/etc/mtab",
    "/etc/os-release",
    "/etc/ssl/openssl.cnf",
    "/etc/mime.types",
];
/// What programs read to use the network.
const READ_NETWORK: [&str; 6] = [
    "/etc/hosts",
    "/etc/resolv.conf",
    "/etc/gai.conf",
    "/etc/services",
    "/etc/protocols",
    "/etc/ssl/certs",
];

/// Makes all that is mounted read-only, but for the program's own folder and what it may write. Landlock
/// says nothing about modes, owners, times and attributes, and on older kernels nothing about lengths; a
/// daemon that is no root shares its user with the program. Gives whether the kernel does it.
pub(super) fn mounts(spec: &Spec) -> io::Result<bool> {
    let text = |path: &Path| path.to_str().map(str::to_owned).ok_or(io::ErrorKind::InvalidInput);
    let scratch = text(&spec.scratch)?;
    // As for Landlock: by the path that is named and no link.
    let named = spec.access.write.iter().filter(|path| open_named(path).is_some());
    let write = named.map(|path| text(path)).collect::<Result<Vec<_>, _>>()?;
    for path in std::iter::once(&scratch).chain(&write) {
        // A mount of its own, which need not follow the others.
        if sys::mount(path, path, "", libc::MS_BIND | libc::MS_REC).is_err() {
            return Ok(false);
        }
    }
    if sys::set_read_only("/", true).is_err() {
        return Ok(false);
    }
    for path in &write {
        // What was read-only before, or has something read-only beneath it, stays so.
        let _ = sys::set_read_only(path, false);
    }
    sys::set_read_only(&scratch, false)?;
    Ok(true)
}

/// Opens what the list names. SECURITY: by the path that it names and no link, which somebody may have
/// put there since.
fn open_named(path: &Path) -> Option<OwnedFd> {
    openat2(rustix::fs::CWD, path, PATH, Mode::empty(), ResolveFlags::NO_SYMLINKS).ok()
}

/// Confines the file system. `own_proc` tells whether /proc shows only the sandbox's processes.
/// Gives whether the kernel enforces it.
pub(super) fn files(spec: &Spec, own_proc: bool) -> Result<bool, String> {
    let why = |error: &dyn std::fmt::Display| error.to_string();
    let all = AccessFs::from_all(LANDLOCK);
    let read = AccessFs::from_read(LANDLOCK);
    let mut ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(all)
        .map_err(|error| why(&error))?;
    if !spec.access.network {
        ruleset =
            ruleset.handle_access(AccessNet::from_all(LANDLOCK)).map_err(|error| why(&error))?;
    }
    let mut created = ruleset
        .scope(Scope::AbstractUnixSocket | Scope::Signal)
        .map_err(|error| why(&error))?
        .create()
        .map_err(|error| why(&error))?;
    let mut rule = |file: OwnedFd, access| -> Result<(), String> {
        let folder = fstat(&file)
            .is_ok_and(|found| FileType::from_raw_mode(found.st_mode) == FileType::Directory);
        let access = if folder { access } else { access & AccessFs::from_file(LANDLOCK) };
        match (&mut created).add_rule(PathBeneath::new(file, access)) {
            Ok(_) => Ok(()),
            Err(error) => Err(error.to_string()),
        }
    };
    // What is not there can't be reached either.
    let mut allow = |path: &Path, access| match rustix::fs::open(path, PATH, Mode::empty()) {
        Ok(file) => rule(file, access),
        Err(_) => Ok(()),
    };
    for path in RUN {
        allow(Path::new(path), read)?;
    }
    let plain = read & !AccessFs::Execute;
    for path in READ {
        allow(Path::new(path), plain)?;
    }
    if spec.access.network {
        for path in READ_NETWORK {
            allow(Path::new(path), plain)?;
        }
    }
    if own_proc {
        allow(Path::new("/proc"), plain)?;
    }
    allow(Path::new("/dev/null"), plain | AccessFs::WriteFile)?;
    allow(&spec.program, read)?;
    let write = all & !AccessFs::Execute;
    allow(&spec.scratch, write)?;
    let named = spec.access.read.iter().map(|path| (path, plain));
    for (path, access) in named.chain(spec.access.write.iter().map(|path| (path, write))) {
        if let Some(file) = open_named(path) {
            rule(file, access)?;
        }
    }
    let status = created.restrict_self().map_err(|error| why(&error))?;
    Ok(status.ruleset != RulesetStatus::NotEnforced)
}

/// Sets the resource limits of the process and its children.
pub(super) fn resources(limits: &Limits) -> io::Result<()> {
    let cpu = limits.cpu_seconds_max.max(1);
    sys::limit(libc::RLIMIT_CPU, cpu, cpu + 1)?;
    sys::limit(libc::RLIMIT_AS, limits.memory_bytes_max, limits.memory_bytes_max)?;
    // The namespace's first process counts as well.
    sys::limit(libc::RLIMIT_NPROC, limits.processes_max + 1, limits.processes_max + 1)?;
    sys::limit(libc::RLIMIT_NOFILE, limits.open_files_max, limits.open_files_max)?;
    sys::limit(libc::RLIMIT_FSIZE, limits.file_bytes_max, limits.file_bytes_max)?;
    sys::limit(libc::RLIMIT_MEMLOCK, 0, 0)?;
    sys::limit(libc::RLIMIT_CORE, 0, 0)
}
