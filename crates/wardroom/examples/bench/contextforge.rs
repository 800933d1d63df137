//! The same calls through another gateway, IBM ContextForge, as it comes: with SQLite, one worker for each core, sign-in
//! by token, without TLS and with its limits off.

use crate::process::command;
use anyhow::{Context as _, ensure};
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};
use std::{
    fs::File,
    net::TcpListener,
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// How long it may take until it is ready.
const START_TIME_MAX: Duration = Duration::from_secs(120);
const ACCOUNT: &str = "admin@example.com";
const KEY: &str = "a-key-that-signs-tokens-of-a-measurement";

/// It, running until it is let go of.
pub(crate) struct ContextForge {
    child: Child,
    url: String,
    token: String,
    client: reqwest::Client,
    _folder: TempDir,
}

impl ContextForge {
    /// Starts `program`, its `mcpgateway`, with the tool server at `url` behind it.
    pub(crate) async fn start(program: &Path, url: &str) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut starting = set_up(program, folder.path());
        let workers = std::thread::available_parallelism()?.to_string();
        starting.args(["--host", "127.0.0.1", "--port", &port.to_string(), "--workers", &workers]);
        let log = File::create(folder.path().join("log"))?;
        // Its workers are processes of their own: they go with their group.
        let child = starting.stderr(log).process_group(0).spawn().context("it can't be started")?;
        let mut own = Self {
            child,
            url: format!("http://127.0.0.1:{port}"),
            token: token(program, folder.path())?,
            client: reqwest::Client::new(),
            _folder: folder,
        };
        own.ready().await?;
        let body = json!({"name": "bench", "url": url, "transport": "STREAMABLEHTTP"});
        let adding = own.client.post(format!("{}/gateways", own.url)).bearer_auth(&own.token);
        let added = adding.json(&body).send().await?;
        ensure!(added.status().is_success(), "it took no tool server: {}", added.text().await?);
        Ok(own)
    }

    async fn ready(&mut self) -> anyhow::Result<()> {
        let last = Instant::now() + START_TIME_MAX;
        loop {
            let asked = self.client.get(format!("{}/health", self.url)).send().await;
            if asked.is_ok_and(|answer| answer.status().is_success()) {
                return Ok(());
            }
            ensure!(self.child.try_wait()?.is_none(), "ContextForge ended by itself");
            ensure!(Instant::now() < last, "ContextForge was not ready in {START_TIME_MAX:?}");
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }

    /// A call as its own documentation makes it, over one more connection.
    pub(crate) fn caller(&self) -> impl Fn() -> reqwest::RequestBuilder + Send + Sync + 'static {
        let (client, url) = (reqwest::Client::new(), format!("{}/mcp/", self.url));
        let token = self.token.clone();
        let params = json!({"name": "bench-echo", "arguments": {"text": "brine"}});
        let body: Value =
            json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
        move || {
            let request = client.post(&url).bearer_auth(&token).json(&body);
            request.header("accept", "application/json, text/event-stream")
        }
    }
}

impl Drop for ContextForge {
    fn drop(&mut self) {
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        let _ = self.child.wait();
    }
}

fn set_up(program: &Path, folder: &Path) -> Command {
    let mut command = command(program);
    command.current_dir(folder).envs([
        ("JWT_SECRET_KEY", KEY),
        ("AUTH_ENCRYPTION_SECRET", KEY),
        ("AUTH_REQUIRED", "true"),
        ("BASIC_AUTH_PASSWORD", KEY),
        ("PLATFORM_ADMIN_EMAIL", ACCOUNT),
        ("PLATFORM_ADMIN_PASSWORD", KEY),
        ("MCPGATEWAY_UI_ENABLED", "false"),
        ("SSRF_ALLOW_LOCALHOST", "true"),
        ("RATE_LIMITING_ENABLED", "false"),
        ("TOOL_RATE_LIMIT", "1000000"),
        ("LOG_LEVEL", "ERROR"),
    ]);
    command.env("DATABASE_URL", format!("sqlite:///{}/bench.db", folder.display()));
    command
}

/// A token, made by its own tool, which stands beside it.
fn token(program: &Path, folder: &Path) -> anyhow::Result<String> {
    let python = program.parent().context("the program stands in no folder")?.join("python");
    let mut making = set_up(&python, folder);
    making.args(["-m", "mcpgateway.utils.create_jwt_token", "--admin", "--exp", "600"]);
    making.args(["--username", ACCOUNT, "--secret", KEY]);
    let made = making.stdout(Stdio::piped()).output()?;
    let text = String::from_utf8(made.stdout)?;
    let token = text.lines().last().filter(|_| made.status.success());
    token.map(str::to_owned).context("ContextForge made no token")
}
