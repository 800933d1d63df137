//! The programs as processes: found beside this one, started, measured, stopped by their id.

use anyhow::{Context as _, ensure};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// The release program of this name: the folder above `examples`.
pub(crate) fn program(name: &str) -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe().context("this program's own path is not known")?;
    let folder = own.parent().and_then(Path::parent).context("this program stands in no folder")?;
    let path = folder.join(name);
    ensure!(
        path.is_file(),
        "{} is missing: cargo build --release --locked -p wardroom -p wardroom-node",
        path.display()
    );
    Ok(path)
}

/// A command without input and output.
#[expect(clippy::disallowed_methods, reason = "the real programs are what is measured")]
pub(crate) fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// A process that does not outlive its owner.
pub(crate) struct Process(Child);

impl Process {
    /// Starts it, its words going to `log`.
    pub(crate) fn start(command: &mut Command, log: &Path) -> anyhow::Result<Self> {
        let log = fs::File::create(log).with_context(|| log.display().to_string())?;
        let child = command.stderr(log).spawn().context("a program can't be started")?;
        Ok(Self(child))
    }

    /// Fails when it ended by itself.
    pub(crate) fn check(&mut self) -> anyhow::Result<()> {
        match self.0.try_wait()? {
            None => Ok(()),
            Some(status) => anyhow::bail!("a program ended by itself: {status}"),
        }
    }

    /// Resident memory now and at its highest, in bytes.
    pub(crate) fn resident(&self) -> anyhow::Result<Resident> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0.id()))?;
        let field = |name: &str| {
            status
                .lines()
                .find_map(|line| line.strip_prefix(name))
                .and_then(|rest| rest.trim_start_matches(':').trim().strip_suffix(" kB"))
                .and_then(|number| number.trim().parse::<u64>().ok())
                .map(|number| number * 1024)
                .with_context(|| format!("/proc says no {name}"))
        };
        Ok(Resident { now: field("VmRSS")?, peak: field("VmHWM")? })
    }

    /// Asks it to stop and waits until it has.
    pub(crate) fn stop(mut self) -> anyhow::Result<()> {
        let id = i32::try_from(self.0.id()).ok().and_then(rustix::process::Pid::from_raw);
        let id = id.context("a process without an id")?;
        rustix::process::kill_process(id, rustix::process::Signal::TERM)?;
        self.0.wait()?;
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Resident memory, in bytes.
#[derive(Clone, Copy)]
pub(crate) struct Resident {
    pub(crate) now: u64,
    pub(crate) peak: u64,
}

/// Raises the limit of open files as far as it goes, for this process and what it starts.
pub(crate) fn raise_files() -> Option<u64> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    getrlimit(Resource::Nofile).current
}
