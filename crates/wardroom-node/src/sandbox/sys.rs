//! The system calls that have no safe wrapper. The only file of the workspace that may be unsafe.
#![expect(unsafe_code, reason = "fork, wait4 and execveat have no safe form")]

use std::{
    ffi::CString,
    io,
    os::fd::{AsRawFd as _, BorrowedFd},
};

/// Which side of a fork this is.
pub(super) enum Fork {
    Parent(i32),
    Child,
}

fn check(result: i32) -> io::Result<i32> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// Forks. Only for the launcher.
pub(super) fn fork() -> io::Result<Fork> {
    // SAFETY: the launcher has one thread, so the child may do whatever the parent could.
    match check(unsafe { libc::fork() })? {
        0 => Ok(Fork::Child),
        pid => Ok(Fork::Parent(pid)),
    }
}

/// A child that ended.
pub(super) struct Reaped {
    pub(super) pid: i32,
    pub(super) code: Option<i32>,
    pub(super) signal: Option<i32>,
    pub(super) cpu_ms: u64,
    pub(super) memory_peak_bytes: u64,
}

/// Waits for any child.
pub(super) fn wait_any() -> io::Result<Reaped> {
    let mut status = 0;
    // SAFETY: all-zero is a valid rusage.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers lead to live values of the right type.
    let pid = check(unsafe { libc::wait4(-1, &mut status, 0, &mut usage) })?;
    let millis = |time: libc::timeval| time.tv_sec * 1000 + time.tv_usec / 1000;
    Ok(Reaped {
        pid,
        code: libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status)),
        signal: libc::WIFSIGNALED(status).then(|| libc::WTERMSIG(status)),
        cpu_ms: u64::try_from(millis(usage.ru_utime) + millis(usage.ru_stime)).unwrap_or(0),
        memory_peak_bytes: u64::try_from(usage.ru_maxrss).unwrap_or(0) * 1024,
    })
}

/// Turns the process into an ordinary user, for good.
pub(super) fn become_user(uid: u32, gid: u32) -> io::Result<()> {
    // SAFETY: plain system calls on values; an empty list needs no pointer.
    unsafe {
        check(libc::setgroups(0, std::ptr::null()))?;
        check(libc::setresgid(gid, gid, gid))?;
        check(libc::setresuid(uid, uid, uid))?;
        // Without this, root would own the process's /proc files and its own maps could not be written.
        check(libc::prctl(libc::PR_SET_DUMPABLE, 1, 0, 0, 0))?;
    }
    Ok(())
}

/// Asks for SIGKILL when the parent dies.
pub(super) fn die_with_parent() -> io::Result<()> {
    // SAFETY: a plain system call on values.
    check(unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL, 0, 0, 0) }).map(drop)
}

/// Leaves some of the parent's namespaces.
pub(super) fn unshare(flags: i32) -> io::Result<()> {
    // SAFETY: a plain system call on values; the process has one thread.
    check(unsafe { libc::unshare(flags) }).map(drop)
}

/// Mounts without a source file system.
pub(super) fn mount(
    source: &str,
    target: &str,
    kind: &str,
    flags: libc::c_ulong,
) -> io::Result<()> {
    let text = |text: &str| CString::new(text).map_err(io::Error::other);
    let (source, target, kind) = (text(source)?, text(target)?, text(kind)?);
    // SAFETY: the three texts are NUL-terminated and live; no data is passed.
    check(unsafe {
        libc::mount(source.as_ptr(), target.as_ptr(), kind.as_ptr(), flags, std::ptr::null())
    })
    .map(drop)
}

/// Makes everything that is mounted at and beneath `path` read-only, or writable again.
pub(super) fn set_read_only(path: &str, read_only: bool) -> io::Result<()> {
    const RECURSIVE: libc::c_int = 0x8000;
    const RDONLY: u64 = 1;
    let path = CString::new(path).map_err(io::Error::other)?;
    // struct mount_attr: what to set, what to clear, propagation, a user namespace (mount_setattr(2)).
    let attributes: [u64; 4] = if read_only { [RDONLY, 0, 0, 0] } else { [0, RDONLY, 0, 0] };
    // SAFETY: the text is NUL-terminated, the structure has the size that is passed, and both live.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            libc::AT_FDCWD,
            path.as_ptr(),
            RECURSIVE,
            attributes.as_ptr(),
            size_of_val(&attributes),
        )
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Lets nobody else of the same user look into this process (ptrace(2), access mode checking).
pub(super) fn undumpable() -> io::Result<()> {
    // SAFETY: a plain system call on values.
    check(unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0) }).map(drop)
}

/// Becomes the parent of descendants whose own parent ends, and outlives the daemon to end them.
pub(super) fn adopt_orphans() -> io::Result<()> {
    // SAFETY: plain system calls on values.
    unsafe {
        check(libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))?;
        check(libc::prctl(libc::PR_SET_PDEATHSIG, 0, 0, 0, 0)).map(drop)
    }
}

/// Takes every capability out of the bounding set.
pub(super) fn drop_bounding_set() -> io::Result<()> {
    for capability in 0..64 {
        // SAFETY: plain system calls on values.
        let there = unsafe { libc::prctl(libc::PR_CAPBSET_READ, capability, 0, 0, 0) };
        if there < 0 {
            return Ok(());
        }
        // SAFETY: as above.
        check(unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) })?;
    }
    Ok(())
}

/// Executes the file behind `program`, or the path where there is no descriptor. Returns only on failure.
pub(super) fn execute(
    program: Option<BorrowedFd<'_>>,
    path: &CString,
    args: &[CString],
    env: &[CString],
) -> io::Error {
    let pointers = |texts: &[CString]| {
        texts.iter().map(|text| text.as_ptr()).chain(Some(std::ptr::null())).collect::<Vec<_>>()
    };
    let (args, env) = (pointers(args), pointers(env));
    // SAFETY: the arrays end with a null pointer and all texts are NUL-terminated and outlive the call.
    unsafe {
        match program {
            Some(file) => {
                libc::syscall(
                    libc::SYS_execveat,
                    file.as_raw_fd(),
                    c"".as_ptr(),
                    args.as_ptr(),
                    env.as_ptr(),
                    libc::AT_EMPTY_PATH,
                );
            }
            None => {
                libc::execve(path.as_ptr(), args.as_ptr(), env.as_ptr());
            }
        }
    }
    io::Error::last_os_error()
}

/// Sets one resource limit, soft and hard alike; never above what there is.
pub(super) fn limit(resource: libc::__rlimit_resource_t, soft: u64, hard: u64) -> io::Result<()> {
    let mut now = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the pointer leads to a live value of the right type.
    check(unsafe { libc::getrlimit(resource, &mut now) })?;
    let wanted =
        libc::rlimit { rlim_cur: soft.min(now.rlim_max), rlim_max: hard.min(now.rlim_max) };
    // SAFETY: as above.
    check(unsafe { libc::setrlimit(resource, &wanted) }).map(drop)
}

/// Sets every signal back to its default action and unblocks all.
pub(super) fn reset_signals() {
    for signal in 1..=64 {
        if signal == libc::SIGKILL || signal == libc::SIGSTOP {
            continue;
        }
        // SAFETY: the default action is no handler; a signal that does not exist is refused harmlessly.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    // SAFETY: the set is initialised before it is used.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut set);
        libc::sigprocmask(libc::SIG_SETMASK, &set, std::ptr::null_mut());
    }
}

/// Duplicates `from` onto the number `to`.
pub(super) fn dup_onto(from: i32, to: i32, close_on_exec: bool) -> io::Result<()> {
    let flags = if close_on_exec { libc::O_CLOEXEC } else { 0 };
    // SAFETY: a plain system call on values; the launcher owns its descriptors.
    check(unsafe { libc::dup3(from, to, flags) }).map(drop)
}

/// Closes every descriptor from `first` on.
pub(super) fn close_from(first: u32) -> io::Result<()> {
    // SAFETY: a plain system call on values; the launcher holds no owner for any of them.
    let result = unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, 0) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Takes over the descriptor `number`.
pub(super) fn own(number: i32) -> std::fs::File {
    use std::os::fd::FromRawFd as _;
    // SAFETY: the launcher opened it itself a moment ago and nothing else owns it.
    unsafe { std::fs::File::from_raw_fd(number) }
}
