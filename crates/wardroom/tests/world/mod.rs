//! The real programs on loopback: orchestrator and node as processes, a client over TLS.
#![allow(dead_code, reason = "each test file uses its own part")]

pub mod model_provider;
pub mod tool_server;
mod tools;

use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Mutex,
    time::{Duration, Instant},
};
use wardroom_core::{Clock as _, Role};
use wardroom_trust::{ambient::SystemClock, totp::Totp};

/// The password that the administrator sets.
pub const PASSWORD: &str = "Brine-harbour 7 lanterns";

/// How long anything may take before a test gives up on it.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running installation in a folder of its own.
pub struct World {
    pub folder: tempfile::TempDir,
    pub url: String,
    pub token: String,
    recovery_codes: Mutex<Vec<String>>,
    pub client: reqwest::Client,
    orchestrator: Option<Child>,
    node: Option<Child>,
    pub args: Vec<String>,
}

/// A command that takes a secret and tells its hash.
const KEYED: &str = r#"
[[command]]
name = "keyed"
description = "Tells the hash of a secret"
program = "/usr/bin/sh"
arguments = ["-c", "printf %s \"$KEY\" | sha256sum"]
parameters = [
  { name = "key", type = "string", pattern = "[ -~]+", bytes_max = 99, secret = true, environment = "KEY" },
  { name = "plain", type = "string", pattern = "[a-z]*", bytes_max = 9, default = "", environment = "PLAIN" },
]
"#;

#[expect(clippy::disallowed_methods, reason = "the tests run the real programs")]
pub fn command(program: impl AsRef<Path>) -> Command {
    let mut command = Command::new(program.as_ref());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

pub fn wardroom() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_wardroom"))
}

/// The daemon's binary, which the workspace's build puts beside this one.
pub fn wardroom_node() -> PathBuf {
    let path = wardroom().with_file_name("wardroom-node");
    assert!(path.is_file(), "build the whole workspace first: {} is missing", path.display());
    path
}

impl World {
    /// A new installation on SQLite, with the node beside it.
    pub async fn new() -> Self {
        Self::with(&[]).await
    }

    /// A new installation with further settings, `name=value`.
    pub async fn with(settings: &[String]) -> Self {
        // The client that stands in until the authority is known wants a provider.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let folder = tempfile::tempdir().expect("a folder");
        // The tests ask as fast as they can; those of the limits set their own.
        let unlimited = ["address", "principal"]
            .map(|party| format!("rate_limit_{party}_per_minute=0"))
            .into_iter()
            .filter(|own| {
                !settings.iter().any(|set| set.split('=').next() == own.split('=').next())
            });
        let settings: Vec<String> = unlimited.chain(settings.iter().cloned()).collect();
        let args =
            settings.iter().flat_map(|setting| ["--set".to_owned(), setting.clone()]).collect();
        let mut world = Self {
            folder,
            url: String::new(),
            token: String::new(),
            recovery_codes: Mutex::default(),
            client: reqwest::Client::new(),
            orchestrator: None,
            node: None,
            args,
        };
        let init = command(wardroom())
            .arg("init")
            .arg("--data")
            .arg(world.data())
            .args(&world.args)
            .status()
            .expect("it runs");
        assert!(init.success(), "a new installation");
        world.start("127.0.0.1:0").await;
        world.sign_in().await;
        world.join("local").await;
        world
    }

    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub fn node_data(&self) -> PathBuf {
        self.folder.path().join("node")
    }

    /// Starts the orchestrator and waits until it is ready.
    pub async fn start(&mut self, listen: &str) {
        let ready = self.folder.path().join("ready.json");
        let _ = fs::remove_file(&ready);
        let log = fs::File::create(self.folder.path().join("orchestrator.log")).expect("a log");
        let child = command(wardroom())
            .args(["up", "--without-node", "--listen", listen, "--data"])
            .arg(self.data())
            .arg("--ready-file")
            .arg(&ready)
            .args(&self.args)
            .stderr(log)
            .spawn()
            .expect("the orchestrator starts");
        self.orchestrator = Some(child);
        wait_for("the ready file", || async { ready.exists().then_some(()) }).await;
        let ready: Value =
            serde_json::from_slice(&fs::read(&ready).expect("it is there")).expect("it is JSON");
        self.url = ready["url"].as_str().expect("a url").to_owned();
        let pem = fs::read(ready["ca_file"].as_str().expect("a file")).expect("the authority");
        let tls = wardroom_trust::tls::client_config(&pem).expect("it is sound");
        self.client =
            reqwest::Client::builder().tls_backend_preconfigured(tls).build().expect("a client");
    }

    /// Another setting, from the next start on.
    pub fn set(&mut self, setting: &str) {
        self.args.extend(["--set".to_owned(), setting.to_owned()]);
    }

    /// The administrator's first password, which is good for nothing but setting an own one.
    pub fn first_password(&self) -> String {
        let password = fs::read_to_string(self.data().join("admin-password"));
        password.expect("the password").trim().to_owned()
    }

    /// What the administrator has to do first: an own password and a second factor.
    async fn sign_in(&mut self) {
        let first = self.first_password();
        let limited = self.login("admin", &first, None).await;
        assert_eq!(limited["standing"]["needs"], "set_password", "{limited}");
        self.token = limited["access_token"].as_str().expect("a token").to_owned();
        let own = json!({"current": first, "new": PASSWORD});
        self.post("/api/v1/account/password", own).await;
        let made = self.post("/api/v1/account/factors/totp", json!({"name": "test"})).await;
        let totp = Totp::parse(made["secret"].as_str().expect("a secret")).expect("it is sound");
        let id = made["id"].as_str().expect("an id");
        let code = totp.code(SystemClock.now());
        let path = format!("/api/v1/account/factors/{id}/confirm");
        let confirmed = self.post(&path, json!({"code": code})).await;
        assert_eq!(confirmed["standing"]["needs"], "open", "{confirmed}");
        let codes = confirmed["recovery_codes"].as_array().expect("codes").iter();
        self.recovery_codes =
            Mutex::new(codes.map(|code| code.as_str().expect("a text").to_owned()).collect());
    }

    /// The administrator's password.
    pub fn password(&self) -> String {
        PASSWORD.to_owned()
    }

    /// A recovery code of the administrator's; each is good once.
    pub fn recovery_code(&self) -> String {
        self.recovery_codes.lock().expect("no panic").pop().expect("one is left")
    }

    /// What signing in answers.
    pub async fn login(&self, name: &str, password: &str, code: Option<&str>) -> Value {
        let body = json!({"name": name, "password": password, "code": code, "client": "test"});
        let answer =
            self.client.post(self.at("/api/v1/login")).json(&body).send().await.expect("an answer");
        assert_eq!(answer.status(), 201);
        answer.json().await.expect("JSON")
    }

    /// An access token of an account, to which everything is open.
    pub async fn sign_in_as(&self, name: &str, password: &str) -> String {
        let code = (name == "admin").then(|| self.recovery_code());
        let answer = self.login(name, password, code.as_deref()).await;
        assert_eq!(answer["standing"]["needs"], "open", "{answer}");
        answer["access_token"].as_str().expect("a token").to_owned()
    }

    /// A new account, asked in and come. Gives its id.
    pub async fn add_account(&self, name: &str, role: Role, password: &str) -> String {
        let body = json!({"name": name, "role": role.as_str()});
        let made = self.post("/api/v1/users", body).await;
        let secret = made["link"]["secret"].as_str().unwrap_or_else(|| panic!("{made}"));
        let body = json!({"secret": secret, "password": password});
        let answer = self.client.post(self.at("/api/v1/links/redeem")).json(&body).send().await;
        assert_eq!(answer.expect("an answer").status(), 204);
        made["user"]["id"].as_str().expect("an id").to_owned()
    }

    /// Enrols a node with a real join token and starts it.
    pub async fn join(&mut self, name: &str) {
        let token = self.post("/api/v1/join-tokens", json!({"labels": {"site": "here"}})).await;
        let list = self.folder.path().join("commands.toml");
        let sample = command(wardroom_node())
            .arg("sample")
            .stdout(Stdio::piped())
            .output()
            .expect("it runs");
        let extra = format!(
            "\n[[command]]\nname = \"touch\"\ndescription = \"Leaves a trace each time it runs\"\nprogram = \"/usr/bin/mktemp\"\narguments = [\"{}/trace.XXXXXX\"]\nsandbox = {{ write = [\"{}\"] }}\n{KEYED}",
            self.traces().display(),
            self.traces().display()
        );
        fs::create_dir_all(self.traces()).expect("a folder");
        open_to_all(&self.traces());
        open_to_all(self.folder.path());
        fs::write(&list, [sample.stdout, extra.into_bytes()].concat()).expect("the allow-list");
        let joined = command(wardroom_node())
            .args([
                "join",
                "--server",
                &self.url,
                "--token",
                token["secret"].as_str().expect("a secret"),
                "--name",
                name,
            ])
            .arg("--data")
            .arg(self.node_data())
            .arg("--commands")
            .arg(&list)
            .status()
            .expect("it runs");
        assert!(joined.success(), "the node is enrolled");
        self.start_node();
        self.until_node("online").await;
    }

    /// Where the `touch` command leaves its traces.
    pub fn traces(&self) -> PathBuf {
        self.folder.path().join("traces")
    }

    pub fn start_node(&mut self) {
        let log = fs::File::create(self.folder.path().join("node.log")).expect("a log");
        let child = command(wardroom_node())
            .arg("run")
            .arg("--data")
            .arg(self.node_data())
            .stderr(log)
            .spawn();
        self.node = Some(child.expect("the node starts"));
    }

    pub async fn until_node(&self, state: &str) {
        wait_for(state, || async {
            let node = self.get("/api/v1/nodes/local").await;
            (node["state"] == state && (state != "online" || node["commands"].as_u64() > Some(0)))
                .then_some(())
        })
        .await;
    }

    /// What the orchestrator has logged since its start.
    pub fn logged(&self) -> String {
        fs::read_to_string(self.folder.path().join("orchestrator.log")).unwrap_or_default()
    }

    /// Has something gone wrong inside, as far as the orchestrator knows.
    pub async fn break_down(&self, fingerprint: &str) {
        let url = format!("sqlite://{}", self.data().join("wardroom.db").display());
        let hub = std::sync::Arc::new(wardroom_engine::hub::Hub::default());
        let store = wardroom_store::open(&wardroom_store::Options::new(url), hub).await;
        let at = SystemClock.now();
        let fault = wardroom_core::watch::fault::Fault {
            fingerprint: fingerprint.to_owned(),
            place: "wardroom_store".to_owned(),
            message: "the disk is full".to_owned(),
            count: 1,
            first_at: at,
            last_at: at,
            request: None,
            run: None,
            resolved_at: None,
        };
        let write = wardroom_core::change::Write::CountFault(fault);
        let change = wardroom_core::change::Change::default().write(write);
        store.expect("the database").commit(change).await.expect("it is written");
    }

    /// The orchestrator's process.
    pub fn orchestrator_pid(&self) -> u32 {
        self.orchestrator.as_ref().map(Child::id).expect("it runs")
    }

    /// Kill -9.
    pub fn kill_node(&mut self) {
        kill(self.node.take());
    }

    /// Kill -9.
    pub fn kill_orchestrator(&mut self) {
        kill(self.orchestrator.take());
    }

    /// Starts the orchestrator again where it was.
    pub async fn restart(&mut self) {
        let port = self.url.rsplit(':').next().expect("a port").to_owned();
        self.start(&format!("127.0.0.1:{port}")).await;
    }

    pub fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    pub async fn get(&self, path: &str) -> Value {
        let answer = self
            .client
            .get(self.at(path))
            .bearer_auth(&self.token)
            .send()
            .await
            .expect("an answer");
        answer.json().await.unwrap_or(Value::Null)
    }

    /// What stands at a path, as text.
    pub async fn text(&self, path: &str) -> String {
        let sent = self.client.get(self.at(path)).bearer_auth(&self.token).send().await;
        sent.expect("an answer").text().await.expect("a text")
    }

    pub async fn post(&self, path: &str, body: Value) -> Value {
        let answer = self
            .client
            .post(self.at(path))
            .bearer_auth(&self.token)
            .json(&body)
            .send()
            .await
            .expect("an answer");
        answer.json().await.unwrap_or(Value::Null)
    }

    /// The records of an action, newest first.
    pub async fn records(&self, action: &str) -> Vec<Value> {
        let found = self.get(&format!("/api/v1/audit/records?action={action}&limit=100")).await;
        let items = found["items"].as_array().expect("a list");
        items.iter().map(|item| item["record"].clone()).collect()
    }

    /// Puts a policy in force that says this as well.
    pub async fn add_policy(&self, added: &str) {
        let policy = self.get("/api/v1/policy").await;
        let text = format!("{}\n{added}", policy["text"].as_str().expect("a text"));
        let body = json!({"text": text, "base": policy["number"]});
        let put = self.client.put(self.at("/api/v1/policy")).bearer_auth(&self.token);
        let answer = put.json(&body).send().await.expect("an answer");
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap_or_default());
    }

    /// Submits a command to the node and gives the run's id.
    pub async fn submit(&self, name: &str, parameters: Value) -> String {
        let run = self
            .post(
                "/api/v1/runs",
                json!({"command": name, "node": "local", "parameters": parameters}),
            )
            .await;
        run["id"].as_str().unwrap_or_else(|| panic!("it was not accepted: {run}")).to_owned()
    }

    /// The run once it is over.
    pub async fn ended(&self, id: &str) -> Value {
        wait_for("the run's end", || async {
            let run = self.get(&format!("/api/v1/runs/{id}")).await;
            (run["terminal"] == true).then_some(run)
        })
        .await
    }

    /// The run once it is in a state.
    pub async fn until(&self, id: &str, state: &str) -> Value {
        wait_for(state, || async {
            let run = self.get(&format!("/api/v1/runs/{id}")).await;
            (run["state"] == state).then_some(run)
        })
        .await
    }

    pub async fn sound(&self) -> Value {
        let verified = self.post("/api/v1/audit/verify", json!({})).await;
        assert_eq!(verified["sound"], true, "{verified}");
        verified
    }
}

impl Drop for World {
    fn drop(&mut self) {
        kill(self.node.take());
        kill(self.orchestrator.take());
        if std::thread::panicking() {
            for log in ["orchestrator.log", "node.log"] {
                let text = fs::read_to_string(self.folder.path().join(log)).unwrap_or_default();
                eprintln!("--- {log}\n{text}");
            }
        }
    }
}

fn kill(child: Option<Child>) {
    if let Some(mut child) = child {
        let _ = child.kill();
        let _ = child.wait();
    }
}

fn open_to_all(folder: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = if folder.ends_with("traces") { 0o1777 } else { 0o755 };
    fs::set_permissions(folder, fs::Permissions::from_mode(mode)).expect("its permissions");
}

/// Asks again and again until there is an answer.
pub async fn wait_for<T, F: Future<Output = Option<T>>>(
    what: &str,
    mut ask: impl FnMut() -> F,
) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        // What is waited for runs on the same processors.
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
