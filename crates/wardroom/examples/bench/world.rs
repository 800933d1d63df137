//! An installation of the real programs on loopback, with a client over TLS.

use crate::process::{Process, Resident, command, program};
use anyhow::{Context as _, bail, ensure};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::{
    fs,
    path::PathBuf,
    process::Stdio,
    time::{Duration, Instant},
};

use wardroom_core::{Action, Clock as _};
use wardroom_trust::{ambient::SystemClock, totp::Totp};

/// How long anything may take before the measuring gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// The name of the one real node.
pub(crate) const NODE: &str = "local";
/// A running installation in a folder of its own.
pub(crate) struct World {
    folder: tempfile::TempDir,
    pub(crate) url: String,
    pub(crate) authority: Vec<u8>,
    pub(crate) client: reqwest::Client,
    token: String,
    orchestrator: Option<Process>,
    node: Option<Process>,
    node_id: Option<String>,
    settings: Vec<String>,
}

impl World {
    /// A new installation on SQLite, signed in, without a node.
    pub(crate) async fn new() -> anyhow::Result<Self> {
        Self::with(&[]).await
    }

    /// The same with further settings, `name=value`.
    pub(crate) async fn with(settings: &[&str]) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("wardroom-bench-").tempdir()?;
        let data = folder.path().join("data");
        let made = command(&program("wardroom")?).arg("init").arg("--data").arg(data).status()?;
        ensure!(made.success(), "wardroom init failed");
        let mut world = Self {
            folder,
            url: String::new(),
            authority: vec![],
            client: reqwest::Client::new(),
            token: String::new(),
            orchestrator: None,
            node: None,
            node_id: None,
            settings: settings.iter().map(|setting| (*setting).to_owned()).collect(),
        };
        world.start().await?;
        world.sign_in().await?;
        Ok(world)
    }

    /// Starts the orchestrator; says how long it took from the start of the process to its ready file.
    pub(crate) async fn start(&mut self) -> anyhow::Result<Duration> {
        let ready = self.folder.path().join("ready.json");
        let _ = fs::remove_file(&ready);
        let mut up = command(&program("wardroom")?);
        // What is measured is not what one party is allowed.
        up.args(["up", "--set", "rate_limit_address_per_minute=0"]);
        up.args(["--set", "rate_limit_principal_per_minute=0"]);
        up.args(self.settings.iter().flat_map(|setting| ["--set", setting]));
        up.args(["--without-node", "--listen", "127.0.0.1:0", "--data"])
            .arg(self.folder.path().join("data"))
            .arg("--ready-file")
            .arg(&ready);
        let begun = Instant::now();
        let log = self.folder.path().join("orchestrator.log");
        let mut process = Process::start(&mut up, &log)?;
        let text = loop {
            // Written and then named, or written in place: only whole JSON counts.
            let text = fs::read(&ready).unwrap_or_default();
            if let Ok(text) = serde_json::from_slice::<Value>(&text) {
                break text;
            }
            process.check().with_context(|| fs::read_to_string(&log).unwrap_or_default())?;
            ensure!(begun.elapsed() < PATIENCE, "the orchestrator was never ready");
            tokio::time::sleep(Duration::from_millis(1)).await;
        };
        let took = begun.elapsed();
        self.orchestrator = Some(process);
        let field = |name: &str| text.get(name).and_then(Value::as_str).context("an empty field");
        self.url = field("url")?.to_owned();
        self.authority = fs::read(field("ca_file")?)?;
        let tls = wardroom_trust::tls::client_config(&self.authority)?;
        self.client = reqwest::Client::builder().tls_backend_preconfigured(tls).build()?;
        Ok(took)
    }

    /// Stops the orchestrator as an administrator would.
    pub(crate) fn stop(&mut self) -> anyhow::Result<()> {
        self.orchestrator.take().context("there is no orchestrator")?.stop()
    }

    async fn sign_in(&mut self) -> anyhow::Result<()> {
        let password = fs::read_to_string(self.folder.path().join("data/admin-password"))?;
        let body = json!({"name": "admin", "password": password.trim(), "client": "bench"});
        let answer: Value = self.post("/api/v1/login", &body).await?;
        let token = answer.get("access_token").and_then(Value::as_str);
        self.token = token.context("the sign-in gave no token")?.to_owned();
        // What a first administrator has to do before anything else.
        let own = json!({"current": password.trim(), "new": "Brine-harbour 7 lanterns"});
        let changed = self.client.post(format!("{}/api/v1/account/password", self.url)).json(&own);
        let changed = changed.bearer_auth(&self.token).send().await?;
        ensure!(changed.status().is_success(), "the password was not taken: {}", changed.status());
        let made: Value =
            self.post("/api/v1/account/factors/totp", &json!({"name": "bench"})).await?;
        let text = |name: &str| made.get(name).and_then(Value::as_str).context("an empty field");
        let totp = Totp::parse(text("secret")?).context("the secret can't be read")?;
        let path = format!("/api/v1/account/factors/{}/confirm", text("id")?);
        let code = json!({"code": totp.code(SystemClock.now())});
        let _: Value = self.post(&path, &code).await?;
        // A benchmark may go on for longer than an access token does.
        let scopes: Vec<&str> = Action::ALL.iter().map(|action| action.as_str()).collect();
        let wanted = json!({"name": "bench", "expires_in": 7200, "scopes": scopes});
        let made: Value = self.post("/api/v1/tokens", &wanted).await?;
        let secret = made.get("secret").and_then(Value::as_str);
        self.token = secret.context("there is no token")?.to_owned();
        Ok(())
    }

    /// Enrols the real node and starts it, as anybody would.
    pub(crate) async fn join(&mut self) -> anyhow::Result<()> {
        let program = program("wardroom-node")?;
        let list = self.folder.path().join("commands.toml");
        let sample = command(&program).arg("sample").stdout(Stdio::piped()).output()?;
        fs::write(&list, sample.stdout)?;
        let secret = self.join_token().await?;
        let joined = command(&program)
            .args(["join", "--server", &self.url, "--token", &secret, "--name", NODE, "--data"])
            .arg(self.node_data())
            .arg("--commands")
            .arg(&list)
            .status()?;
        ensure!(joined.success(), "the node could not be enrolled");
        let mut run = command(&program);
        run.arg("run").arg("--data").arg(self.node_data());
        self.node = Some(Process::start(&mut run, &self.folder.path().join("node.log"))?);
        let begun = Instant::now();
        loop {
            let node: Value = self.get("/api/v1/nodes/local").await?;
            self.node_id = node.get("id").and_then(Value::as_str).map(str::to_owned);
            let offers = node.get("commands").and_then(Value::as_u64).unwrap_or(0);
            let state = node.get("state").and_then(Value::as_str);
            let reported = node.get("report").is_some_and(|report| !report.is_null());
            if offers > 0 && reported && state == Some("online") {
                return Ok(());
            }
            ensure!(begun.elapsed() < PATIENCE, "the node never came online");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// A fresh join token's secret.
    pub(crate) async fn join_token(&self) -> anyhow::Result<String> {
        let token: Value = self.post("/api/v1/join-tokens", &json!({})).await?;
        let secret = token.get("secret").and_then(Value::as_str);
        Ok(secret.context("a join token without a secret")?.to_owned())
    }

    /// Submits a run without parameters; gives its id.
    pub(crate) async fn submit(&self, name: &str) -> anyhow::Result<String> {
        let body = json!({"command": name, "node": NODE});
        let run: Value = self.post("/api/v1/runs", &body).await?;
        Ok(run.get("id").and_then(Value::as_str).context("a run without an id")?.to_owned())
    }

    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        let url = format!("{}{path}", self.url);
        read(self.client.get(url).bearer_auth(&self.token)).await
    }

    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl serde::Serialize,
    ) -> anyhow::Result<T> {
        let request = self.client.post(format!("{}{path}", self.url)).json(body);
        let known = !self.token.is_empty() && path.starts_with("/api/");
        read(if known { request.bearer_auth(&self.token) } else { request }).await
    }

    /// Where a path is.
    pub(crate) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// The administrator's token.
    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// A client with connections of its own.
    pub(crate) fn another_client(&self) -> anyhow::Result<reqwest::Client> {
        let tls = wardroom_trust::tls::client_config(&self.authority)?;
        Ok(reqwest::Client::builder().tls_backend_preconfigured(tls).build()?)
    }

    /// Makes customers out of a table.
    pub(crate) async fn import(&self, table: String) -> anyhow::Result<()> {
        let url = self.at("/api/v1/customers/import");
        let request = self.client.post(url).header("content-type", "text/csv").body(table);
        let report: Value = read(request.bearer_auth(&self.token)).await?;
        ensure!(
            report.get("problems").and_then(Value::as_array).is_none_or(Vec::is_empty),
            "{report}"
        );
        Ok(())
    }

    /// Resident memory of the orchestrator.
    pub(crate) fn resident(&self) -> anyhow::Result<Resident> {
        self.orchestrator.as_ref().context("there is no orchestrator")?.resident()
    }

    /// Resident memory of the node.
    pub(crate) fn node_resident(&self) -> anyhow::Result<Resident> {
        self.node.as_ref().context("there is no node")?.resident()
    }

    /// Stops the node.
    pub(crate) fn stop_node(&mut self) -> anyhow::Result<()> {
        self.node.take().context("there is no node")?.stop()
    }

    fn node_data(&self) -> PathBuf {
        self.folder.path().join("node")
    }
}

impl Drop for World {
    fn drop(&mut self) {
        drop(self.node.take());
        drop(self.orchestrator.take());
        if let Some(id) = &self.node_id {
            // Where a daemon of root's has the folders of its commands.
            let _ = fs::remove_dir_all(format!("/var/tmp/wardroom-{id}"));
        }
    }
}

async fn read<T: DeserializeOwned>(request: reqwest::RequestBuilder) -> anyhow::Result<T> {
    let answer = request.send().await?;
    let status = answer.status();
    let bytes = answer.bytes().await?;
    if !status.is_success() {
        bail!("{status}: {}", String::from_utf8_lossy(&bytes));
    }
    Ok(serde_json::from_slice(&bytes)?)
}
