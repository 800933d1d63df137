//! A machine with the real daemon on it: folders, an allow-list with a counting program, the process.

use crate::fake::{Fake, PATIENCE};
use std::{
    collections::BTreeMap,
    fs,
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

pub struct Machine {
    pub folder: tempfile::TempDir,
    child: Option<Child>,
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("the daemon said:\n{}", self.logged());
        }
    }
}

impl Machine {
    /// Folders and an allow-list; nothing is enrolled or started.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Commands run as another user where the tests are root: the way must be open to it.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let machine = Self { folder, child: None };
        let log = machine.path("counted");
        fs::create_dir(&log).unwrap();
        fs::set_permissions(&log, fs::Permissions::from_mode(0o777)).unwrap();
        // One line per execution: what a program did twice shows.
        machine.program(
            "count",
            &format!("echo \"$1\" >> {}/log\nsleep \"$2\"\necho counted \"$1\"", log.display()),
        );
        machine.program("both", "printf 'out\\000\\377'; printf 'err\\n' >&2");
        machine.program("flood", "head -c \"$1\" /dev/zero");
        machine.write_list(&machine.list());
        machine
    }

    /// Enrolled with `fake`, not started.
    pub async fn joined(fake: &Fake) -> Self {
        let machine = Self::new();
        let output = machine.join(&fake.url, &fake.token()).await;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        machine
    }

    /// Enrolled and started.
    pub async fn running(fake: &Fake) -> Self {
        let mut machine = Self::joined(fake).await;
        machine.start(&[]);
        machine
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A program of the machine's own.
    pub fn program(&self, name: &str, script: &str) {
        let path = self.path(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    pub fn write_list(&self, text: &str) {
        // As an editor does: a new file takes the old one's place.
        let new = self.path("commands.new");
        fs::write(&new, text).unwrap();
        fs::set_permissions(&new, fs::Permissions::from_mode(0o644)).unwrap();
        fs::rename(new, self.path("commands.toml")).unwrap();
    }

    /// The allow-list that tests use.
    pub fn list(&self) -> String {
        let folder = self.folder.path().display();
        format!(
            r#"
[[command]]
name = "ping"
description = "Answers"
builtin = "ping"
idempotent = true

[[command]]
name = "count"
description = "Counts its executions"
program = "{folder}/count"
arguments = ["{{tag}}", "{{seconds}}"]
parameters = [
  {{ name = "tag", type = "string", pattern = "[a-z0-9_]+", bytes_max = 64 }},
  {{ name = "seconds", type = "string", pattern = "[0-9.]+", bytes_max = 8, default = "0" }},
]
[command.sandbox]
read = ["{folder}"]
write = ["{folder}/counted"]

[[command]]
name = "both"
description = "Writes bytes to both streams"
program = "{folder}/both"
idempotent = true

[[command]]
name = "flood"
description = "Writes many bytes"
program = "{folder}/flood"
arguments = ["{{bytes}}"]
parameters = [ {{ name = "bytes", type = "integer", min = 0, max = 100000000 }} ]
[command.limits]
output_kib = 16384
"#
        )
    }

    /// How often each tag was executed.
    pub fn counted(&self) -> BTreeMap<String, u32> {
        let mut counts = BTreeMap::new();
        for line in fs::read_to_string(self.path("counted/log")).unwrap_or_default().lines() {
            *counts.entry(line.to_owned()).or_default() += 1;
        }
        counts
    }

    pub async fn join(&self, server: &str, token: &str) -> Output {
        let commands = self.path("commands.toml").display().to_string();
        self.tool(&[
            "join",
            "--server",
            server,
            "--token",
            token,
            "--data",
            &self.data(),
            "--commands",
            &commands,
            "--name",
            "north",
        ])
        .await
    }

    pub fn data(&self) -> String {
        self.path("data").display().to_string()
    }

    /// Runs the binary to its end, beside the test's own runtime.
    pub async fn tool(&self, args: &[&str]) -> Output {
        let mut command = binary();
        command.args(args).current_dir(self.folder.path());
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
    }

    /// Starts the daemon.
    pub fn start(&mut self, args: &[&str]) {
        assert!(self.child.is_none());
        let errors =
            fs::OpenOptions::new().create(true).append(true).open(self.path("stderr")).unwrap();
        let child = binary()
            .args(["run", "--data", &self.data()])
            .args(args)
            .stdout(Stdio::null())
            .stderr(errors)
            .spawn();
        self.child = Some(child.unwrap());
    }

    /// Starts the daemon as a user without any power, where the tests themselves have some.
    pub fn start_as_nobody(&mut self) {
        const NOBODY: u32 = 65_534;
        if !rustix::process::geteuid().is_root() {
            return self.start(&[]);
        }
        give_away(self.folder.path(), NOBODY);
        let errors = fs::File::create(self.path("stderr")).unwrap();
        let mut command = binary();
        command.uid(NOBODY).gid(NOBODY).current_dir(self.folder.path());
        let child = command
            .args(["run", "--data", &self.data()])
            .stdout(Stdio::null())
            .stderr(errors)
            .spawn();
        self.child = Some(child.unwrap());
    }

    /// Starts the daemon where nobody may make namespaces.
    pub fn start_without_namespaces(&mut self, hostile: &Path) {
        let errors = fs::File::create(self.path("stderr")).unwrap();
        let mut command = command(hostile);
        let child = command
            .arg("confine")
            .arg(env!("CARGO_BIN_EXE_wardroom-node"))
            .args(["run", "--data", &self.data()])
            .stdout(Stdio::null())
            .stderr(errors)
            .spawn();
        self.child = Some(child.unwrap());
    }

    pub fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// SIGKILL: no last word, no flush.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    pub fn terminate(&self) {
        let pid = rustix::process::Pid::from_raw(self.pid().try_into().unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    }

    /// Waits until the daemon has ended; gives its exit code.
    pub async fn ended(&mut self) -> Option<i32> {
        let mut child = self.child.take().unwrap();
        let wait = tokio::task::spawn_blocking(move || {
            let until = Instant::now() + PATIENCE;
            loop {
                if let Some(status) = child.try_wait().unwrap() {
                    return status.code();
                }
                if Instant::now() > until {
                    let _ = child.kill();
                    let _ = child.wait();
                    panic!("the daemon does not end");
                }
                std::thread::sleep(Duration::from_millis(10));
            }
        });
        wait.await.unwrap()
    }

    pub fn is_running(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| child.try_wait().unwrap().is_none())
    }

    /// What the daemon has logged so far.
    pub fn logged(&self) -> String {
        fs::read_to_string(self.path("stderr")).unwrap_or_default()
    }
}

fn give_away(path: &Path, user: u32) {
    std::os::unix::fs::lchown(path, Some(user), Some(user)).unwrap();
    if path.is_dir() && !path.is_symlink() {
        for entry in fs::read_dir(path).unwrap() {
            give_away(&entry.unwrap().path(), user);
        }
    }
}

/// A process of the user whom commands run as, beside them.
#[expect(clippy::disallowed_methods, reason = "a process to be attacked")]
pub fn sleeper() -> Child {
    let mut command = Command::new("/usr/bin/sleep");
    command.arg("600").stdin(Stdio::null());
    if rustix::process::geteuid().is_root() {
        command.uid(65_534).gid(65_534);
    }
    command.spawn().unwrap()
}

#[expect(clippy::disallowed_methods, reason = "the tests start the daemon that they test")]
fn command(program: impl AsRef<Path>) -> Command {
    let mut command = Command::new(program.as_ref());
    command.stdin(Stdio::null()).env_clear();
    command
}

fn binary() -> Command {
    command(env!("CARGO_BIN_EXE_wardroom-node"))
}
