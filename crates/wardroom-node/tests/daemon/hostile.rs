//! What a command can't do, tried from inside a program that wants to.

use crate::{
    fake::{Conn, Fake, Followed, PATIENCE, run},
    machine::Machine,
};
use serde_json::json;
use std::{
    fs,
    net::{TcpListener, UdpSocket},
    os::{
        linux::net::SocketAddrExt as _,
        unix::{
            fs::{MetadataExt as _, PermissionsExt as _},
            net::{SocketAddr, UnixListener},
        },
    },
    path::{Path, PathBuf},
};
use tokio::time::timeout;
use wardroom_core::digest::sha256_hex;
use wardroom_wire::link::{EndShape, NodeFrame, OrchestratorFrame, Stream};

/// A node whose allow-list has the hostile program, bounded in several ways.
struct Prison {
    machine: Machine,
    conn: Conn,
    runs: u128,
    _fake: Fake,
}

/// The attacking program, which is built with the tests.
fn hostile() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let path = tests.ancestors().nth(2).unwrap().join("examples/hostile");
    assert!(path.is_file(), "build the examples first: {} is missing", path.display());
    path
}

impl Prison {
    async fn new() -> Self {
        let fake = Fake::start().await;
        let mut machine = Self::furnished(&fake).await;
        machine.start(&[]);
        let conn = fake.link().await;
        Self { machine, conn, runs: 0, _fake: fake }
    }

    /// The daemon as a user without any power.
    async fn of_an_ordinary_user() -> Self {
        let fake = Fake::start().await;
        let mut machine = Self::furnished(&fake).await;
        machine.start_as_nobody();
        let conn = fake.link().await;
        Self { machine, conn, runs: 0, _fake: fake }
    }

    /// The daemon on a machine that lets nobody make namespaces.
    async fn without_namespaces() -> Self {
        let fake = Fake::start().await;
        let mut machine = Self::furnished(&fake).await;
        machine.start_without_namespaces(&hostile());
        let conn = fake.link().await;
        Self { machine, conn, runs: 0, _fake: fake }
    }

    async fn furnished(fake: &Fake) -> Machine {
        let machine = Machine::joined(fake).await;
        let program = machine.path("hostile");
        fs::copy(hostile(), &program).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        for (name, mode) in [("readable", 0o755), ("writable", 0o777), ("open", 0o777)] {
            fs::create_dir(machine.path(name)).unwrap();
            fs::set_permissions(machine.path(name), fs::Permissions::from_mode(mode)).unwrap();
            fs::write(machine.path(name).join("file"), "content").unwrap();
        }
        let folder = machine.folder.path().display().to_string();
        let mut list = String::new();
        for (name, more) in [
            ("hostile", ""),
            ("online", "[command.sandbox]\nnetwork = true\n"),
            (
                "sharing",
                "[command.sandbox]\nread = [\"{folder}/readable\"]\nwrite = [\"{folder}/writable\"]\n",
            ),
            (
                "bounded",
                "[command.limits]\ncpu_seconds = 1\nmemory_mib = 96\nprocesses = 12\nopen_files = 40\nfile_mib = 1\noutput_kib = 64\n",
            ),
            ("talkative", "[command.limits]\noutput_kib = 32768\n"),
            (
                "demanding",
                "[command.sandbox]\nrequires = [\"own_user\", \"landlock\", \"pid_namespace\"]\n",
            ),
        ] {
            list.push_str(&entry(name, &program, "", &more.replace("{folder}", &folder)));
        }
        let right = sha256_hex(&fs::read(&program).unwrap());
        list.push_str(&entry("pinned", &program, &format!("sha256 = \"{right}\""), ""));
        let wrong = sha256_hex(b"another program");
        list.push_str(&format!(
            r#"
[[command]]
name = "trusted"
description = "Has a secret"
program = "{}"
arguments = ["environment"]
parameters = [
  {{ name = "token", type = "string", pattern = ".+", bytes_max = 99, secret = true, environment = "API_TOKEN" }},
]
"#,
            program.display()
        ));
        list.push_str(&entry("mispinned", &program, &format!("sha256 = \"{wrong}\""), ""));
        machine.write_list(&list);
        machine
    }

    fn path(&self, name: &str) -> String {
        self.machine.path(name).display().to_string()
    }

    /// Offers an attack and gives its run.
    async fn begin(&mut self, command: &str, verb: &str, what: &str) -> String {
        self.runs += 1;
        let run = run(self.runs);
        self.conn.offer(&run, 1, command, json!({"verb": verb, "what": what})).await;
        run
    }

    async fn attack(&mut self, command: &str, verb: &str, what: &str) -> Followed {
        let run = self.begin(command, verb, what).await;
        self.conn.follow(&run).await
    }

    /// What the program printed; it must have come to its own end.
    async fn said(&mut self, command: &str, verb: &str, what: &str) -> String {
        let followed = self.attack(command, verb, what).await;
        assert_eq!(followed.end(), &EndShape::Exited { code: 0 }, "{verb} {what}: {followed:?}");
        String::from_utf8(followed.bytes(Stream::Stdout)).unwrap()
    }

    async fn refused(&mut self, command: &str, verb: &str, what: &str) {
        let said = self.said(command, verb, what).await;
        assert!(said.starts_with("refused "), "{verb} {what}: {said}");
    }

    async fn done(&mut self, command: &str, verb: &str, what: &str) {
        assert_eq!(self.said(command, verb, what).await, "done\n", "{verb} {what}");
    }
}

fn entry(name: &str, program: &Path, line: &str, tables: &str) -> String {
    format!(
        r#"
[[command]]
name = "{name}"
description = "Attacks"
program = "{}"
arguments = ["{{verb}}", "{{what}}"]
parameters = [
  {{ name = "verb", type = "string", pattern = "[a-z]+", bytes_max = 32 }},
  {{ name = "what", type = "string", pattern = ".*", bytes_max = 512, default = "" }},
]
{line}
{tables}"#,
        program.display()
    )
}

/// Whether a process of this machine still has `program` as its own.
fn alive(program: &str) -> bool {
    fs::read_dir("/proc").unwrap().flatten().any(|entry| {
        fs::read(entry.path().join("cmdline"))
            .is_ok_and(|line| line.split(|byte| *byte == 0).next() == Some(program.as_bytes()))
    })
}

async fn until_dead(program: &str) {
    let dead = async {
        while alive(program) {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, dead).await.expect("every process of the run dies");
}

#[tokio::test]
async fn the_network_is_out_of_reach_unless_it_is_asked_for() {
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let tcp = tcp.local_addr().unwrap().to_string();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let hidden = format!("wardroom-test-{}", std::process::id());
    let _abstract =
        UnixListener::bind_addr(&SocketAddr::from_abstract_name(&hidden).unwrap()).unwrap();
    let mut prison = Prison::new().await;
    let socket = prison.path("open/socket");
    let _named = UnixListener::bind(&socket).unwrap();
    fs::set_permissions(&socket, fs::Permissions::from_mode(0o777)).unwrap();

    prison.refused("hostile", "connect", &tcp).await;
    prison.refused("hostile", "send", &udp.local_addr().unwrap().to_string()).await;
    prison.refused("hostile", "unix", &socket).await;
    prison.refused("hostile", "abstract", &hidden).await;
    let stray = prison.path("open/stray");
    let service = std::os::unix::net::UnixDatagram::bind(&stray).unwrap();
    service.set_nonblocking(true).unwrap();
    fs::set_permissions(&stray, fs::Permissions::from_mode(0o777)).unwrap();
    for command in ["hostile", "online"] {
        prison.refused(command, "stray", &stray).await;
    }
    assert!(service.recv(&mut [0; 8]).is_err(), "nothing arrived");

    let open = TcpListener::bind("127.0.0.1:0").unwrap();
    prison.done("online", "connect", &open.local_addr().unwrap().to_string()).await;
    // Asking for the network is not asking for this machine's other services.
    prison.refused("online", "abstract", &hidden).await;
    prison.refused("online", "unix", &socket).await;
}

#[tokio::test]
async fn files_outside_are_neither_read_nor_written() {
    let mut prison = Prison::new().await;
    let outside = prison.path("open/file");
    for path in [outside.as_str(), "/etc/shadow", "/etc/ssh/sshd_config", "/proc/1/environ"] {
        prison.refused("hostile", "read", path).await;
    }
    let data = prison.path("data");
    for path in ["/tmp", "/root", "/home", "/var", data.as_str()] {
        prison.refused("hostile", "list", path).await;
    }
    let planted = prison.path("open/planted");
    for path in [planted.as_str(), "/tmp/planted", "/var/tmp/planted", "/dev/shm/planted"] {
        prison.refused("hostile", "write", path).await;
        assert!(!Path::new(path).exists(), "{path}");
    }
    prison.refused("hostile", "remove", &outside).await;
    assert_eq!(fs::read_to_string(&outside).unwrap(), "content");
    // What is there to be shared is shared as the list says, and no further.
    let (readable, writable) = (prison.path("readable/file"), prison.path("writable/new"));
    prison.done("sharing", "read", &readable).await;
    prison.refused("sharing", "write", &readable).await;
    prison.done("sharing", "write", &writable).await;
    assert_eq!(fs::read_to_string(&writable).unwrap(), "planted\n");
    prison.refused("sharing", "write", &prison.path("open/file")).await;
}

#[tokio::test]
async fn an_ordinary_users_own_files_are_not_touched_either() {
    // The daemon and the program are the same user: only the sandbox stands between them.
    let mut prison = Prison::of_an_ordinary_user().await;
    let key = prison.path("data/key.pk8");
    let before = fs::metadata(&key).unwrap();
    prison.refused("hostile", "read", &key).await;
    for path in [key.clone(), prison.path("data"), prison.path("commands.toml")] {
        prison.refused("hostile", "mode", &path).await;
    }
    prison.done("hostile", "write", "own").await;
    prison.done("sharing", "mode", &prison.path("writable/file")).await;
    prison.refused("sharing", "mode", &prison.path("readable/file")).await;
    prison.refused("sharing", "times", &prison.path("readable/file")).await;
    assert_eq!(fs::metadata(&key).unwrap().ctime_nsec(), before.ctime_nsec());
}

#[tokio::test]
async fn a_run_has_a_folder_of_its_own_that_goes_with_it() {
    let mut prison = Prison::new().await;
    prison.done("hostile", "close", "").await;
    prison.done("hostile", "write", "note").await;
    // The next run begins with an empty one.
    prison.refused("hostile", "read", "note").await;
    let scratch = fs::read_dir(format!("/var/tmp/wardroom-{}", *crate::fake::NODE));
    let left: Vec<_> = scratch.into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn other_processes_are_neither_seen_nor_signalled() {
    let mut prison = Prison::new().await;
    let mut victim = crate::machine::sleeper();
    prison.refused("hostile", "kill", &victim.id().to_string()).await;
    prison.refused("hostile", "kill", &prison.machine.pid().to_string()).await;
    let said = prison.said("hostile", "processes", "").await;
    // Itself and the namespace's first process.
    assert_eq!(said, "2 seen\n2 answer\n");
    assert!(victim.try_wait().unwrap().is_none() && prison.machine.is_running());
    victim.kill().unwrap();
    victim.wait().unwrap();
}

#[tokio::test]
async fn nothing_is_inherited() {
    let mut prison = Prison::new().await;
    let said = prison.said("hostile", "environment", "").await;
    let mut names: Vec<&str> = said.lines().map(|line| line.split('"').nth(1).unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, ["HOME", "LANG", "PATH", "TMPDIR"]);
    assert_eq!(prison.said("hostile", "descriptors", "").await, "0\n1\n2\n");
    let status = prison.said("hostile", "status", "").await;
    let line = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(&format!("{name}:")));
        line.unwrap().split_whitespace().collect::<Vec<_>>()
    };
    assert_eq!((line("NoNewPrivs"), line("Seccomp")), (vec!["1"], vec!["2"]));
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert_eq!(line(set), ["0000000000000000"], "{set}");
    }
    let own = fs::metadata("/proc/self").unwrap().uid();
    assert!(line("Uid").iter().all(|uid| *uid != "0") && (own != 0 || line("Groups").is_empty()));
}

#[tokio::test]
async fn a_secret_reaches_the_program_and_no_argument() {
    let mut prison = Prison::new().await;
    let run = run(1);
    prison.conn.offer(&run, 1, "trusted", json!({"token": "s3cret value"})).await;
    let followed = prison.conn.follow(&run).await;
    let said = String::from_utf8(followed.bytes(Stream::Stdout)).unwrap();
    assert!(said.contains(r#"("API_TOKEN", "s3cret value")"#), "{said}");
}

#[tokio::test]
async fn dangerous_calls_are_refused() {
    let mut prison = Prison::new().await;
    let said = prison.said("hostile", "calls", "").await;
    assert_eq!(said.lines().count(), 20, "{said}");
    for line in said.lines() {
        // EPERM from the filter itself, not because an argument was wrong; ENOSYS for clone3.
        let refused = line.ends_with(" refused 1") || line == "clone3 refused 38";
        assert!(refused, "{line}");
    }
}

#[tokio::test]
async fn each_limit_holds() {
    let mut prison = Prison::new().await;
    let spun = prison.attack("bounded", "spin", "").await;
    assert_eq!(spun.end(), &EndShape::Limit { limit: "cpu".into() });
    assert!((900..3000).contains(&spun.finished.as_ref().unwrap().1.cpu_ms), "{spun:?}");
    let number = |said: String| said.trim().rsplit(' ').next().unwrap().parse::<u32>().unwrap();
    let mebibytes = number(prison.said("bounded", "hog", "").await);
    assert!((16..96).contains(&mebibytes), "{mebibytes} MiB");
    let processes = number(prison.said("bounded", "fork", "").await);
    assert!((4..=12).contains(&processes), "{processes} processes");
    let files = number(prison.said("bounded", "open", "").await);
    assert!((20..=40).contains(&files), "{files} files");
    let grown = prison.attack("bounded", "grow", "").await;
    assert_eq!(grown.end(), &EndShape::Signalled { signal: libc::SIGXFSZ });
    let flood = prison.attack("bounded", "bytes", "100000").await;
    assert_eq!(flood.end(), &EndShape::Limit { limit: "output".into() });
    assert_eq!(flood.finished.as_ref().unwrap().1.output_bytes, 64 * 1024);
    until_dead(&prison.path("hostile")).await;
}

#[tokio::test]
async fn nothing_outlives_its_run() {
    outlive(Prison::new().await).await;
}

#[tokio::test]
async fn nothing_outlives_its_run_where_there_are_no_namespaces_either() {
    let mut prison = Prison::without_namespaces().await;
    let demanding = prison.attack("demanding", "read", "/etc/passwd").await;
    assert!(demanding.finished.is_none(), "it demands a process namespace: {demanding:?}");
    outlive(prison).await;
}

async fn outlive(mut prison: Prison) {
    let program = prison.path("hostile");
    // At its own end.
    assert_eq!(prison.said("hostile", "flee", "").await, "fled\n");
    assert!(!alive(&program), "a process outlived the program's own end");
    // When it is cancelled, whatever it does about signals.
    let run = prison.begin("hostile", "stay", "").await;
    prison.conn.until(|frame| matches!(frame, NodeFrame::Output { .. }).then_some(())).await;
    assert!(alive(&program));
    prison.conn.say(&OrchestratorFrame::Cancel { run: run.clone(), fence: 1 }).await;
    let end = prison
        .conn
        .until(|frame| match frame {
            NodeFrame::Finished { result, .. } => Some(result.end),
            _ => None,
        })
        .await;
    assert_eq!(end, EndShape::Cancelled);
    assert!(!alive(&program), "a process outlived its cancellation");
    // When the daemon itself is killed.
    prison.begin("hostile", "stay", "").await;
    prison.conn.until(|frame| matches!(frame, NodeFrame::Output { .. }).then_some(())).await;
    prison.machine.kill();
    until_dead(&program).await;
}

/// The process that launchers are forked from: the daemon's only child.
fn forker(daemon: u32) -> rustix::process::Pid {
    let parent = |pid: &i32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1)?.parse().ok())
    };
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let mut pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let child = pids.find(|pid| parent(pid) == Some(daemon)).expect("the daemon has a child");
    rustix::process::Pid::from_raw(child).unwrap()
}

#[tokio::test]
async fn when_the_parent_of_launchers_is_killed_its_runs_end_and_the_next_one_has_another() {
    let mut prison = Prison::new().await;
    let program = prison.path("hostile");
    prison.begin("hostile", "stay", "").await;
    prison.conn.until(|frame| matches!(frame, NodeFrame::Output { .. }).then_some(())).await;
    let first = forker(prison.machine.pid());
    rustix::process::kill_process(first, rustix::process::Signal::KILL).unwrap();
    let end = prison
        .conn
        .until(|frame| match frame {
            NodeFrame::Finished { result, .. } => Some(result.end),
            _ => None,
        })
        .await;
    assert_eq!(end, EndShape::Interrupted, "nobody knows what it did");
    until_dead(&program).await;
    prison.done("hostile", "write", "note").await;
    assert_ne!(forker(prison.machine.pid()), first);
}

#[tokio::test]
async fn every_byte_of_both_streams_arrives_in_order_within_bounded_memory() {
    let mut prison = Prison::new().await;
    let all: Vec<u8> = (0..=255).collect();
    let small = prison.attack("talkative", "bytes", "3").await;
    assert_eq!(small.bytes(Stream::Stdout), all.repeat(3));
    assert_eq!(small.bytes(Stream::Stderr), all.repeat(3));
    let peak = |pid: u32| -> u64 {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    };
    let before = peak(prison.machine.pid());
    let much = prison.attack("talkative", "bytes", "60000").await;
    assert_eq!(much.end(), &EndShape::Exited { code: 0 });
    for stream in [Stream::Stdout, Stream::Stderr] {
        assert!(much.bytes(stream) == all.repeat(60_000), "{stream:?} arrived altered");
    }
    // 30 MB passed through; what the daemon held of it at any time is a small part.
    let grown = peak(prison.machine.pid()) - before;
    assert!(grown < 12 * 1024, "the daemon grew by {grown} KiB");
}

#[tokio::test]
async fn a_pinned_program_runs_only_as_it_was_pinned() {
    let mut prison = Prison::new().await;
    prison.done("pinned", "read", "/etc/passwd").await;
    let refused = prison.attack("mispinned", "read", "/etc/passwd").await;
    assert_eq!(refused.end(), &EndShape::NotStarted);
    let message = refused.finished.as_ref().unwrap().1.message.clone().unwrap();
    assert!(message.contains("SHA-256") && refused.output.is_empty(), "{message}");
    // The file is exchanged behind the list's back.
    let program = prison.machine.path("hostile");
    fs::rename(&program, prison.machine.path("before")).unwrap();
    fs::write(&program, "#!/bin/sh\necho done\n").unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let refused = prison.attack("pinned", "read", "/etc/passwd").await;
    assert_eq!(refused.end(), &EndShape::NotStarted);
    assert!(refused.output.is_empty());
}

#[tokio::test]
async fn an_ordinary_users_daemon_confines_as_well_and_says_what_it_lacks() {
    let mut prison = Prison::of_an_ordinary_user().await;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    prison.refused("hostile", "connect", &listener.local_addr().unwrap().to_string()).await;
    let outside = prison.path("open/file");
    prison.refused("hostile", "read", &outside).await;
    prison.refused("hostile", "write", &outside).await;
    prison.refused("hostile", "read", &prison.path("data/key")).await;
    prison.refused("hostile", "list", &prison.path("data")).await;
    let pid = prison.machine.pid().to_string();
    prison.refused("hostile", "kill", &pid).await;
    prison.done("hostile", "write", "note").await;
    assert_eq!(prison.said("hostile", "processes", "").await, "2 seen\n2 answer\n");
    // It can't become another user: a command that demands one is not run.
    let demanding = prison.attack("demanding", "write", "note").await;
    let why = match &demanding.refused {
        Some((code, message)) => format!("{code}: {message}"),
        None => demanding.finished.as_ref().unwrap().1.message.clone().unwrap_or_default(),
    };
    assert!(why.contains("own_user") && demanding.output.is_empty(), "{demanding:?}");
}

#[tokio::test]
async fn a_command_that_demands_what_is_enforced_runs() {
    let mut prison = Prison::new().await;
    let tried = prison.attack("demanding", "write", "note").await;
    // Only root can become another user.
    let root = fs::metadata("/proc/self").unwrap().uid() == 0;
    assert_eq!(tried.refused.is_none(), root, "{tried:?}");
    assert_eq!(tried.bytes(Stream::Stdout) == b"done\n", root, "{tried:?}");
}
