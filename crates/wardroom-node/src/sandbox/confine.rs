//! What a process does to itself right before it becomes the program.

use super::{
    spec::{Access, Limits, Spec},
    sys,
};
use landlock::{
    ABI, Access as _, AccessFs, AccessNet, CompatLevel, Compatible as _, PathBeneath, PathFd,
    Ruleset, RulesetAttr as _, RulesetCreatedAttr as _, RulesetStatus, Scope,
};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule,
};
use std::{collections::BTreeMap, io, path::Path};

/// The newest Landlock that is asked for; an older kernel enforces what it knows.
const LANDLOCK: ABI = ABI::V6;

/// Programs and libraries.
const RUN: [&str; 5] = ["/usr", "/bin", "/sbin", "/lib", "/lib64"];
/// What ordinary programs read to work at all.
const READ: [&str; 16] = [
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
    let mut allow = |path: &Path, access| -> Result<(), String> {
        // What is not there can't be reached either.
        let Ok(file) = PathFd::new(path) else { return Ok(()) };
        let access = if path.is_dir() { access } else { access & AccessFs::from_file(LANDLOCK) };
        if let Err(error) = (&mut created).add_rule(PathBeneath::new(file, access)) {
            return Err(error.to_string());
        }
        Ok(())
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
    allow(&spec.scratch, all & !AccessFs::Execute)?;
    for path in &spec.access.read {
        allow(path, plain)?;
    }
    for path in &spec.access.write {
        allow(path, all & !AccessFs::Execute)?;
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

/// Calls that nothing on an allow-list needs and that attacks on the kernel and on other processes use.
const DENIED: &[i64] = &[
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_fsopen,
    libc::SYS_fsmount,
    libc::SYS_fsconfig,
    libc::SYS_fspick,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_mount_setattr,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_open_by_handle_at,
    libc::SYS_name_to_handle_at,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_personality,
    libc::SYS_quotactl,
    libc::SYS_acct,
    libc::SYS_syslog,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_adjtimex,
    libc::SYS_clock_adjtime,
    libc::SYS_lookup_dcookie,
    libc::SYS_pidfd_getfd,
    libc::SYS_process_madvise,
    libc::SYS_fanotify_init,
    libc::SYS_vhangup,
];

/// Namespaces that a clone must not make.
const NAMESPACES: [i32; 8] = [
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWNS,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWCGROUP,
    0x80,
];

/// The filters, ready to be applied: made before the process is confined, since that allocates.
pub(super) fn filters(access: &Access) -> Result<Vec<BpfProgram>, String> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
        DENIED.iter().map(|call| (*call, vec![])).collect();
    let made = (|| {
        let mut clone = Vec::new();
        for flag in NAMESPACES {
            let flag = u64::try_from(flag).unwrap_or(0);
            let condition = SeccompCondition::new(
                0,
                SeccompCmpArgLen::Qword,
                SeccompCmpOp::MaskedEq(flag),
                flag,
            )?;
            clone.push(SeccompRule::new(vec![condition])?);
        }
        rules.insert(libc::SYS_clone, clone);
        rules.insert(libc::SYS_socket, sockets(access)?);
        let injects =
            SeccompCondition::new(1, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, libc::TIOCSTI)?;
        rules.insert(libc::SYS_ioctl, vec![SeccompRule::new(vec![injects])?]);
        let arch = std::env::consts::ARCH.try_into()?;
        let errno = |number: i32| SeccompAction::Errno(number.unsigned_abs());
        let deny = SeccompFilter::new(rules, SeccompAction::Allow, errno(libc::EPERM), arch)?;
        // clone3's flags lie in memory that a filter can't read: its absence makes libraries use clone.
        let absent = BTreeMap::from([(libc::SYS_clone3, vec![])]);
        let absent = SeccompFilter::new(absent, SeccompAction::Allow, errno(libc::ENOSYS), arch)?;
        Ok::<_, seccompiler::BackendError>(vec![deny.try_into()?, absent.try_into()?])
    })();
    made.map_err(|error| error.to_string())
}

/// The rules by which `socket` is refused; none of them refuses it always.
fn sockets(access: &Access) -> Result<Vec<SeccompRule>, seccompiler::BackendError> {
    if !access.network {
        // SECURITY: not even local ones: Landlock does not keep a process from a service's socket file.
        return Ok(vec![]);
    }
    let foreign = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK].map(|family| {
        let family = u64::try_from(family).unwrap_or(0);
        SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, family)
    });
    Ok(vec![SeccompRule::new(foreign.into_iter().collect::<Result<_, _>>()?)?])
}
