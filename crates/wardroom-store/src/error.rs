//! The drivers' errors in our words: what happened, what it means, what to do.

use crate::SCHEMA_VERSION;
use sqlx::error::{DatabaseError, ErrorKind};
use wardroom_core::store::StoreError;

/// Why a database can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL is not one.
    #[error(
        "the database URL is not acceptable: {0}. Use sqlite:///absolute/path or postgres://user@host/database"
    )]
    Url(String),
    /// The file is not there.
    #[error(
        "there is no database at {0}. Nothing was created: run `wardroom migrate` to create it, or check the path"
    )]
    Missing(String),
    /// The file with people's keys is not there.
    #[error(
        "people's keys {0} are missing: without them nothing that is known of people can be read. Restore the file from its own backup; a new one is never made where there is data"
    )]
    KeysMissing(String),
    /// It was made by a newer build.
    #[error(
        "the database has schema {found}, this build works with {SCHEMA_VERSION}: it was used by a newer Wardroom. Install that version, or restore a backup from before"
    )]
    TooNew {
        /// Its version.
        found: i64,
    },
    /// It was made by an older build.
    #[error(
        "the database has schema {found}, this build needs {SCHEMA_VERSION}: back it up, then run `wardroom migrate`"
    )]
    TooOld {
        /// Its version.
        found: i64,
    },
    /// Another process has it.
    #[error(
        "the database is locked by another process: stop the other Wardroom that uses it, then try again"
    )]
    Locked,
    /// There is no room, or it may not be written.
    #[error(
        "the database can't be written: {0}. Free disk space or correct the folder's permissions, then try again"
    )]
    NotWritable(String),
    /// It is not a database, or is damaged.
    #[error(
        "the database is damaged or is not one: {0}. Restore it from a backup; keep the damaged file for analysis"
    )]
    Damaged(String),
    /// It does not answer.
    #[error(
        "the database can't be reached: {0}. Check that it runs, that the host and port are right and that a firewall lets you through"
    )]
    Unreachable(String),
    /// It does not let us in.
    #[error(
        "the database refused the sign-in: {0}. Check user, password and the server's pg_hba.conf"
    )]
    SignIn(String),
    /// TLS does not come about.
    #[error(
        "the connection to the database is not protected as demanded: {0}. Check the TLS mode, the authority file and the server's certificate"
    )]
    Tls(String),
    /// Anything else.
    #[error("the database can't be used: {0}")]
    Other(String),
}

impl From<sqlx::Error> for OpenError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Tls(cause) => Self::Tls(cause.to_string()),
            sqlx::Error::Io(cause) => Self::Unreachable(cause.to_string()),
            sqlx::Error::PoolTimedOut => Self::Unreachable("no connection came in time".to_owned()),
            sqlx::Error::Configuration(cause) => Self::Url(cause.to_string()),
            sqlx::Error::Database(cause) => match code(&**cause).as_str() {
                "5" | "6" | "261" | "517" => Self::Locked,
                "13" | "8" | "778" | "1032" | "1544" | "14" => {
                    Self::NotWritable(cause.message().to_owned())
                }
                "26" | "11" | "267" => Self::Damaged(cause.message().to_owned()),
                "28000" | "28P01" | "3D000" => Self::SignIn(cause.message().to_owned()),
                _ => Self::Other(cause.message().to_owned()),
            },
            other => Self::Other(other.to_string()),
        }
    }
}

fn code(error: &dyn DatabaseError) -> String {
    error.code().map(|code| code.into_owned()).unwrap_or_default()
}

/// A statement's error.
pub(crate) fn of(error: sqlx::Error) -> StoreError {
    let unavailable = |why: String| {
        StoreError::Unavailable(format!(
            "the database can't be used now: {why}. Whether this was written is not known; look again when it is back"
        ))
    };
    match &error {
        sqlx::Error::Database(cause) => {
            if cause.kind() == ErrorKind::UniqueViolation {
                return StoreError::Duplicate(unique(
                    cause.constraint().unwrap_or(cause.message()),
                ));
            }
            match code(&**cause).as_str() {
                "13" | "53100" => StoreError::Full(
                    "the database's disk is full: free space, then try again".to_owned(),
                ),
                "5" | "6" | "261" | "517" | "8" | "1032" | "55P03" | "57P01" | "57P03"
                | "57014" | "53300" => unavailable(cause.message().to_owned()),
                "40001" | "40P01" => StoreError::Transient(cause.message().to_owned()),
                "11" | "26" | "267" => {
                    StoreError::Corrupt { what: "database", reason: cause.message().to_owned() }
                }
                _ => StoreError::Other(cause.message().to_owned()),
            }
        }
        sqlx::Error::Io(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::Tls(_) => unavailable(error.to_string()),
        sqlx::Error::ColumnDecode { index, source } => {
            StoreError::Corrupt { what: "row", reason: format!("column {index}: {source}") }
        }
        other => StoreError::Other(other.to_string()),
    }
}

/// What is taken, from a constraint's name or a message that has columns in it.
fn unique(named: &str) -> &'static str {
    for (part, what) in [
        ("idempotency_key", "idempotency key"),
        ("replay_of", "repetition"),
        ("public_key", "public key"),
        ("nodes_name", "node name"),
        ("nodes.name", "node name"),
        ("customers_email", "customer's e-mail address"),
        ("customers.email_index", "customer's e-mail address"),
        ("services_name", "service name"),
        ("services.name", "service name"),
        ("name_index", "account name"),
        ("email_index", "e-mail address"),
        ("factors", "second factor"),
        ("policies", "policy number"),
        ("sealed_keys", "key name"),
        ("audit_checkpoints", "checkpoint"),
        ("secret", "secret"),
    ] {
        if named.contains(part) {
            return what;
        }
    }
    "id"
}
