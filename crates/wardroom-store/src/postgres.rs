//! PostgreSQL: a transaction per change; a leader gives audit records their place afterwards.

use crate::{
    Migrated, OpenError, Options, SCHEMA_VERSION, TlsMode, error::of, migrations, repository,
};
use sqlx::{
    Connection as _, PgConnection, PgPool, Postgres, Row as _,
    postgres::{PgConnectOptions, PgListener, PgPoolOptions, PgSslMode},
};
use std::{str::FromStr as _, sync::Arc, time::Duration};
use wardroom_core::{
    audit::merkle::Hash,
    change::Change,
    hint::{Hint, HintSink},
    store::{Commit, Health, StoreError, StoreHealth, StoreResult},
};

/// How often a transaction is tried again that ran into another one.
const TRIES_MAX: u32 = 5;
/// Records that one turn of the leader places at most.
const SEQUENCE_MAX: i64 = 5000;
/// The advisory lock that makes one process the leader; any number, as long as it is always this one.
const SEQUENCE_LOCK: i64 = 0x0057_4152_4452_4f4f;
/// Where hints are told.
const CHANNEL: &str = "wardroom_hints";
/// How long the listener waits before it connects anew.
const RELISTEN: Duration = Duration::from_secs(1);

/// The PostgreSQL store.
pub(crate) struct PostgresStore {
    pool: PgPool,
    listener: tokio::task::JoinHandle<()>,
}

repository::writes!(Postgres);
repository::identity_writes!(Postgres);
repository::desk_writes!(Postgres);
repository::desk!(PostgresStore, Postgres);
repository::oauth!(PostgresStore, Postgres);
repository::oauth_writes!(Postgres);
repository::tools!(PostgresStore, Postgres);
repository::agents!(PostgresStore, Postgres);
repository::models!(PostgresStore, Postgres);
repository::journals!(PostgresStore, Postgres);
repository::journal_writes!(Postgres);
repository::threads!(PostgresStore, Postgres);
repository::thread_writes!(Postgres);
repository::memories!(PostgresStore, Postgres);
repository::memory_writes!(Postgres);
repository::agent_writes!(Postgres);
repository::model_writes!(Postgres);
repository::approvals!(PostgresStore, Postgres);
repository::approval_writes!(Postgres);
repository::tool_account_writes!(Postgres);
repository::tool_writes!(Postgres);
repository::watch_writes!(Postgres);
repository::watch!(PostgresStore, Postgres);
repository::identities!(PostgresStore, Postgres);
repository::person_keys!(PostgresStore, Postgres, table = "wardroom_keys.person_keys");
repository::nodes!(PostgresStore, Postgres);
repository::runs!(PostgresStore, Postgres);
repository::audit_log!(PostgresStore, Postgres, sequence = sequence);

impl Drop for PostgresStore {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

fn connect_options(options: &Options) -> Result<PgConnectOptions, OpenError> {
    // SECURITY: the parser's message may repeat the URL and so the password.
    let parsed = PgConnectOptions::from_str(&options.url)
        .map_err(|_| OpenError::Url("the PostgreSQL URL can't be read".to_owned()))?;
    let host = parsed.get_host().to_owned();
    let near = parsed.get_socket().is_some()
        || host.starts_with('/')
        || host == "localhost"
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    let mode = options.postgres.tls_mode.unwrap_or(if near {
        TlsMode::Disable
    } else {
        TlsMode::VerifyFull
    });
    let timeout = options.postgres.statement_timeout.as_millis().to_string();
    let mut parsed = parsed
        .application_name("wardroom")
        .options([("statement_timeout", timeout.as_str()), ("lock_timeout", "10s")])
        .ssl_mode(match mode {
            TlsMode::Disable => PgSslMode::Disable,
            TlsMode::Require => PgSslMode::Require,
            TlsMode::VerifyFull => PgSslMode::VerifyFull,
        });
    if let Some(file) = &options.postgres.tls_ca_file {
        if !file.exists() {
            return Err(OpenError::Tls(format!(
                "there is no authority file at {}",
                file.display()
            )));
        }
        parsed = parsed.ssl_root_cert(file);
    }
    Ok(parsed)
}

async fn connect(options: &Options) -> Result<PgConnection, OpenError> {
    let connect = connect_options(options)?;
    let connecting = PgConnection::connect_with(&connect);
    match tokio::time::timeout(options.postgres.connect_timeout, connecting).await {
        Ok(connected) => Ok(connected?),
        Err(_) => Err(OpenError::Unreachable("it did not answer in time".to_owned())),
    }
}

/// What serves takes nothing out of the audit log and does not change what the schema is, where it has a role of its
/// own.
const KEPT_SQL: &str = "DO $$ BEGIN \
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'wardroom_app') THEN \
      REVOKE DELETE, TRUNCATE ON audit_records, audit_tiles, audit_tree, audit_checkpoints FROM wardroom_app; \
      REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON _sqlx_migrations FROM wardroom_app; \
    END IF; \
  END $$";

/// Migrates the database.
pub(crate) async fn migrate(options: &Options) -> Result<Migrated, OpenError> {
    let mut connection = connect(options).await?;
    let from = schema(&mut connection).await?;
    if from > SCHEMA_VERSION {
        return Err(OpenError::TooNew { found: from });
    }
    // The migrator takes a lock of its own, so two orchestrators may start at once.
    migrations::postgres()
        .run(&mut connection)
        .await
        .map_err(|error| OpenError::Other(error.to_string()))?;
    sqlx::query(KEPT_SQL).execute(&mut connection).await?;
    connection.close().await?;
    Ok(Migrated { from, to: SCHEMA_VERSION })
}

async fn schema(connection: &mut PgConnection) -> Result<i64, OpenError> {
    let there: bool = sqlx::query_scalar("SELECT to_regclass('_sqlx_migrations') IS NOT NULL")
        .fetch_one(&mut *connection)
        .await?;
    if !there {
        return Ok(0);
    }
    let version: Option<i64> = sqlx::query_scalar("SELECT MAX(version) FROM _sqlx_migrations")
        .fetch_one(connection)
        .await?;
    Ok(version.unwrap_or(0))
}

impl PostgresStore {
    pub(crate) async fn open(
        options: &Options,
        hints: Arc<dyn HintSink>,
    ) -> Result<Self, OpenError> {
        let mut connection = connect(options).await?;
        let found = schema(&mut connection).await?;
        if found != SCHEMA_VERSION {
            return Err(if found > SCHEMA_VERSION {
                OpenError::TooNew { found }
            } else {
                OpenError::TooOld { found }
            });
        }
        connection.close().await?;
        let pool = PgPoolOptions::new()
            .max_connections(options.postgres.connections_max.max(2))
            .acquire_timeout(options.postgres.connect_timeout)
            .connect_lazy_with(connect_options(options)?);
        // Listening begins before the store is given out, so that no hint of its own change is lost.
        let first = listener(&pool).await?;
        let listener = tokio::spawn(listen(pool.clone(), first, hints));
        Ok(Self { pool, listener })
    }

    fn reader(&self) -> &PgPool {
        &self.pool
    }

    fn keys(&self) -> &PgPool {
        &self.pool
    }

    async fn transact(&self, change: &Change) -> StoreResult<()> {
        let mut transaction = self.pool.begin().await.map_err(of)?;
        for write in &change.writes {
            writes::apply(&mut transaction, write).await?;
        }
        let leaves = writes::leaves(&change.audit);
        writes::add_records(&mut transaction, &leaves, None).await?;
        for hint in &change.hints {
            let text = serde_json::to_string(hint).unwrap_or_default();
            sqlx::query("SELECT pg_notify($1, $2)")
                .bind(CHANNEL)
                .bind(text)
                .execute(&mut *transaction)
                .await
                .map_err(of)?;
        }
        transaction.commit().await.map_err(of)
    }

    /// Gives waiting records their place, if no other process is doing so.
    async fn sequence(&self) -> StoreResult<u64> {
        let mut placed = 0;
        loop {
            let count = self.sequence_some().await?;
            placed += count;
            if count < SEQUENCE_MAX as u64 {
                return Ok(placed);
            }
        }
    }

    async fn sequence_some(&self) -> StoreResult<u64> {
        let mut transaction = self.pool.begin().await.map_err(of)?;
        let leads: bool = sqlx::query_scalar("SELECT pg_try_advisory_xact_lock($1)")
            .bind(SEQUENCE_LOCK)
            .fetch_one(&mut *transaction)
            .await
            .map_err(of)?;
        if !leads {
            return Ok(0);
        }
        let rows = sqlx::query(
            "SELECT seq, leaf FROM audit_records WHERE idx IS NULL ORDER BY seq LIMIT $1",
        )
        .bind(SEQUENCE_MAX)
        .fetch_all(&mut *transaction)
        .await
        .map_err(of)?;
        if rows.is_empty() {
            return Ok(0);
        }
        let mut tree = writes::read_tree(&mut transaction, " FOR UPDATE").await?;
        let first = repository::signed(tree.size());
        let mut seqs: Vec<i64> = Vec::with_capacity(rows.len());
        let mut hashes: Vec<Hash> = Vec::with_capacity(rows.len());
        for row in &rows {
            seqs.push(row.try_get("seq").map_err(of)?);
            hashes.push(repository::fixed("audit leaf", row.try_get("leaf").map_err(of)?)?);
        }
        sqlx::query(
            "UPDATE audit_records r SET idx = p.idx FROM \
             (SELECT seq, $2 + ordinality - 1 AS idx FROM unnest($1::bigint[]) WITH ORDINALITY AS t(seq, ordinality)) p \
             WHERE r.seq = p.seq",
        )
        .bind(&seqs)
        .bind(first)
        .execute(&mut *transaction)
        .await
        .map_err(of)?;
        writes::grow_tree(&mut transaction, &mut tree, &hashes).await?;
        let text = serde_json::to_string(&Hint::Audit).unwrap_or_default();
        sqlx::query("SELECT pg_notify($1, $2)")
            .bind(CHANNEL)
            .bind(text)
            .execute(&mut *transaction)
            .await
            .map_err(of)?;
        transaction.commit().await.map_err(of)?;
        Ok(rows.len() as u64)
    }
}

#[async_trait::async_trait]
impl Commit for PostgresStore {
    async fn commit(&self, change: Change) -> StoreResult<()> {
        let mut tries = 1;
        loop {
            match self.transact(&change).await {
                Ok(()) => return Ok(()),
                Err(StoreError::Transient(_)) if tries < TRIES_MAX => tries += 1,
                Err(error) => return Err(error),
            }
        }
    }
}

#[async_trait::async_trait]
impl Health for PostgresStore {
    async fn health(&self) -> StoreResult<StoreHealth> {
        let row = sqlx::query(
            "SELECT current_setting('server_version') AS version, pg_database_size(current_database()) AS size, \
             (SELECT MAX(version) FROM _sqlx_migrations) AS schema, \
             (SELECT COUNT(*) FROM audit_records WHERE idx IS NULL) AS pending, \
             (SELECT rolsuper OR rolcreaterole OR pg_has_role((SELECT relowner FROM pg_class WHERE oid = 'audit_records'::regclass), 'USAGE') \
              FROM pg_roles WHERE rolname = current_user) AS privileged",
        )
        .fetch_one(&self.pool)
        .await
        .map_err(of)?;
        Ok(StoreHealth {
            engine: "postgres",
            version: row.try_get("version").map_err(of)?,
            schema: row.try_get("schema").map_err(of)?,
            size_bytes: Some(repository::unsigned("size", row.try_get("size").map_err(of)?)?),
            audit_pending: repository::unsigned("count", row.try_get("pending").map_err(of)?)?,
            privileged: Some(row.try_get("privileged").map_err(of)?),
        })
    }
}

async fn listener(pool: &PgPool) -> Result<PgListener, sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(CHANNEL).await?;
    Ok(listener)
}

/// Passes hints on, this process's own included, and connects anew when the connection is lost.
async fn listen(pool: PgPool, first: PgListener, hints: Arc<dyn HintSink>) {
    let mut current = Some(first);
    loop {
        if let Some(mut open) = current.take() {
            while let Ok(told) = open.recv().await {
                if let Ok(hint) = serde_json::from_str(told.payload()) {
                    hints.publish(hint);
                }
            }
        }
        tokio::time::sleep(RELISTEN).await;
        match listener(&pool).await {
            Ok(open) => {
                current = Some(open);
                hints.publish(Hint::Resync);
            }
            Err(error) => {
                tracing::warn!(%error, "hints are not heard; work goes on at the ticker's pace")
            }
        }
    }
}
