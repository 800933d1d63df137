//! What a store is opened with.

use std::{fmt, path::PathBuf, time::Duration};

/// What a store is opened with.
#[derive(Clone)]
pub struct Options {
    /// `sqlite:///absolute/path` or `postgres://user:password@host/database`.
    pub url: String,
    /// For PostgreSQL.
    pub postgres: PostgresOptions,
    /// SQLite connections that read beside the writer.
    pub sqlite_readers: u32,
    /// How long SQLite waits for another process's lock.
    pub sqlite_busy_timeout: Duration,
}

/// What only PostgreSQL takes.
#[derive(Debug, Clone)]
pub struct PostgresOptions {
    /// How the connection is protected; by default [`TlsMode::VerifyFull`] off loopback.
    pub tls_mode: Option<TlsMode>,
    /// The authority that signed the server's certificate, PEM; the system's where absent.
    pub tls_ca_file: Option<PathBuf>,
    /// A statement that takes longer is ended by the server.
    pub statement_timeout: Duration,
    /// The most connections.
    pub connections_max: u32,
    /// How long connecting may take.
    pub connect_timeout: Duration,
}

/// How a connection to PostgreSQL is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsMode {
    /// Not at all.
    Disable,
    /// Encrypted; the server's certificate is not checked.
    Require,
    /// Encrypted, and the certificate must be the named host's.
    VerifyFull,
}

impl std::str::FromStr for TlsMode {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "disable" => Ok(Self::Disable),
            "require" => Ok(Self::Require),
            "verify-full" => Ok(Self::VerifyFull),
            other => {
                Err(format!("{other:?} is not a TLS mode: use disable, require or verify-full"))
            }
        }
    }
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self {
            tls_mode: None,
            tls_ca_file: None,
            statement_timeout: Duration::from_secs(30),
            connections_max: 10,
            connect_timeout: Duration::from_secs(10),
        }
    }
}

impl Options {
    /// Options with defaults for everything but the URL.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            postgres: PostgresOptions::default(),
            sqlite_readers: 4,
            sqlite_busy_timeout: Duration::from_secs(5),
        }
    }

    pub(crate) fn is_postgres(&self) -> bool {
        self.url.starts_with("postgres://") || self.url.starts_with("postgresql://")
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // SECURITY: the URL may hold a password.
        let scheme = self.url.split("://").next().unwrap_or_default();
        f.debug_struct("Options")
            .field("scheme", &scheme)
            .field("postgres", &self.postgres)
            .finish_non_exhaustive()
    }
}

/// What a migration did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Migrated {
    /// The schema's version before; 0 for a new database.
    pub from: i64,
    /// And after.
    pub to: i64,
}
