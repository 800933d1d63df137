//! The file with people's keys, beside the database's. It is apart so that copies of the data do not have
//! it, and what is removed from it is overwritten: a key that was destroyed must be nowhere.

use super::private;
use crate::{OpenError, Options};
use sqlx::{
    Connection as _, SqliteConnection, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use std::path::{Path, PathBuf};

/// Connections to the keys: writes are rare, and what is read is kept in memory.
const CONNECTIONS_MAX: u32 = 2;

const TABLE: &str = "CREATE TABLE IF NOT EXISTS person_keys (
  person BLOB NOT NULL,
  generation INTEGER NOT NULL,
  wrapped BLOB NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (person, generation)
) STRICT, WITHOUT ROWID";

/// `wardroom.keys.db` beside `wardroom.db`.
fn path_of(database: &Path) -> PathBuf {
    database.with_extension("keys.db")
}

fn connect_options(options: &Options, path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        // No write-ahead log: it would keep keys that were removed.
        .journal_mode(SqliteJournalMode::Delete)
        .synchronous(SqliteSynchronous::Extra)
        .busy_timeout(options.sqlite_busy_timeout)
        .pragma("secure_delete", "ON")
        .pragma("trusted_schema", "OFF")
}

/// Creates the file where there is none.
pub(super) async fn create(options: &Options, database: &Path) -> Result<(), OpenError> {
    let path = path_of(database);
    private(&path)?;
    let mut connection = SqliteConnection::connect_with(&connect_options(options, &path)).await?;
    sqlx::query(TABLE).execute(&mut connection).await?;
    Ok(connection.close().await?)
}

/// Opens the file. Never makes one: without its keys, what is known of people can't be read.
pub(super) async fn open(options: &Options, database: &Path) -> Result<SqlitePool, OpenError> {
    let path = path_of(database);
    if !path.exists() {
        return Err(OpenError::KeysMissing(path.display().to_string()));
    }
    let pool = SqlitePoolOptions::new().max_connections(CONNECTIONS_MAX);
    Ok(pool.connect_lazy_with(connect_options(options, &path)))
}
