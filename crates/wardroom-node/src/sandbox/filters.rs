//! The system calls that a program may make.

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, sock_filter,
};
use std::{collections::BTreeMap, sync::LazyLock};

/// How many there are: one that refuses, one that plays absent, and one against another set of calls.
const FILTERS: usize = 3;

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
    // Memory that no limit of a process counts.
    libc::SYS_shmget,
    libc::SYS_msgget,
    libc::SYS_mq_open,
    libc::SYS_memfd_create,
    libc::SYS_memfd_secret,
    // It tells the names of files that can't be reached.
    libc::SYS_inotify_add_watch,
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

/// A filter as the launcher is told of it, an instruction each.
pub(super) type Packed = Vec<u64>;

type Made = Result<Vec<Packed>, String>;

/// The filters of a program with or without the network. Made once and by the daemon: working them out
/// takes longer than all the rest of a sandbox's beginning.
pub(super) fn filters(network: bool) -> Result<&'static [Packed], String> {
    static WITH: LazyLock<Made> = LazyLock::new(|| make(true));
    static WITHOUT: LazyLock<Made> = LazyLock::new(|| make(false));
    let made = if network { &*WITH } else { &*WITHOUT };
    made.as_deref().map_err(Clone::clone)
}

/// The filters, ready to be applied. SECURITY: too few of them are none at all.
pub(super) fn programs(filters: &[Packed]) -> Result<Vec<BpfProgram>, String> {
    if filters.len() != FILTERS || filters.iter().any(Vec::is_empty) {
        return Err("the daemon gave no filters".to_owned());
    }
    Ok(filters.iter().map(|filter| filter.iter().copied().map(unpacked).collect()).collect())
}

fn packed(instruction: &sock_filter) -> u64 {
    u64::from(instruction.code) << 48
        | u64::from(instruction.jt) << 40
        | u64::from(instruction.jf) << 32
        | u64::from(instruction.k)
}

#[expect(clippy::cast_possible_truncation, reason = "takes the parts out again")]
const fn unpacked(instruction: u64) -> sock_filter {
    sock_filter {
        code: (instruction >> 48) as u16,
        jt: (instruction >> 40) as u8,
        jf: (instruction >> 32) as u8,
        k: instruction as u32,
    }
}

fn make(network: bool) -> Made {
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
        rules.insert(libc::SYS_socket, sockets(network)?);
        rules.insert(libc::SYS_socketpair, pairs()?);
        let injects =
            SeccompCondition::new(1, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, libc::TIOCSTI)?;
        rules.insert(libc::SYS_ioctl, vec![SeccompRule::new(vec![injects])?]);
        let arch = std::env::consts::ARCH.try_into()?;
        let errno = |number: i32| SeccompAction::Errno(number.unsigned_abs());
        let deny = SeccompFilter::new(rules, SeccompAction::Allow, errno(libc::EPERM), arch)?;
        // clone3's flags lie in memory that a filter can't read: its absence makes libraries use clone.
        let absent = BTreeMap::from([(libc::SYS_clone3, vec![])]);
        let absent = SeccompFilter::new(absent, SeccompAction::Allow, errno(libc::ENOSYS), arch)?;
        let programs: [BpfProgram; FILTERS] = [deny.try_into()?, absent.try_into()?, other_calls()];
        Ok::<_, seccompiler::BackendError>(programs)
    })();
    let programs = made.map_err(|error| error.to_string())?;
    Ok(programs.iter().map(|program| program.iter().map(packed).collect()).collect())
}

/// The rules by which `socket` is refused; none of them refuses it always.
fn sockets(network: bool) -> Result<Vec<SeccompRule>, seccompiler::BackendError> {
    // SECURITY: local ones never. Landlock does not keep a process from a service's socket file, and where
    // the daemon is an ordinary user, that user's session manager would start anything outside of here.
    if !network {
        return Ok(vec![]);
    }
    let foreign = [libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK].map(|family| {
        let family = u64::try_from(family).unwrap_or(0);
        SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, family)
    });
    Ok(vec![SeccompRule::new(foreign.into_iter().collect::<Result<_, _>>()?)?])
}

/// The rules by which `socketpair` is refused: a pair without connections can be sent from to any service.
fn pairs() -> Result<Vec<SeccompRule>, seccompiler::BackendError> {
    [libc::SOCK_DGRAM, libc::SOCK_RAW]
        .map(|kind| {
            let kind = u64::try_from(kind).unwrap_or(0);
            let op = SeccompCmpOp::MaskedEq(0xf);
            let condition = SeccompCondition::new(1, SeccompCmpArgLen::Dword, op, kind)?;
            SeccompRule::new(vec![condition])
        })
        .into_iter()
        .collect()
}

/// Refuses the calls of the x32 ABI, which the kernel tells from others by a bit of their number alone, so
/// that none of the rules above would name them. No other architecture has calls up there.
fn other_calls() -> BpfProgram {
    let instruction = |code, jf, k| sock_filter { code, jt: 0, jf, k };
    vec![
        // The number; from the bit on: EPERM; else: allowed (seccomp(2), bpf_common.h).
        instruction(0x20, 0, 0),
        instruction(0x35, 1, 0x4000_0000),
        instruction(0x06, 0, 0x0005_0000 | libc::EPERM.unsigned_abs()),
        instruction(0x06, 0, 0x7fff_0000),
    ]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;

    #[test]
    fn an_instruction_travels_whole() {
        for network in [false, true] {
            let filters = filters(network).unwrap();
            assert_eq!(filters.len(), FILTERS);
            for instruction in filters.iter().flatten() {
                assert_eq!(packed(&unpacked(*instruction)), *instruction);
            }
        }
        let all = sock_filter { code: 0xfedc, jt: 0xba, jf: 0x98, k: 0x7654_3210 };
        assert_eq!(packed(&all), 0xfedc_ba98_7654_3210);
        assert_ne!(filters(true).unwrap()[0], filters(false).unwrap()[0]);
    }

    #[test]
    fn no_filters_are_refused() {
        assert!(programs(&[]).is_err());
        assert!(programs(&[vec![], vec![]]).is_err());
    }
}
