//! SQLite: one writer that commits what waits together, readers beside it.

mod key_file;

use crate::{Migrated, OpenError, Options, SCHEMA_VERSION, error::of, migrations, repository};
use sqlx::{
    Connection as _, Row as _, Sqlite, SqliteConnection, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::sync::{mpsc, oneshot};
use wardroom_core::{
    audit::{
        AuditDraft,
        merkle::{Frontier, Hash},
    },
    change::{Change, Write},
    hint::{Hint, HintSink},
    store::{Commit, Health, StoreError, StoreHealth, StoreResult},
    tool::call::ToolCall,
};

/// Changes that may wait for the writer.
const WAITING_MAX: usize = 4096;
/// Changes that one transaction takes at most.
const BATCH_MAX: usize = 512;
/// How long opening waits for a reader.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);

type Answer = oneshot::Sender<StoreResult<()>>;

/// The SQLite store.
pub(crate) struct SqliteStore {
    readers: SqlitePool,
    keys: SqlitePool,
    changes: mpsc::Sender<(Change, Answer)>,
    path: PathBuf,
}

repository::writes!(Sqlite);
repository::identity_writes!(Sqlite);
repository::desk_writes!(Sqlite);
repository::desk!(SqliteStore, Sqlite);
repository::oauth!(SqliteStore, Sqlite);
repository::oauth_writes!(Sqlite);
repository::tools!(SqliteStore, Sqlite);
repository::agents!(SqliteStore, Sqlite);
repository::models!(SqliteStore, Sqlite);
repository::journals!(SqliteStore, Sqlite);
repository::journal_writes!(Sqlite);
repository::threads!(SqliteStore, Sqlite);
repository::thread_writes!(Sqlite);
repository::memories!(SqliteStore, Sqlite);
repository::memory_writes!(Sqlite);
repository::agent_writes!(Sqlite);
repository::model_writes!(Sqlite);
repository::approvals!(SqliteStore, Sqlite);
repository::approval_writes!(Sqlite);
repository::tool_account_writes!(Sqlite);
repository::tool_writes!(Sqlite);
repository::watch_writes!(Sqlite);
repository::watch!(SqliteStore, Sqlite);
repository::identities!(SqliteStore, Sqlite);
repository::person_keys!(SqliteStore, Sqlite, table = "person_keys");
repository::nodes!(SqliteStore, Sqlite);
repository::runs!(SqliteStore, Sqlite);
repository::audit_log!(SqliteStore, Sqlite, sequence = nothing_to_sequence);

fn path_of(options: &Options) -> Result<PathBuf, OpenError> {
    let path = options.url.strip_prefix("sqlite://").map(PathBuf::from);
    path.filter(|path| path.is_absolute()).ok_or_else(|| {
        OpenError::Url(
            "it names neither an absolute SQLite path nor a PostgreSQL server".to_owned(),
        )
    })
}

fn connect_options(options: &Options, path: &PathBuf) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        // FULL: what was acknowledged survives a loss of power as well.
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(options.sqlite_busy_timeout)
        .pragma("trusted_schema", "OFF")
        .pragma("cell_size_check", "ON")
}

/// Makes a file that is not there. Here and not by the driver: from its first moment nobody else may read it.
fn private(path: &Path) -> Result<(), OpenError> {
    use std::os::unix::fs::OpenOptionsExt as _;
    std::fs::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(path)
        .map(drop)
        .map_err(|error| OpenError::NotWritable(format!("{}: {error}", path.display())))
}

/// Creates and migrates the file.
pub(crate) async fn migrate(options: &Options) -> Result<Migrated, OpenError> {
    let path = path_of(options)?;
    private(&path)?;
    let mut connection = SqliteConnection::connect_with(&connect_options(options, &path)).await?;
    let from = schema(&mut connection).await?;
    if from > SCHEMA_VERSION {
        return Err(OpenError::TooNew { found: from });
    }
    migrations::sqlite()
        .run(&mut connection)
        .await
        .map_err(|error| OpenError::Other(error.to_string()))?;
    connection.close().await?;
    key_file::create(options, &path).await?;
    Ok(Migrated { from, to: SCHEMA_VERSION })
}

/// The schema's version; 0 for an empty file.
async fn schema(connection: &mut SqliteConnection) -> Result<i64, OpenError> {
    let there: i64 =
        sqlx::query_scalar("SELECT COUNT(*) FROM sqlite_master WHERE name = '_sqlx_migrations'")
            .fetch_one(&mut *connection)
            .await?;
    if there == 0 {
        return Ok(0);
    }
    let version: Option<i64> = sqlx::query_scalar("SELECT MAX(version) FROM _sqlx_migrations")
        .fetch_one(connection)
        .await?;
    Ok(version.unwrap_or(0))
}

impl SqliteStore {
    pub(crate) async fn open(
        options: &Options,
        hints: Arc<dyn HintSink>,
    ) -> Result<Self, OpenError> {
        let path = path_of(options)?;
        if !path.exists() {
            return Err(OpenError::Missing(path.display().to_string()));
        }
        let mut writer = SqliteConnection::connect_with(&connect_options(options, &path)).await?;
        let found = schema(&mut writer).await?;
        if found != SCHEMA_VERSION {
            return Err(if found > SCHEMA_VERSION {
                OpenError::TooNew { found }
            } else {
                OpenError::TooOld { found }
            });
        }
        // Taking the write lock once tells a second process, a full disk and a read-only one apart now.
        sqlx::query("BEGIN IMMEDIATE").execute(&mut writer).await?;
        sqlx::query("ROLLBACK").execute(&mut writer).await?;
        let readers = SqlitePoolOptions::new()
            .max_connections(options.sqlite_readers.max(1))
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .connect_lazy_with(connect_options(options, &path).pragma("query_only", "ON"));
        let (changes, waiting) = mpsc::channel(WAITING_MAX);
        tokio::spawn(Writer { connection: writer, hints, tree: None }.work(waiting));
        let keys = key_file::open(options, &path).await?;
        Ok(Self { readers, keys, changes, path })
    }

    fn reader(&self) -> &SqlitePool {
        &self.readers
    }

    fn keys(&self) -> &SqlitePool {
        &self.keys
    }

    /// The writer places records as it commits them.
    async fn nothing_to_sequence(&self) -> StoreResult<u64> {
        Ok(0)
    }
}

#[async_trait::async_trait]
impl Commit for SqliteStore {
    async fn commit(&self, change: Change) -> StoreResult<()> {
        let gone = || {
            StoreError::Unavailable(
                "the database's writer has stopped; restart the orchestrator".to_owned(),
            )
        };
        let (answer, answered) = oneshot::channel();
        self.changes.send((change, answer)).await.map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }
}

#[async_trait::async_trait]
impl Health for SqliteStore {
    async fn health(&self) -> StoreResult<StoreHealth> {
        if self.changes.is_closed() {
            return Err(StoreError::Unavailable(
                "the database's writer has stopped; restart the orchestrator".to_owned(),
            ));
        }
        let row = sqlx::query("SELECT sqlite_version() AS version, (SELECT MAX(version) FROM _sqlx_migrations) AS schema")
            .fetch_one(&self.readers)
            .await
            .map_err(of)?;
        Ok(StoreHealth {
            engine: "sqlite",
            version: row.try_get("version").map_err(of)?,
            schema: row.try_get("schema").map_err(of)?,
            size_bytes: std::fs::metadata(&self.path).ok().map(|metadata| metadata.len()),
            audit_pending: 0,
            privileged: None,
        })
    }
}

/// The one task that writes.
struct Writer {
    connection: SqliteConnection,
    hints: Arc<dyn HintSink>,
    /// The audit tree's edge as last committed; read anew after anything went wrong.
    tree: Option<Frontier>,
}

impl Writer {
    async fn work(mut self, mut waiting: mpsc::Receiver<(Change, Answer)>) {
        let mut batch = Vec::with_capacity(BATCH_MAX);
        while waiting.recv_many(&mut batch, BATCH_MAX).await > 0 {
            let (changes, answers): (Vec<Change>, Vec<Answer>) = batch.drain(..).unzip();
            let outcomes = self.write(&changes).await;
            for ((outcome, answer), change) in outcomes.into_iter().zip(answers).zip(changes) {
                if outcome.is_ok() {
                    change.hints.iter().for_each(|hint| self.hints.publish(*hint));
                    if !change.audit.is_empty() {
                        self.hints.publish(Hint::Audit);
                    }
                }
                // Whoever asked may have gone; what was committed stays.
                let _ = answer.send(outcome);
            }
        }
        let _ = self.connection.close().await;
    }

    /// Writes a batch in one transaction. One outcome for each change, in order.
    async fn write(&mut self, changes: &[Change]) -> Vec<StoreResult<()>> {
        match self.transact(changes).await {
            Ok(outcomes) => outcomes,
            Err(error) => {
                self.tree = None;
                let _ = sqlx::query("ROLLBACK").execute(&mut self.connection).await;
                // One change that can't be written must not take its neighbours with it.
                if let [_] = changes {
                    return vec![Err(error)];
                }
                let mut outcomes = Vec::with_capacity(changes.len());
                for change in changes {
                    outcomes.extend(Box::pin(self.write(std::slice::from_ref(change))).await);
                }
                outcomes
            }
        }
    }

    async fn transact(&mut self, changes: &[Change]) -> StoreResult<Vec<StoreResult<()>>> {
        let connection = &mut self.connection;
        sqlx::query("BEGIN IMMEDIATE").execute(&mut *connection).await.map_err(of)?;
        let mut outcomes = Vec::with_capacity(changes.len());
        let mut drafts: Vec<&AuditDraft> = Vec::new();
        let mut calls: Vec<&ToolCall> = Vec::new();
        for change in changes {
            let outcome = match change.writes.as_slice() {
                // Most of what is written where tools are called: all of them with one statement.
                [Write::AddToolCall(call)] if changes.len() > 1 => {
                    calls.push(call);
                    Ok(())
                }
                _ => apply(connection, change, changes.len() > 1).await?,
            };
            if outcome.is_ok() {
                drafts.extend(&change.audit);
            } else if changes.len() == 1 {
                sqlx::query("ROLLBACK").execute(&mut *connection).await.map_err(of)?;
                return Ok(vec![outcome]);
            }
            outcomes.push(outcome);
        }
        tool_writes::add_calls(connection, &calls).await?;
        let mut tree = match &self.tree {
            Some(tree) => tree.clone(),
            None => writes::read_tree(connection, "").await?,
        };
        if !drafts.is_empty() {
            let leaves = writes::leaves(drafts);
            writes::add_records(connection, &leaves, Some(tree.size())).await?;
            let hashes: Vec<Hash> = leaves.iter().map(|leaf| leaf.hash).collect();
            writes::grow_tree(connection, &mut tree, &hashes).await?;
        }
        sqlx::query("COMMIT").execute(&mut *connection).await.map_err(of)?;
        self.tree = Some(tree);
        Ok(outcomes)
    }
}

/// Applies one change. The outer error is the transaction's, the inner one the change's alone.
async fn apply(
    connection: &mut SqliteConnection,
    change: &Change,
    shared: bool,
) -> StoreResult<StoreResult<()>> {
    // A single write is atomic by itself, most are: only what could be half done needs a savepoint.
    let steps = change.writes.len() > 1 || change.writes.iter().any(Write::has_steps);
    let savepoint = shared && steps;
    if savepoint {
        sqlx::query("SAVEPOINT change").execute(&mut *connection).await.map_err(of)?;
    }
    let mut outcome = Ok(());
    for write in &change.writes {
        if let Err(error) = writes::apply(connection, write).await {
            let own = matches!(
                error,
                StoreError::Conflict(_) | StoreError::Duplicate(_) | StoreError::Spent(_)
            );
            if !own {
                return Err(error);
            }
            outcome = Err(error);
            break;
        }
    }
    if savepoint {
        if outcome.is_err() {
            sqlx::query("ROLLBACK TO change").execute(&mut *connection).await.map_err(of)?;
        }
        sqlx::query("RELEASE change").execute(&mut *connection).await.map_err(of)?;
    }
    Ok(outcome)
}
