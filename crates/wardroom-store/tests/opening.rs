//! A database that can't be used says why and what to do.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "tests")]

use std::sync::Arc;
use wardroom_store::{
    OpenError, Options, TlsMode, migrate, open,
    testing::{Deaf, postgres, sqlite},
};

async fn refused(options: &Options) -> OpenError {
    match open(options, Arc::new(Deaf)).await {
        Ok(_) => panic!("it opened"),
        Err(error) => error,
    }
}

#[tokio::test]
async fn a_missing_file_is_not_made_and_a_foreign_one_is_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("none.db");
    let options = Options::new(format!("sqlite://{}", path.display()));
    assert!(matches!(refused(&options).await, OpenError::Missing(_)));
    assert!(!path.exists());
    std::fs::write(
        &path,
        "this is no database, but it is long enough to be looked at as one by the driver",
    )
    .unwrap();
    let error = refused(&options).await;
    assert!(matches!(error, OpenError::Damaged(_)), "{error}");
    assert!(matches!(migrate(&options).await, Err(OpenError::Damaged(_))));
}

#[tokio::test]
async fn a_schema_of_the_future_is_refused() {
    for test in [sqlite().await, postgres().await] {
        let sql = "UPDATE _sqlx_migrations SET version = 99 \
             WHERE version = (SELECT MAX(version) FROM _sqlx_migrations)";
        if test.options.url.starts_with("sqlite") {
            let pool = sqlx::SqlitePool::connect(&test.options.url).await.unwrap();
            sqlx::query(sql).execute(&pool).await.unwrap();
            pool.close().await;
        } else {
            let pool = sqlx::PgPool::connect(&test.options.url).await.unwrap();
            sqlx::query(sql).execute(&pool).await.unwrap();
        }
        let error = refused(&test.options).await;
        assert!(matches!(error, OpenError::TooNew { found: 99 }), "{error}");
        assert!(matches!(migrate(&test.options).await, Err(OpenError::TooNew { .. })));
    }
}

#[tokio::test]
async fn an_unreachable_server_is_named_without_its_password() {
    let mut options = Options::new("postgres://ann:s3cret-word@127.0.0.1:1/none");
    options.postgres.tls_mode = Some(TlsMode::Disable);
    let error = refused(&options).await;
    assert!(matches!(error, OpenError::Unreachable(_)), "{error}");
    assert!(!format!("{error} {error:?} {options:?}").contains("s3cret"));
}

#[tokio::test]
async fn a_server_without_tls_is_refused_where_tls_is_demanded() {
    let test = postgres().await;
    let mut options = test.options.clone();
    options.postgres.tls_mode = Some(TlsMode::VerifyFull);
    let error = refused(&options).await;
    assert!(matches!(error, OpenError::Tls(_)), "{error:?}");
}

#[tokio::test]
async fn another_process_with_the_lock_is_named() {
    let test = sqlite().await;
    let mut other =
        sqlx::SqlitePool::connect(&test.options.url).await.unwrap().acquire().await.unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut *other).await.unwrap();
    let mut options = test.options.clone();
    options.sqlite_busy_timeout = std::time::Duration::from_millis(50);
    let error = refused(&options).await;
    assert!(matches!(error, OpenError::Locked), "{error:?}");
}

#[tokio::test]
async fn the_file_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let test = sqlite().await;
    let path = test.options.url.strip_prefix("sqlite://").unwrap();
    assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
}
