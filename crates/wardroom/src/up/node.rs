//! The node daemon beside the orchestrator: the only process that this program ever starts.

use crate::serve::Running;
use anyhow::{Context as _, anyhow, bail};
use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};
use tokio::process::{Child, Command};
use wardroom_core::{Clock as _, JoinTokenId, Origin, Principal, audit::AuditDraft};
use wardroom_trust::{
    ambient::{SystemClock, SystemRng},
    secret::JoinSecret,
};

/// How long a join token for the node beside us is good for.
const JOIN_TTL: Duration = Duration::from_secs(120);
/// The time that the daemon gets to stop by itself.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// A running daemon.
pub(super) struct NodeProcess {
    child: Child,
    binary: PathBuf,
}

impl NodeProcess {
    /// Enrols the node if it is not, then starts it.
    pub(super) async fn start(
        binary: &Path,
        data: &Path,
        running: &Running,
    ) -> anyhow::Result<Self> {
        if !data.join("node.json").exists() {
            join(binary, data, running).await?;
        }
        let child = command(binary)
            .arg("run")
            .arg("--data")
            .arg(data)
            .spawn()
            .with_context(|| format!("{} can't be started", binary.display()))?;
        Ok(Self { child, binary: binary.to_owned() })
    }

    pub(super) fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Waits until the daemon ends, which it should not.
    pub(super) async fn ended(&mut self) -> anyhow::Error {
        match self.child.wait().await {
            Ok(status) => anyhow!("the node daemon {} ended: {status}", self.binary.display()),
            Err(error) => anyhow::Error::new(error).context("the node daemon can't be watched"),
        }
    }

    /// Stops it: politely first.
    pub(super) async fn stop(mut self) {
        let pid = self
            .child
            .id()
            .and_then(|pid| i32::try_from(pid).ok())
            .and_then(rustix::process::Pid::from_raw);
        if let Some(pid) = pid {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        if tokio::time::timeout(STOP_TIMEOUT, self.child.wait()).await.is_err() {
            let _ = self.child.kill().await;
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "`up` starts the node daemon beside itself, and nothing else"
)]
fn command(binary: &Path) -> Command {
    let mut command = Command::new(binary);
    command.stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// Enrols the node with a real join token.
async fn join(binary: &Path, data: &Path, running: &Running) -> anyhow::Result<()> {
    use secrecy::ExposeSecret as _;
    use tokio::io::AsyncWriteExt as _;
    let now = SystemClock.now();
    let id = JoinTokenId::new(now, &SystemRng);
    let secret = JoinSecret::generate(id, running.fingerprint, &SystemRng);
    let audit = AuditDraft::event("join_token.create", &Principal::System, &Origin::CONSOLE, now);
    let labels = [("local".to_owned(), "true".to_owned())].into();
    running
        .engine
        .create_join_token(id, secret.hash(), labels, JOIN_TTL, &Principal::System, audit)
        .await?;
    let commands = sample(binary, data).await?;
    let mut child = command(binary)
        .arg("join")
        .args(["--server", &running.nodes_url, "--token-stdin", "--name", "local", "--data"])
        .arg(data)
        .arg("--commands")
        .arg(&commands)
        // SECURITY: by a pipe, since other users of the machine can read arguments.
        .stdin(Stdio::piped())
        .spawn()
        .with_context(|| format!("{} can't be started", binary.display()))?;
    if let Some(mut input) = child.stdin.take() {
        input.write_all(secret.expose().expose_secret().as_bytes()).await?;
    }
    let status = child.wait().await?;
    if !status.success() {
        bail!("the node could not be enrolled: {} join ended with {status}", binary.display());
    }
    Ok(())
}

/// The sample allow-list, beside the node's data.
async fn sample(binary: &Path, data: &Path) -> anyhow::Result<PathBuf> {
    let folder = data.parent().context("the node's data folder has no parent")?;
    let file = folder.join("commands.toml");
    if !file.exists() {
        let output = command(binary).arg("sample").output().await?;
        if !output.status.success() {
            bail!("{} sample ended with {}", binary.display(), output.status);
        }
        crate::serve::installation::write_private(&file, &output.stdout, 0o644)?;
    }
    Ok(file)
}
