//! The four database roles: each does its work, and nothing beyond.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "tests")]

use sqlx::{Connection as _, Executor as _, PgConnection};
use std::sync::Arc;
use wardroom_core::{
    Origin, Principal, Timestamp,
    audit::AuditDraft,
    change::{Change, Write},
    watch::fault::Fault,
};
use wardroom_store::{
    Options, ROLES_SQL, migrate, open,
    testing::{Deaf, postgres},
};

/// A new database of the cluster, as `user` reaches it.
fn url(of: &str, user: &str, database: &str) -> String {
    let (start, _) = of.rsplit_once('/').unwrap();
    format!("{}/{database}", start.replace("postgres@", &format!("{user}@")))
}

async fn refused(connection: &mut PgConnection, sql: &'static str) {
    let answer = connection.execute(sql).await;
    let error = answer.expect_err(sql).to_string();
    assert!(
        error.contains("permission denied") || error.contains("must be owner"),
        "{sql}: {error}"
    );
}

#[tokio::test]
async fn each_role_does_its_work_and_nothing_beyond() {
    let test = postgres().await;
    let as_user = |user: &str| url(&test.options.url, user, "with_roles");
    let mut first = PgConnection::connect(&test.options.url).await.unwrap();
    first.execute("CREATE DATABASE with_roles").await.unwrap();
    let mut superuser = PgConnection::connect(&as_user("postgres")).await.unwrap();
    for _ in 0..2 {
        superuser.execute(sqlx::raw_sql(ROLES_SQL)).await.unwrap();
    }
    migrate(&Options::new(as_user("wardroom_migrate"))).await.unwrap();

    let app = Options::new(as_user("wardroom_app"));
    let store = open(&app, Arc::new(Deaf)).await.unwrap();
    assert_eq!(store.health().await.unwrap().privileged, Some(false));
    let fault = Fault {
        fingerprint: "00".to_owned(),
        place: "x".to_owned(),
        message: "x".to_owned(),
        count: 1,
        first_at: Timestamp::default(),
        last_at: Timestamp::default(),
        request: None,
        run: None,
        resolved_at: None,
    };
    let audit = AuditDraft::event("x", &Principal::System, &Origin::INTERNAL, Timestamp::default());
    let change = Change::recorded(audit).write(Write::CountFault(fault));
    store.commit(change).await.unwrap();
    assert_eq!(store.sequence_audit().await.unwrap(), 1);
    assert_eq!(store.audit_head().await.unwrap().0, 1);
    store
        .commit(Change::default().write(Write::RemoveExpired(Timestamp::default())))
        .await
        .unwrap();

    let mut app = PgConnection::connect(&as_user("wardroom_app")).await.unwrap();
    for sql in [
        "DELETE FROM audit_records",
        "TRUNCATE audit_records",
        "DELETE FROM audit_checkpoints",
        "DELETE FROM audit_tiles",
        "DROP TABLE users",
        "ALTER TABLE users ADD COLUMN x INT",
        "CREATE TABLE x (y INT)",
        "UPDATE _sqlx_migrations SET version = 1",
    ] {
        refused(&mut app, sql).await;
    }
    let mut reports = PgConnection::connect(&as_user("wardroom_read")).await.unwrap();
    reports.execute("SELECT COUNT(*) FROM users").await.unwrap();
    refused(&mut reports, "SELECT * FROM wardroom_keys.person_keys").await;
    refused(&mut reports, "DELETE FROM sessions").await;
    refused(&mut reports, "UPDATE users SET role = 'admin'").await;
    let mut backup = PgConnection::connect(&as_user("wardroom_backup")).await.unwrap();
    backup.execute("SELECT COUNT(*) FROM wardroom_keys.person_keys").await.unwrap();
    refused(&mut backup, "DELETE FROM wardroom_keys.person_keys").await;

    // What serves as the owner is told of.
    let owner = open(&test.options, Arc::new(Deaf)).await.unwrap();
    assert_eq!(owner.health().await.unwrap().privileged, Some(true));
}
