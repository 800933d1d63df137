//! SQLite and PostgreSQL behind the ports of the core.
//!
//! One repository body is written once and expanded for both engines. This crate keeps what it is
//! given and must never decide policy: what may be written was decided before it gets here.

mod error;
mod migrations;
mod options;
mod postgres;
mod repository;
mod sqlite;
#[cfg(feature = "testing")]
pub mod testing;

pub use error::OpenError;
pub use migrations::SCHEMA_VERSION;

/// SQL that makes the four roles of a PostgreSQL database.
pub const ROLES_SQL: &str = include_str!("roles.sql");
pub use options::{Migrated, Options, PostgresOptions, TlsMode};

use std::sync::Arc;
use wardroom_core::{hint::HintSink, store::Store};

/// Opens a database whose schema is this build's. Creates and migrates nothing.
pub async fn open(
    options: &Options,
    hints: Arc<dyn HintSink>,
) -> Result<Arc<dyn Store>, OpenError> {
    if options.is_postgres() {
        Ok(Arc::new(postgres::PostgresStore::open(options, hints).await?))
    } else {
        Ok(Arc::new(sqlite::SqliteStore::open(options, hints).await?))
    }
}

/// Brings a database to this build's schema; creates it where it is an SQLite file that is missing.
pub async fn migrate(options: &Options) -> Result<Migrated, OpenError> {
    if options.is_postgres() {
        postgres::migrate(options).await
    } else {
        sqlite::migrate(options).await
    }
}
