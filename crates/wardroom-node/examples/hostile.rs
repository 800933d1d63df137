//! A program that tries what a sandbox must not let it, and says on standard output how far it came.
//! The tests run it as a command; it is part of nothing that is installed.
#![allow(
    unsafe_code,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "it attacks, with system calls that have no safe form"
)]

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    net::{TcpStream, UdpSocket},
    os::{
        linux::net::SocketAddrExt as _,
        unix::net::{SocketAddr, UnixStream},
    },
    time::Duration,
};

fn main() {
    let mut args = std::env::args().skip(1);
    let (verb, what) = (args.next().unwrap_or_default(), args.next().unwrap_or_default());
    match verb.as_str() {
        "connect" => tell(TcpStream::connect(&what)),
        "send" => {
            tell(UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.send_to(b"x", &what)))
        }
        "unix" => tell(UnixStream::connect(&what)),
        "abstract" => tell(
            SocketAddr::from_abstract_name(what.as_bytes())
                .and_then(|name| UnixStream::connect_addr(&name)),
        ),
        "read" => tell(fs::read(&what)),
        "list" => tell(fs::read_dir(&what).and_then(|mut entries| entries.next().transpose())),
        "write" => tell(
            OpenOptions::new()
                .create(true)
                .append(true)
                .open(&what)
                .and_then(|mut file| file.write_all(b"planted\n")),
        ),
        "remove" => tell(fs::remove_file(&what)),
        "environment" => std::env::vars_os().for_each(|pair| println!("{pair:?}")),
        "descriptors" => descriptors(),
        "processes" => processes(),
        "status" => print!("{}", fs::read_to_string("/proc/self/status").expect("its own status")),
        "kill" => {
            tell(checked(unsafe { libc::kill(what.parse().expect("a pid"), libc::SIGKILL) }.into()))
        }
        "calls" => calls(),
        "mode" => tell(fs::metadata(&what).and_then(|found| {
            // The mode that it has: whether it may be set is asked, not what it is.
            fs::set_permissions(&what, found.permissions())
        })),
        "times" => {
            tell(File::open(&what).and_then(|file| file.set_modified(std::time::SystemTime::now())))
        }
        "stray" => tell(stray(&what)),
        "confine" => tell::<()>(Err(confine(&what, args))),
        "close" => {
            let _ = fs::create_dir_all("deep/closed");
            let none = std::os::unix::fs::PermissionsExt::from_mode(0o000);
            tell(fs::set_permissions("deep/closed", none));
        }
        "spin" => loop {
            std::hint::spin_loop();
        },
        "hog" => hog(),
        "fork" => forks(),
        "open" => open_many(),
        "grow" => grow(),
        "bytes" => bytes(what.parse().expect("a number")),
        "flee" => flee(),
        "stay" => stay(),
        other => panic_free_end(other),
    }
}

fn panic_free_end(verb: &str) {
    eprintln!("no such verb: {verb}");
    std::process::exit(2);
}

fn tell<T>(tried: io::Result<T>) {
    match tried {
        Ok(_) => println!("done"),
        Err(error) => println!("refused {}", error.raw_os_error().unwrap_or(0)),
    }
}

fn checked(result: i64) -> io::Result<i64> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

fn descriptors() {
    for number in 0..1024 {
        if unsafe { libc::fcntl(number, libc::F_GETFD) } >= 0 {
            println!("{number}");
        }
    }
}

fn processes() {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    println!("{} seen", pids.count());
    // What /proc hides can still be asked for by number.
    let answered = (1..100_000).filter(|pid| {
        let result = unsafe { libc::kill(*pid, 0) };
        result == 0 || io::Error::last_os_error().raw_os_error() == Some(libc::EPERM)
    });
    println!("{} answer", answered.count());
}

/// Each must fail; the error numbers are told.
fn calls() {
    let call = |name: &str, number: i64, args: [i64; 4]| {
        let result = unsafe { libc::syscall(number, args[0], args[1], args[2], args[3]) };
        match checked(result) {
            Ok(_) => println!("{name} done"),
            Err(error) => println!("{name} refused {}", error.raw_os_error().unwrap_or(0)),
        }
    };
    let root = c"/".as_ptr() as i64;
    call("ptrace", libc::SYS_ptrace, [0; 4]);
    call("unshare", libc::SYS_unshare, [libc::CLONE_NEWUSER.into(), 0, 0, 0]);
    call("clone", libc::SYS_clone, [(libc::CLONE_NEWUSER | libc::SIGCHLD).into(), 0, 0, 0]);
    call("clone3", libc::SYS_clone3, [0; 4]);
    call("mount", libc::SYS_mount, [root, root, 0, libc::MS_BIND as i64]);
    call("chroot", libc::SYS_chroot, [root, 0, 0, 0]);
    call("keyctl", libc::SYS_keyctl, [0; 4]);
    call("bpf", libc::SYS_bpf, [0; 4]);
    call("io_uring", libc::SYS_io_uring_setup, [1, 0, 0, 0]);
    call("perf", libc::SYS_perf_event_open, [0; 4]);
    call("handle", libc::SYS_open_by_handle_at, [0; 4]);
    call("inject", libc::SYS_ioctl, [0, libc::TIOCSTI as i64, root, 0]);
    call("shared memory", libc::SYS_shmget, [0, 4096, 0o1600, 0]);
    call("memory file", libc::SYS_memfd_create, [c"x".as_ptr() as i64, 0, 0, 0]);
    call("watch", libc::SYS_inotify_add_watch, [0; 4]);
    call("local", libc::SYS_socket, [libc::AF_UNIX.into(), libc::SOCK_STREAM.into(), 0, 0]);
    let mut pair = [0_i32; 2];
    let pair = pair.as_mut_ptr() as i64;
    call("pair", libc::SYS_socketpair, [libc::AF_UNIX.into(), libc::SOCK_DGRAM.into(), 0, pair]);
    // The same call by its number in the x32 ABI.
    call("x32", libc::SYS_getpid | 0x4000_0000, [0; 4]);
    call("packet", libc::SYS_socket, [libc::AF_PACKET.into(), libc::SOCK_RAW.into(), 0, 0]);
    call("netlink", libc::SYS_socket, [libc::AF_NETLINK.into(), libc::SOCK_RAW.into(), 0, 0]);
}

/// Executes a program as it would be on a machine that lets nobody make namespaces.
fn confine(program: &str, args: impl Iterator<Item = String>) -> io::Error {
    use std::os::unix::process::CommandExt as _;
    let refused = seccompiler::SeccompAction::Errno(libc::EPERM.unsigned_abs());
    let rules = std::collections::BTreeMap::from([(libc::SYS_unshare, vec![])]);
    let arch = std::env::consts::ARCH.try_into().expect("a known architecture");
    let filter =
        seccompiler::SeccompFilter::new(rules, seccompiler::SeccompAction::Allow, refused, arch);
    let program_of: seccompiler::BpfProgram =
        filter.expect("a filter").try_into().expect("a program");
    seccompiler::apply_filter(&program_of).expect("it is applied");
    std::process::Command::new(program).args(args).exec()
}

/// Sends to a service without ever asking for a socket that could connect.
fn stray(path: &str) -> io::Result<usize> {
    let (socket, _) = std::os::unix::net::UnixDatagram::pair()?;
    socket.send_to(b"x", path)
}

fn hog() {
    let mut held: Vec<Vec<u8>> = Vec::new();
    loop {
        let mut more = Vec::new();
        if more.try_reserve_exact(1 << 20).is_err() {
            println!("refused at {}", held.len());
            return;
        }
        more.resize(1 << 20, 1);
        held.push(more);
    }
}

fn forks() {
    for count in 0..100_000 {
        match unsafe { libc::fork() } {
            0 => loop {
                std::thread::sleep(Duration::from_secs(3600));
            },
            failed if failed < 0 => {
                println!("refused at {count}");
                return;
            }
            _ => {}
        }
    }
    println!("done");
}

fn open_many() {
    let mut held = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        held.push(file);
    }
    println!("refused at {}", held.len());
}

/// Writes a file until it is stopped.
fn grow() {
    let mut file = File::create("grown").expect("its own folder");
    while file.write_all(&[0; 1 << 16]).is_ok() {}
    println!("refused");
}

/// Every byte, again and again, on both streams.
fn bytes(times: u32) {
    let all: Vec<u8> = (0..=255).collect();
    for _ in 0..times {
        io::stdout().write_all(&all).expect("a reader");
        io::stderr().write_all(&all).expect("a reader");
    }
}

/// Leaves a process behind that has cut every tie: another session, another parent, no streams.
fn flee() {
    if unsafe { libc::fork() } == 0 {
        unsafe { libc::setsid() };
        if unsafe { libc::fork() } != 0 {
            std::process::exit(0);
        }
        (0..1024).for_each(|number| {
            unsafe { libc::close(number) };
        });
        loop {
            std::thread::sleep(Duration::from_secs(3600));
        }
    }
    println!("fled");
}

/// Does not go when asked to.
fn stay() {
    for signal in 1..32 {
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
    flee();
    let mut none = [0];
    loop {
        let _ = io::stdin().read(&mut none);
        std::thread::sleep(Duration::from_secs(3600));
    }
}
