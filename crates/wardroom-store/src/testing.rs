//! Throw-away databases for tests: an SQLite file, or a database in a private PostgreSQL cluster that
//! this process starts as an ordinary user and stops when it ends.
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "tests want to stop at the first thing that is wrong"
)]

use crate::{Options, migrate, open};
use std::{
    path::PathBuf,
    process::{Command, Stdio},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};
use wardroom_core::{
    hint::{Hint, HintSink},
    store::Store,
};

/// Hears nothing.
#[derive(Debug, Default)]
pub struct Deaf;

impl HintSink for Deaf {
    fn publish(&self, _: Hint) {}
}

/// A migrated database of its own.
pub struct TestStore {
    /// The store.
    pub store: Arc<dyn Store>,
    /// To open it again.
    pub options: Options,
    _folder: Option<tempfile::TempDir>,
}

impl TestStore {
    async fn new(
        options: Options,
        folder: Option<tempfile::TempDir>,
        hints: Arc<dyn HintSink>,
    ) -> Self {
        migrate(&options).await.expect("the test database migrates");
        let store = open(&options, hints).await.expect("the test database opens");
        Self { store, options, _folder: folder }
    }
}

/// A new SQLite database.
pub async fn sqlite() -> TestStore {
    sqlite_with(Arc::new(Deaf)).await
}

/// A new SQLite database that tells its hints.
pub async fn sqlite_with(hints: Arc<dyn HintSink>) -> TestStore {
    let folder = tempfile::tempdir().expect("a folder");
    let options = Options::new(format!("sqlite://{}/test.db", folder.path().display()));
    TestStore::new(options, Some(folder), hints).await
}

/// A new PostgreSQL database.
pub async fn postgres() -> TestStore {
    postgres_with(Arc::new(Deaf)).await
}

/// A new PostgreSQL database that tells its hints.
pub async fn postgres_with(hints: Arc<dyn HintSink>) -> TestStore {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let port = cluster();
    let name = format!("test_{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
    let admin = administrator(port).await;
    sqlx::query(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}")))
        .execute(&admin)
        .await
        .expect("a database");
    admin.close().await;
    let mut options = Options::new(format!("postgres://postgres@127.0.0.1:{port}/{name}"));
    options.postgres.connections_max = 4;
    TestStore::new(options, None, hints).await
}

/// A connection to the cluster, which refuses them while it starts up.
async fn administrator(port: u16) -> sqlx::PgPool {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        match sqlx::PgPool::connect(&format!("postgres://postgres@127.0.0.1:{port}/postgres")).await
        {
            Ok(pool) => return pool,
            Err(error) => {
                assert!(Instant::now() < deadline, "PostgreSQL was not ready within 30 s: {error}")
            }
        }
    }
}

/// The port of this process's cluster.
fn cluster() -> u16 {
    static CLUSTER: OnceLock<u16> = OnceLock::new();
    *CLUSTER.get_or_init(start)
}

#[expect(
    clippy::zombie_processes,
    reason = "the server lives as long as this process and dies with it"
)]
fn start() -> u16 {
    let bin = binaries();
    let folder =
        tempfile::Builder::new().prefix("wardroom-pg").tempdir_in("/tmp").expect("a folder").keep();
    let data = folder.join("data");
    std::fs::create_dir(&data).expect("a folder");
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|free| free.local_addr())
        .expect("a free port")
        .port();
    if rustix_is_root() {
        let owner = run(ordinary("chown").arg("-R").arg("65534:65534").arg(&folder));
        assert!(owner, "the cluster's folder can be given away");
    }
    let initdb = run(as_user(&bin.join("initdb"))
        .args(["-A", "trust", "-U", "postgres", "-N", "-E", "UTF8", "--locale=C", "-D"])
        .arg(&data));
    assert!(initdb, "initdb works: {}", bin.display());
    // The server dies with this process, however it ends.
    let mut server = as_user(&bin.join("postgres"));
    server
        .args([
            "-c",
            "fsync=off",
            "-c",
            "listen_addresses=127.0.0.1",
            "-c",
            "max_connections=200",
            "-k",
        ])
        .arg(&folder)
        .args(["-p", &port.to_string(), "-D"])
        .arg(&data)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("postgres starts");
    let deadline = Instant::now() + Duration::from_secs(30);
    // There is nothing to wait on but its door.
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < deadline, "PostgreSQL did not start within 30 s");
        std::thread::yield_now();
    }
    port
}

/// Where the server's programs are.
fn binaries() -> PathBuf {
    let mut found: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .map(|entries| entries.flatten().map(|entry| entry.path().join("bin")).collect())
        .unwrap_or_default();
    found.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    found.sort_by(|a, b| b.cmp(a));
    found
        .into_iter()
        .find(|folder| folder.join("initdb").is_file() && folder.join("postgres").is_file())
        .unwrap_or_else(|| {
            panic!("these tests need a PostgreSQL server: apt-get install postgresql")
        })
}

fn rustix_is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|metadata| {
        use std::os::unix::fs::MetadataExt as _;
        metadata.uid() == 0
    })
}

#[expect(clippy::disallowed_methods, reason = "tests start their own PostgreSQL")]
fn ordinary(program: impl AsRef<std::ffi::OsStr>) -> Command {
    Command::new(program)
}

/// PostgreSQL refuses to run as root.
fn as_user(program: &std::path::Path) -> Command {
    let mut command = ordinary("setpriv");
    command.args(["--pdeathsig", "KILL"]);
    if rustix_is_root() {
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    }
    command.arg("--").arg(program).current_dir("/");
    command
}

fn run(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
