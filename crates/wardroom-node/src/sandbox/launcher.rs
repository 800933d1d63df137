//! The launchers: this program's other life. Single-threaded; one process forks a launcher for each run,
//! which builds the sandbox around itself, then becomes the program.

use super::{
    confine, filters,
    spec::{Ability, FailCode, Order, Said, Spec},
    sys::{self, Fork},
};
use aws_lc_rs::digest::{Context, SHA256};
use rustix::{
    event::{PollFd, PollFlags, poll},
    io::Errno,
    net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg},
    process::{Pid, PidfdFlags, Signal, WaitOptions, pidfd_open, pidfd_send_signal},
};
use std::{
    collections::BTreeSet,
    ffi::CString,
    fs::{self, File},
    io::{self, IoSliceMut, Read as _, Write as _},
    mem::MaybeUninit,
    os::{
        fd::{AsFd as _, BorrowedFd, IntoRawFd, OwnedFd},
        unix::ffi::OsStrExt as _,
    },
    process::exit,
};

/// The argument that turns the program into the one that launchers are forked from.
pub const ARGUMENT: &str = "sandbox-launch";
/// The largest order, in bytes.
const ORDER_BYTES_MAX: u32 = 1024 * 1024;
/// Where the socket is moved to.
const SOCKET: i32 = 3;

/// Becomes the one that launchers are forked from, and never returns, if the command line asks for it. Call
/// first in `main`.
pub fn run_if_requested() {
    if std::env::args_os().nth(1).is_some_and(|argument| argument == ARGUMENT) {
        exit(serve());
    }
}

/// Forks a launcher for each four descriptors that come over standard input, and answers with its process.
fn serve() -> i32 {
    if sys::die_with_parent().is_err() {
        return 125;
    }
    let control = io::stdin();
    loop {
        let Some(handed) = receive(control.as_fd()) else { return 0 };
        // Those that ended since; what became of them, their own sockets have told.
        while matches!(rustix::process::wait(WaitOptions::NOHANG), Ok(Some(_))) {}
        let pid = match sys::fork() {
            Ok(Fork::Child) => exit(launch(handed)),
            Ok(Fork::Parent(pid)) => pid,
            Err(_) => 0,
        };
        drop(handed);
        if rustix::io::write(control.as_fd(), &pid.to_le_bytes()).is_err() {
            return 0;
        }
    }
}

/// The next four descriptors; `None` when the daemon is gone.
fn receive(control: BorrowedFd<'_>) -> Option<[OwnedFd; 4]> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
    let mut buffer = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    let received = loop {
        let into = &mut [IoSliceMut::new(&mut byte)];
        match recvmsg(control, into, &mut buffer, RecvFlags::CMSG_CLOEXEC) {
            Err(Errno::INTR) => {}
            received => break received.ok()?,
        }
    };
    let messages = buffer.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
        _ => None,
    });
    let handed: Vec<OwnedFd> = messages.flatten().collect();
    if received.bytes == 0 { None } else { handed.try_into().ok() }
}

/// Why the program was not executed.
struct Failed(FailCode, String);

fn failed(code: FailCode, what: &str, error: impl std::fmt::Display) -> Failed {
    Failed(code, format!("{what}: {error}"))
}

fn launch(handed: [OwnedFd; 4]) -> i32 {
    let Ok(order) = prepare(handed) else { return 125 };
    let mut socket = sys::own(SOCKET);
    match build(&order, &mut socket) {
        Ok(code) => code,
        Err(Failed(code, message)) => {
            say(&mut socket, &Said::Failed { code, message });
            125
        }
    }
}

/// Whether the daemon could be told; one that is gone hears nothing more.
fn say(socket: &mut File, said: &Said) -> bool {
    let mut line = serde_json::to_vec(said).unwrap_or_default();
    line.push(b'\n');
    socket.write_all(&line).is_ok()
}

/// Puts the descriptors in order, so that nothing but the handed ones stays open, and reads the order.
fn prepare(handed: [OwnedFd; 4]) -> io::Result<Order<'static>> {
    sys::die_with_parent()?;
    // Over those of the process that this was forked from. From here on they are known by number.
    let [socket, input, out, err] = handed.map(IntoRawFd::into_raw_fd);
    for (from, to) in [(input, 0), (out, 1), (err, 2)] {
        sys::dup_onto(from, to, false)?;
    }
    // All that were handed are above these three, and closed on execution.
    if socket != SOCKET {
        sys::dup_onto(socket, SOCKET, true)?;
    }
    sys::close_from(4)?;
    let mut socket = std::mem::ManuallyDrop::new(sys::own(SOCKET));
    let mut length = [0; 4];
    socket.read_exact(&mut length)?;
    let length = u32::from_le_bytes(length);
    if length > ORDER_BYTES_MAX {
        return Err(io::Error::other("the order is too large"));
    }
    let mut bytes = vec![0; length as usize];
    socket.read_exact(&mut bytes)?;
    serde_json::from_slice(&bytes).map_err(io::Error::other)
}

/// Builds the namespaces and forks the sandbox's first process.
fn build(order: &Order<'_>, socket: &mut File) -> Result<i32, Failed> {
    let spec = &*order.spec;
    let mut enforced = BTreeSet::new();
    let sandbox =
        |what: &'static str| move |error: io::Error| failed(FailCode::Sandbox, what, error);
    rustix::process::setsid().map_err(|error| failed(FailCode::Sandbox, "a new session", error))?;
    if rustix::process::geteuid().is_root() {
        if spec.run_as.uid == 0 || spec.run_as.gid == 0 {
            return Err(Failed(FailCode::Sandbox, "a command must not run as root".into()));
        }
        // SECURITY: before the user namespace; a sandbox that maps to the host's root is none.
        sys::become_user(spec.run_as.uid, spec.run_as.gid).map_err(sandbox("an own user"))?;
        enforced.insert(Ability::OwnUser);
    }
    sys::die_with_parent().map_err(sandbox("the death signal"))?;
    namespaces(spec, &mut enforced);
    demand(
        spec,
        &enforced,
        &[Ability::OwnUser, Ability::UserNamespace, Ability::PidNamespace, Ability::MountNamespace],
    )?;
    if !spec.access.network {
        demand(spec, &enforced, &[Ability::NetworkNamespace])?;
    }
    match sys::fork().map_err(sandbox("a first process"))? {
        Fork::Child => {
            let code = first_process(order, socket, enforced);
            exit(code)
        }
        Fork::Parent(pid) => {
            // The pipes' other ends must see their end when the sandbox does, not when this does.
            drop((sys::own(0), sys::own(1), sys::own(2)));
            if !enforced.contains(&Ability::PidNamespace) {
                // No namespace ends with the program: this process ends what is left.
                sys::adopt_orphans().map_err(sandbox("the orphans"))?;
            }
            // The maps are written by now. Others of the same user must not look into it: the values
            // are in its memory, and it tells the daemon how the program ended.
            sys::undumpable().map_err(sandbox("its own memory"))?;
            let code = oversee(pid, socket);
            end_orphans();
            Ok(code)
        }
    }
}

/// Waits until the first process ends, or the daemon closes its end of the socket, which ends it. It
/// is killed and waited for here because its parent hears of its end only when all of its namespace
/// is gone; who only killed this process would not know when that is.
fn oversee(first: i32, socket: &File) -> i32 {
    if let Some(pid) = Pid::from_raw(first)
        && let Ok(handle) = pidfd_open(pid, PidfdFlags::empty())
    {
        let mut awaited = [PollFd::new(&handle, PollFlags::IN), PollFd::new(socket, PollFlags::IN)];
        while matches!(poll(&mut awaited, None), Err(Errno::INTR)) {}
        // One that has ended already is past hearing it.
        let _ = pidfd_send_signal(&handle, Signal::KILL);
    }
    loop {
        match sys::wait_any() {
            Ok(reaped) if reaped.pid == first => return reaped.code.unwrap_or(124),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return 124,
        }
    }
}

/// Kills and awaits all that became this process's own. In a process namespace nothing did.
fn end_orphans() {
    loop {
        for child in children() {
            let _ = rustix::process::kill_process(child, Signal::KILL);
        }
        match sys::wait_any() {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return,
            _ => {}
        }
    }
}

/// This process's children, as /proc tells them (proc_pid_stat(5): the parent is the fourth field, the
/// second after the name in parentheses).
fn children() -> Vec<Pid> {
    let own = std::process::id().to_string();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let child = |pid: &i32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let parent = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1));
        parent == Some(own.as_str())
    };
    numbers.filter(child).filter_map(Pid::from_raw).collect()
}

/// Leaves the host's namespaces, as many as the kernel lets us leave.
fn namespaces(spec: &Spec, enforced: &mut BTreeSet<Ability>) {
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    if sys::unshare(libc::CLONE_NEWUSER).is_err() {
        return;
    }
    let mapped = fs::write("/proc/self/setgroups", "deny")
        .and_then(|()| fs::write("/proc/self/uid_map", format!("{uid} {uid} 1")))
        .and_then(|()| fs::write("/proc/self/gid_map", format!("{gid} {gid} 1")));
    if mapped.is_err() {
        return;
    }
    enforced.insert(Ability::UserNamespace);
    let _ = sys::unshare(libc::CLONE_NEWIPC);
    if sys::unshare(libc::CLONE_NEWUTS).is_ok() {
        let _ = rustix::system::sethostname(b"sandbox");
    }
    if sys::unshare(libc::CLONE_NEWNS).is_ok()
        && sys::mount("none", "/", "", libc::MS_REC | libc::MS_PRIVATE).is_ok()
    {
        enforced.insert(Ability::MountNamespace);
    }
    if !spec.access.network && sys::unshare(libc::CLONE_NEWNET).is_ok() {
        enforced.insert(Ability::NetworkNamespace);
    }
    if sys::unshare(libc::CLONE_NEWPID).is_ok() {
        enforced.insert(Ability::PidNamespace);
    }
}

fn demand(spec: &Spec, enforced: &BTreeSet<Ability>, among: &[Ability]) -> Result<(), Failed> {
    match among
        .iter()
        .find(|ability| spec.requires.contains(ability) && !enforced.contains(ability))
    {
        Some(missing) => Err(Failed(
            FailCode::Ability,
            format!(
                "the command demands {}, which this machine does not enforce",
                missing.as_str()
            ),
        )),
        None => Ok(()),
    }
}

/// The namespace's first process: starts the program, reaps, reports. When it ends, all others do.
fn first_process(order: &Order<'_>, socket: &mut File, mut enforced: BTreeSet<Ability>) -> i32 {
    let begun = begin(order, &enforced);
    let (program, mut errors) = match begun {
        Ok(begun) => begun,
        Err(Failed(code, message)) => {
            say(socket, &Said::Failed { code, message });
            return 125;
        }
    };
    let _ = sys::undumpable();
    // The streams belong to the program alone.
    let _ = File::open("/dev/null").and_then(|null| {
        use std::os::fd::AsRawFd as _;
        (0..=2).try_for_each(|stream| sys::dup_onto(null.as_raw_fd(), stream, false))
    });
    let mut text = Vec::new();
    // Closed without a word when the program is executed.
    let read = errors.read_to_end(&mut text).is_ok();
    // First what is enforced, then, only if the execution failed, why.
    let last = serde_json::Deserializer::from_slice(&text).into_iter::<Said>().flatten().last();
    match last {
        Some(Said::Started { enforced: now }) if read => enforced = now,
        Some(said @ Said::Failed { .. }) => {
            say(socket, &said);
            return 125;
        }
        _ => {
            let message = "the sandbox could not be built".to_owned();
            say(socket, &Said::Failed { code: FailCode::Sandbox, message });
            return 125;
        }
    }
    if !say(socket, &Said::Started { enforced }) {
        // Died before this process could ask to die with its parent: nobody watches the program.
        return 124;
    }
    loop {
        match sys::wait_any() {
            Ok(reaped) if reaped.pid == program => {
                let (code, signal) = (reaped.code, reaped.signal);
                let (cpu_ms, memory_peak_bytes) = (reaped.cpu_ms, reaped.memory_peak_bytes);
                say(socket, &Said::Ended { code, signal, cpu_ms, memory_peak_bytes });
                return 0;
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return 124,
        }
    }
}

/// Forks the program. Gives its process and where it says what went wrong before it was executed.
fn begin(order: &Order<'_>, enforced: &BTreeSet<Ability>) -> Result<(i32, File), Failed> {
    let sandbox =
        |what: &'static str| move |error: io::Error| failed(FailCode::Sandbox, what, error);
    sys::die_with_parent().map_err(sandbox("the death signal"))?;
    let (errors, mut report) = io::pipe().map_err(sandbox("a pipe"))?;
    match sys::fork().map_err(sandbox("the program's process"))? {
        Fork::Parent(pid) => {
            drop(report);
            Ok((pid, File::from(std::os::fd::OwnedFd::from(errors))))
        }
        Fork::Child => {
            drop(errors);
            let Failed(code, message) = match become_program(order, enforced, &mut report) {
                Err(failed) => failed,
                Ok(never) => match never {},
            };
            let said = serde_json::to_vec(&Said::Failed { code, message }).unwrap_or_default();
            let _ = report.write_all(&said);
            exit(125)
        }
    }
}

/// Confines itself and executes the program.
fn become_program(
    order: &Order<'_>,
    enforced: &BTreeSet<Ability>,
    report: &mut io::PipeWriter,
) -> Result<std::convert::Infallible, Failed> {
    let sandbox =
        |what: &'static str| move |error: io::Error| failed(FailCode::Sandbox, what, error);
    let spec = &*order.spec;
    // Kept over the execution, which gains nothing: where no namespace does, this ends the program.
    sys::die_with_parent().map_err(sandbox("the death signal"))?;
    sys::reset_signals();
    // When memory runs out, the program goes first, and neither the daemon nor its neighbours.
    let _ = fs::write("/proc/self/oom_score_adj", "1000");
    let own_proc = enforced.contains(&Ability::PidNamespace)
        && enforced.contains(&Ability::MountNamespace)
        && sys::mount("proc", "/proc", "proc", libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC)
            .is_ok();
    let read_only = enforced.contains(&Ability::MountNamespace)
        && confine::mounts(spec).map_err(sandbox("the mounts"))?;
    std::env::set_current_dir(&spec.scratch).map_err(sandbox("the run's folder"))?;
    let text = |bytes: &[u8]| {
        CString::new(bytes).map_err(|error| failed(FailCode::Program, "an argument", error))
    };
    let path = text(spec.program.as_os_str().as_bytes())?;
    let mut args = vec![path.clone()];
    for arg in &spec.args {
        args.push(text(arg.as_bytes())?);
    }
    let mut env = Vec::with_capacity(spec.env.len());
    for (name, value) in &spec.env {
        env.push(text(format!("{name}={value}").as_bytes())?);
    }
    let pinned = pin(spec)?;
    // Now, because the memory is bounded soon.
    let filters = filters::programs(&order.filters)
        .map_err(|error| failed(FailCode::Sandbox, "seccomp", error))?;
    let _ = sys::drop_bounding_set();
    rustix::thread::set_no_new_privs(true)
        .map_err(|error| failed(FailCode::Sandbox, "no_new_privs", error))?;
    let landlocked = confine::files(spec, own_proc)
        .map_err(|error| failed(FailCode::Sandbox, "landlock", error))?;
    let mut now = enforced.clone();
    now.extend([Ability::NoNewPrivs, Ability::Rlimits, Ability::Seccomp]);
    if landlocked {
        now.insert(Ability::Landlock);
    }
    if read_only {
        now.insert(Ability::ReadOnlyMounts);
    }
    demand(spec, &now, &[Ability::Landlock, Ability::ReadOnlyMounts])?;
    if !landlocked && !now.contains(&Ability::OwnUser) {
        // SECURITY: it would be the daemon's own user with nothing between it and the node's key.
        return Err(Failed(
            FailCode::Ability,
            "this machine enforces neither own_user nor landlock, one of which every command needs: \
             run the node as root, or on a kernel with Landlock"
                .into(),
        ));
    }
    confine::resources(&spec.limits).map_err(sandbox("resource limits"))?;
    for filter in &filters {
        seccompiler::apply_filter(filter)
            .map_err(|error| failed(FailCode::Sandbox, "seccomp", error))?;
    }
    // What is enforced travels before the execution, which then closes the pipe.
    let said = serde_json::to_vec(&Said::Started { enforced: now }).unwrap_or_default();
    let _ = report.write_all(&said);
    let error = sys::execute(pinned.as_ref().map(|file| file.as_fd()), &path, &args, &env);
    Err(failed(FailCode::Program, &format!("{} can't be executed", spec.program.display()), error))
}

/// Opens a pinned program and checks its hash: what is checked is what is executed, whatever happens
/// to its name meanwhile.
fn pin(spec: &Spec) -> Result<Option<File>, Failed> {
    let Some(wanted) = spec.program_sha256 else { return Ok(None) };
    let program =
        |error: io::Error| failed(FailCode::Program, &spec.program.display().to_string(), error);
    let mut file = File::open(&spec.program).map_err(program)?;
    let mut hasher = Context::new(&SHA256);
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match file.read(&mut buffer).map_err(program)? {
            0 => break,
            count => hasher.update(buffer.get(..count).unwrap_or_default()),
        }
    }
    if hasher.finish().as_ref() == wanted {
        Ok(Some(file))
    } else {
        Err(Failed(
            FailCode::Pin,
            format!(
                "{} does not have the SHA-256 that the allow-list pins",
                spec.program.display()
            ),
        ))
    }
}
